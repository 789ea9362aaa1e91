"""What is recorded of the machine."""

import json

import torch

from cohear.runtime.environment import describe_environment


def test_the_environment_is_json_and_records_what_can_change_the_last_bits():
    described = describe_environment()
    assert json.loads(json.dumps(described)) == described
    assert described["packages"]["torch"] == torch.__version__.split("+")[0] or torch.__version__
    assert described["n_threads"] == torch.get_num_threads()

"""The network of a finished run: where its weights lie, and how it is built again."""

from pathlib import Path

from cohear.experiments.build import build_network
from cohear.experiments.run_folder import RunRecord, read_record
from cohear.models import VGG
from cohear.training.checkpoints import load_weights


def weights_path(folder: Path) -> Path:
    """Return where a run keeps its weights."""
    return folder / "model.safetensors"


def load_network(folder: Path) -> tuple[RunRecord, VGG]:
    """Rebuild a finished run's network, in eval mode on the CPU.

    Raises:
        UserError: where the folder is no run, or its weights are missing, damaged or of another network.
    """
    record = read_record(folder)
    network = build_network(record.config, len(record.classes))
    load_weights(weights_path(folder), network)
    return record, network.eval()

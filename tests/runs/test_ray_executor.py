"""Grids on a real Ray cluster of two nodes on this machine, one of which is killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cohear.errors import UserError
from cohear.runs.grid import Training, is_done, run_grid
from cohear.runs.ray_executor import run_ray
from cohear.runs.run import Run
from cohear.runtime.interrupts import Interrupted
from runs.made_runs import NONE, make_plan, weights
from tiny import write_tones

ray = pytest.importorskip("ray")
cluster_utils = pytest.importorskip("ray.cluster_utils")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    return write_tones(tmp_path_factory.mktemp("tones"))


@pytest.fixture
def cluster(monkeypatch):
    """A head node without a core, so that all runs are on others."""
    soon = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
    head = {"num_cpus": 0, "include_dashboard": False, "_system_config": soon}
    cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
    monkeypatch.setenv("RAY_ADDRESS", cluster.address)
    yield cluster
    ray.shutdown()
    cluster.shutdown()


def plans_in(tones, parent, epochs):
    changes = [NONE, {"method": "standard"}, {"method": "bda"}]
    return [
        make_plan(tones, parent / str(i), {**its, "training.epochs": epochs}, "every") for i, its in enumerate(changes)
    ]


def test_a_node_that_dies_costs_no_run_and_changes_no_byte(cluster, tones, tmp_path):
    doomed, _ = cluster.add_node(num_cpus=2), cluster.add_node(num_cpus=1)  # three runs, two of them on the first
    epochs, killed = 60, []
    plans = plans_in(tones, tmp_path / "ray", epochs)

    def kill() -> None:
        while not all((plan.folder / "history.jsonl").exists() and Run(plan.folder).history for plan in plans):
            time.sleep(0.02)
        killed.extend(is_done(plan) for plan in plans)
        cluster.remove_node(doomed, allow_graceful=False)

    killer = threading.Thread(target=kill)
    killer.start()
    shares = []
    runs = run_grid(plans, executor="ray", n_jobs=None, on_progress=lambda share, _n: shares.append(share))
    killer.join()
    assert killed == [False] * 3
    assert shares[-1] == 1
    local = run_grid(plans_in(tones, tmp_path / "local", epochs))
    assert [weights(run) for run in runs] == [weights(run) for run in local]


@pytest.fixture
def apart(cluster, tmp_path):
    """A node with a disk of its own where the runs are to lie."""
    (tmp_path / "ray").mkdir()
    join = f"mount -t tmpfs none {tmp_path / 'ray'} && exec ray start --block --num-cpus=1 --address={cluster.address}"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", join]
    if subprocess.run([*command[:-1], "true"], check=False, capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")
    (tmp_path / "node").mkdir()
    environment = {**os.environ, "PATH": path, "TMPDIR": str(tmp_path / "node")}
    node = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
    yield node
    os.killpg(node.pid, signal.SIGTERM)
    node.wait(30)


def test_runs_come_back_from_a_node_with_another_disk_also_where_they_are_stopped(apart, tones, tmp_path):
    plans = plans_in(tones, tmp_path / "ray", 150)[:1]

    def interrupt(_share: float, _n_done: int) -> None:
        if any(path.stat().st_size for path in (tmp_path / "node").glob("cohear-*/0/history.jsonl")):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        run_grid(plans, executor="ray", n_jobs=1, on_progress=interrupt)
    assert Run(plans[0].folder).history
    assert not is_done(plans[0])
    runs = run_grid(plans, executor="ray", n_jobs=1)
    local = run_grid(plans_in(tones, tmp_path / "local", 150)[:1])
    assert [weights(run) for run in runs] == [weights(run) for run in local]


def test_what_fails_there_is_said_and_the_others_are_finished(cluster, tones, tmp_path):
    cluster.add_node(num_cpus=1)
    plans = plans_in(tones, tmp_path, 2)
    plans[0].folder.mkdir(parents=True)
    (plans[0].folder / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match=r"1 of 3 runs failed.*thesis\.txt"):
        run_grid(plans, executor="ray", n_jobs=1)
    assert [is_done(plan) for plan in plans] == [False, True, True]


def test_an_address_that_does_not_answer_is_one_sentence(monkeypatch, tones, tmp_path):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UserError, match="no Ray cluster answers"):
        run_ray(Training(plans_in(tones, tmp_path, 1), lambda *_: None), None, lambda *_: None, None)
    assert not Run(tmp_path / "0").is_begun

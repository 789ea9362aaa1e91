"""Two processes of torchrun that train one network, are stopped, find different checkpoints, and go on.

Each writes what it was told to a file of its rank, and the weights that it ends with, unbroken and resumed.
"""

import errno
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
from lightning_fabric import Fabric

from cohear.errors import UserError
from cohear.models import VGG
from cohear.runtime.interrupts import Interrupted
from cohear.training import checkpoint_files
from cohear.training.checkpoint_files import checkpoint_bytes, checkpoint_paths, parse_checkpoint
from cohear.training.checkpoints import save_weights
from cohear.training.plan import Watch
from training import ranks

STOPPED_AFTER = 5
"""Steps of the nine of a run: in the middle of its second epoch."""
_read_plain = checkpoint_files.read_plain


def train(fabric: Fabric, folder: Path, on_step: Callable[[VGG, int, Watch], None] = lambda *_: None) -> VGG:
    """Train as far as `on_step`, called with network, steps done and watch, lets it."""
    network, watch = ranks.network(), Watch(lambda *_: {})
    watch.on_step = lambda done, _total: on_step(network, done, watch)
    folder.mkdir(parents=True, exist_ok=True)
    fabric.barrier()
    ranks.train(network, fabric, folder, watch)
    return network


def stop(_network: VGG, done: int, watch: Watch) -> None:
    """Press Ctrl-C, whichever process this is."""
    watch.stop.signal_number = signal.SIGINT if done == STOPPED_AFTER else None


def spoil_statistics(network: VGG, done: int, _watch: Watch) -> None:
    """Make the second process's batch-norm statistics infinite after the last step of the first epoch."""
    if done == 3 and os.environ["RANK"] == "1":
        next(buffer for buffer in network.buffers() if buffer.is_floating_point()).fill_(torch.inf)


def stale_reads(n_reads: int) -> Callable[[Path, int], bytes]:
    """Make the disk fail the first so many reads of a checkpoint."""
    paths = []

    def read(path: Path, most_bytes: int) -> bytes:
        paths.append(path)
        if len(paths) <= n_reads:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return _read_plain(path, most_bytes)

    return read


def change_newest(folder: Path) -> None:
    """Give a run's newest checkpoint one other value, and a checksum that is right."""
    newest = checkpoint_paths(folder)[0]
    checkpoint = parse_checkpoint(newest.read_bytes())
    name = next(name for name in checkpoint.tensors if name.startswith("network.") and name.endswith(".bias"))
    checkpoint.tensors[name] = checkpoint.tensors[name] + 1
    newest.write_bytes(checkpoint_bytes(checkpoint.progress, checkpoint.tensors))


def refusal(
    fabric: Fabric, folder: Path, n_stale: int = 0, on_step: Callable[[VGG, int, Watch], None] = lambda *_: None
) -> str:
    """Return the sentence with which this process ends."""
    checkpoint_files.read_plain = stale_reads(n_stale)
    try:
        train(fabric, folder, on_step)
    except UserError as error:
        return str(error)
    finally:
        checkpoint_files.read_plain = _read_plain
    return "it went on"


def _main(folder: Path) -> None:
    fabric = Fabric(accelerator="cpu", devices=2)
    fabric.launch()
    rank, run, own = fabric.global_rank, folder / "run", folder / f"run of {fabric.global_rank}"
    save_weights(folder / f"unbroken-{rank}.safetensors", train(fabric, folder / "unbroken"), {})
    with suppress(Interrupted):
        train(fabric, run, stop)
    fabric.barrier()
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    shutil.copytree(run, own)
    if rank == 1:
        change_newest(own)
    said = {
        "stale": refusal(fabric, run, rank),
        "unreadable": refusal(fabric, run, 9 * rank),
        "apart": refusal(fabric, (run, folder / "elsewhere")[rank]),
        "changed": refusal(fabric, own),
        "statistics": refusal(fabric, folder / "spoiled", on_step=spoil_statistics),
    }
    fabric.barrier()
    said["is untouched"] = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    (folder / f"{rank}.json").write_text(json.dumps(said))
    save_weights(folder / f"resumed-{rank}.safetensors", train(fabric, run), {})
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    _main(Path(sys.argv[1]))

"""Full and read-only disks, real ones: small file systems in memory, mounted for the test."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cohear.training.checkpoints import checkpoint_paths
from tiny import OPTIONS

pytestmark = pytest.mark.slow

AT_END = ("--track", "end")


def mount(*arguments: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", *arguments], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        mount("-o", "size=1m", "tmpfs", str(folder))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a store may still be open


@pytest.fixture
def fill(disk: Path) -> Callable[[int], Path]:
    """Fill the disk but for some bytes; returns the file to remove."""

    def until(n_free: int) -> Path:
        ballast = disk / "ballast"
        n_bytes = shutil.disk_usage(disk).free - n_free
        ballast.write_bytes(bytes(n_bytes))
        return ballast

    return until


def below(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))


def test_a_disk_that_fills_up_in_training_loses_nothing_and_resume_ends_in_the_same_bytes(
    cohear, tones, trained, disk, fill
):
    words = ("train", tones, *OPTIONS, *AT_END, "--out", disk / "run")
    ballast = fill(64 << 10)  # enough for all but a checkpoint
    assert cohear(*words).refuses("epoch-1-step-0.safetensors' cannot be written", "disk is full", "free some space")
    assert below(disk / "run") == ["config.json", "environment.json", "history.jsonl"]
    ballast.unlink()
    assert cohear(*words).refuses("unfinished run; add --resume")
    assert cohear(*words, "--resume").status == 0
    assert (disk / "run" / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_a_full_disk_at_the_end_leaves_a_run_that_resumes(cohear, tones, trained, disk):
    run = disk / "run"
    shutil.copytree(trained, run, ignore=shutil.ignore_patterns("model*", "metrics*", "predictions*", "report*"))
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free - (16 << 10)))
    checkpoints = [path.read_bytes() for path in checkpoint_paths(run)]
    words = ("train", tones, *OPTIONS, *AT_END, "--resume", "--out", run)
    assert cohear(*words).refuses("model.safetensors' cannot be written", "disk is full")
    assert [path.read_bytes() for path in checkpoint_paths(run)] == checkpoints
    assert below(run) == sorted(
        ["config.json", "environment.json", "history.jsonl", *(path.name for path in checkpoint_paths(run))]
    )
    ballast.unlink()
    assert cohear(*words).status == 0
    assert (run / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_read_only_places_are_refused(cohear, tones, disk):
    mount("-o", "remount,ro", "tmpfs", str(disk))
    for command in ("train", "crossval"):
        said = cohear(command, tones, *OPTIONS, "--out", disk / "run")
        assert said.refuses(str(disk / "run"), "cannot be written", "read-only", "choose another folder")


def test_a_disk_that_goes_away_between_two_questions_is_told_in_one_sentence(cohear, trained, monkeypatch):
    stat = os.stat

    def gone(path, *arguments, **options):
        if str(path) == str(trained / "metrics.json"):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", gone)
    for command in ("predict", "pack"):
        said = cohear(command, trained, *["sound.wav"] * (command == "predict"))
        assert said.refuses("the disk fails", str(trained / "metrics.json"), "Stale file handle")

"""Two classes of three sounds each, and a look at what is decoded of them."""

from pathlib import Path

import pytest

from cohear.data import decoding, store_files
from made_stores import steps, write


@pytest.fixture
def sounds(tmp_path) -> Path:
    for label in ("cat", "dog"):
        for number in range(3):
            write(tmp_path / "sounds" / label / f"{number}.wav", steps(number + 10 * (label == "dog")))
    return tmp_path / "sounds"


@pytest.fixture
def decoded_paths(monkeypatch) -> list[str]:
    """The paths that were decoded, in no order."""
    paths: list[str] = []

    def decode_clips(root, clips, settings):
        paths.extend(clip.path for clip in clips)
        return decoding.decode_clips(root, clips, settings)

    monkeypatch.setattr(store_files, "decode_clips", decode_clips)
    return paths

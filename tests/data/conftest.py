"""Two classes of three sounds each, and a look at what is decoded of them."""

from pathlib import Path

import pytest

from cohear.data import decoding, store_building
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

    def decode_clip(root, clip, settings):
        paths.append(clip.path)
        return decoding.decode_clip(root, clip, settings)

    monkeypatch.setattr(store_building, "decode_clip", decode_clip)
    return paths

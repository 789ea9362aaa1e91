"""Files that cannot be used, and what a store says of them."""

from pathlib import Path

import numpy as np
import pytest

from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.store import open_store
from cohear.errors import UserError
from made_stores import RATE, SETTINGS, open_folder, steps, write


@pytest.fixture
def with_bad_files(sounds) -> Path:
    (sounds / "cat" / "text.wav").write_text("words\n" * 30)
    write(sounds / "dog" / "half.flac", steps(60, 4.0))
    content = (sounds / "dog" / "half.flac").read_bytes()
    (sounds / "dog" / "half.flac").write_bytes(content[: len(content) // 2])
    write(sounds / "dog" / "nan.wav", np.full(RATE, np.nan), subtype="FLOAT")
    write(sounds / "dog" / "none.wav", np.zeros(0))
    return sounds


def test_bad_files_are_refused_together_and_nothing_is_left(with_bad_files):
    with pytest.raises(UserError, match=r"4 of 10 clips cannot be used \(--skip-bad .*text\.wav.*half\.flac.*1 more"):
        open_folder(with_bad_files)
    left = {path.name.split(".")[-1] for path in (with_bad_files.parent / "cache").iterdir()}
    assert left <= {"lock", "json"}


def test_bad_files_are_skipped_and_listed_on_request(with_bad_files):
    opened = open_folder(with_bad_files, skip_bad=True)
    assert len(opened) == 6
    assert [clip_id for clip_id, _ in opened.report.skipped] == [
        "cat/text.wav",
        "dog/half.flac",
        "dog/nan.wav",
        "dog/none.wav",
    ]
    assert sum(line.startswith("skipped: ") for line in opened.report.lines) == 4
    np.testing.assert_array_equal(opened.read([3])[0] * 32768, steps(10))
    with pytest.raises(UserError, match="4 of 10 clips cannot be used"):
        open_folder(with_bad_files)


def test_missing_file_is_bad_until_it_appears(sounds):
    clips = (Clip("cat/0.wav", "cat"), Clip("cow/0.wav", "cow"))
    dataset = Dataset("d", sounds, clips, "table")
    with pytest.raises(UserError, match=r"cow/0\.wav does not exist"):
        open_store(dataset, SETTINGS, sounds.parent / "cache")
    write(sounds / "cow" / "0.wav", steps(1))
    assert len(open_store(dataset, SETTINGS, sounds.parent / "cache")) == 2


def test_skipping_must_leave_two_classes(sounds):
    clips = (Clip("cat/0.wav", "cat"), Clip("cow/0.wav", "cow"))
    with pytest.raises(UserError, match="fewer than two classes"):
        open_store(Dataset("d", sounds, clips, "table"), SETTINGS, sounds.parent / "cache", skip_bad=True)
    nothing = Dataset("d", sounds, clips[1:], "table")
    with pytest.raises(UserError, match="not one clip of d can be used"):
        open_store(nothing, SETTINGS, sounds.parent / "cache", skip_bad=True)


def test_shortfall_is_reported(sounds):
    write(sounds / "cat" / "9.wav", steps(61, 1.4))
    content = (sounds / "cat" / "9.wav").read_bytes()
    (sounds / "cat" / "9.wav").write_bytes(content[: -2 * 480])
    assert "cat/9.wav is 0.06 s shorter than it declares" in open_folder(sounds).report.lines

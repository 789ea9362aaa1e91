"""Locks of run folders that somebody else made."""

import pytest

from cohear.errors import UserError
from cohear.experiments.folder_claims import locked


def test_a_lock_that_is_a_link_is_refused_and_what_it_points_to_is_kept(tmp_path):
    mine, run = tmp_path / "mine.wav", tmp_path / "run"
    mine.write_bytes(b"sound")
    run.mkdir()
    for target in (mine, tmp_path / "nowhere"):
        (run / ".lock").symlink_to(target)
        with pytest.raises(UserError, match=r"\.lock' is a link; remove it"), locked(run):
            pass
        (run / ".lock").unlink()
    assert mine.read_bytes() == b"sound"
    assert not (tmp_path / "nowhere").exists()

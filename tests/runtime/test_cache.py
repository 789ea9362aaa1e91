"""Where things are kept that could be made again."""

import os
from pathlib import Path

from cohear.runtime.cache import cache_folder, keep_compiled_programs


def test_the_cache_is_where_the_environment_says_else_in_the_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("COHEAR_CACHE", "~/sounds")
    assert cache_folder() == Path("/home/somebody/sounds")
    monkeypatch.delenv("COHEAR_CACHE")
    assert cache_folder() == Path("/home/somebody/.cache/cohear")


def test_where_nothing_can_be_kept_torch_is_left_to_its_own_folder(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")
    for name in ("file", "link"):
        monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / name))
        monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
        keep_compiled_programs()
        assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ
    monkeypatch.setattr(os, "access", lambda *_: False)  # as of a disk that is read-only
    monkeypatch.setenv("COHEAR_CACHE", str(tmp_path / "cache"))
    keep_compiled_programs()
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


def test_compiled_programs_are_kept_in_the_cache_unless_the_environment_says_where(monkeypatch):
    monkeypatch.setenv("COHEAR_CACHE", "/kept")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that what follows is undone
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    keep_compiled_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/kept/compiled"
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "/elsewhere")
    keep_compiled_programs()
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == "/elsewhere"

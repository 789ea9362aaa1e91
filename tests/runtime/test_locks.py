"""Waiting for another's work: said aloud, and ended by the other's end. Locks of one process exclude each other too."""

import logging
import threading

from filelock import FileLock

from cohear.runtime import locks
from cohear.runtime.locks import waiting_for


def test_who_waits_says_for_what_and_works_afterwards(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr(locks, "_SILENT_S", 0.05)
    holds, may_go, is_done = threading.Event(), threading.Event(), threading.Event()

    def hold() -> None:
        with FileLock(tmp_path / "lock"):
            holds.set()
            may_go.wait(60)
            is_done.set()

    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait(60)
    monkeypatch.setattr(locks._log, "warning", lambda *words: (logging.warning(*words), may_go.set()))
    with waiting_for(tmp_path / "lock", "is counting these sheep"):
        assert is_done.is_set()
    holder.join()
    assert caplog.messages == ["another process is counting these sheep; waiting for it"]


def test_who_need_not_wait_says_nothing_and_lets_go(tmp_path, caplog):
    for _ in range(2):
        with waiting_for(tmp_path / "lock", "is counting these sheep"):
            pass
    assert not caplog.messages

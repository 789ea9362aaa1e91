"""Waiting for another's work: said aloud, and ended by the other's end. Locks of one process exclude each other too."""

import threading
import time

from filelock import FileLock

from cohear.runtime.locks import waiting_for


def test_who_waits_says_for_what_and_works_afterwards(tmp_path, caplog):
    other, holds = FileLock(tmp_path / "lock"), threading.Event()

    def hold() -> None:
        with other:
            holds.set()
            time.sleep(0.8)

    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait()
    began = time.monotonic()
    with waiting_for(tmp_path / "lock", "is counting these sheep"):
        assert time.monotonic() - began > 0.5
    holder.join()
    assert caplog.messages == ["another process is counting these sheep; waiting for it"]


def test_who_need_not_wait_says_nothing_and_lets_go(tmp_path, caplog):
    for _ in range(2):
        with waiting_for(tmp_path / "lock", "is counting these sheep"):
            pass
    assert not caplog.messages

"""A child that reads files for the fuzzer, one after another; where one kills it or holds it, another begins."""

import io
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av  # noqa: F401 - imported before memory is limited, as everything else
import soundfile  # noqa: F401

from cohear.errors import UserError
from faults.fuzz import readers
from faults.fuzz.inputs import Input

LIMIT_S = 60.0
"""For one input, of which most take milliseconds."""
LIMIT_BYTES = 2 * 2**30
"""Address space for the inputs, beyond what the process has when all is imported."""
_MOST_CHARACTERS = 2000
"""Of a sentence."""


@dataclass(frozen=True)
class Outcome:
    """What became of an input."""

    problem: str | None
    """How the reader failed, None where it read or refused the input as it should."""
    said: str | None = None
    """The sentence in which it was refused."""


class ReadingChild:
    """A process that reads one input after another; another one takes its place when an input ends it.

    Args:
        scratch: an existing folder in which its files lie.
    """

    def __init__(self, scratch: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(dir=scratch))
        readers.lay_out(self._folder)
        self._pid = 0

    def __enter__(self) -> "ReadingChild":
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        shutil.rmtree(self._folder, ignore_errors=True)

    def read(self, reader: str, given: Input) -> Outcome:
        """Have an input read."""
        path = readers.place(reader, self._folder, given.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(given.data)
        outcome = self.read_place(reader, path)
        path.unlink()
        if path.parent.name == "meta":  # else every later table beside it would be taken for a part of ESC-50
            shutil.rmtree(path.parent)
        return outcome

    def read_place(self, reader: str, path: Path) -> Outcome:
        """Have read what lies somewhere."""
        if not self._pid:
            self._begin()
        self._requests.write(json.dumps([reader, os.fspath(path)]) + "\n")
        self._requests.flush()
        if not select.select([self._answers], [], [], LIMIT_S)[0]:
            self._end()
            return Outcome(f"no answer within {LIMIT_S:g} s")
        if line := self._answers.readline():
            return Outcome(**json.loads(line))
        status = self._end()
        return Outcome(f"the process died ({signal.Signals(-status).name if status < 0 else f'exit status {status}'})")

    def _begin(self) -> None:
        request, answer = os.pipe(), os.pipe()
        self._pid = os.fork()
        if not self._pid:
            try:
                os.close(request[1])
                _serve(os.fdopen(request[0]), os.fdopen(answer[1], "w"))
            finally:
                os._exit(1)
        os.close(request[0]), os.close(answer[1])
        self._requests, self._answers = os.fdopen(request[1], "w"), os.fdopen(answer[0])

    def _end(self) -> int:
        """End the process, and return how it ended."""
        if not self._pid:
            return 0
        dead = os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        if select.select([self._answers], [], [], 0)[0]:  # it closed its end, as it is dying
            dead = True
        if not dead:
            os.kill(self._pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        self._answers.close()
        with suppress(OSError):  # what it did not take
            self._requests.close()
        self._pid = 0
        return status


def _serve(requests: io.TextIOBase, answers: io.TextIOBase) -> None:
    """Be the child."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(nothing, descriptor)
    warnings.simplefilter("error")
    sys.addaudithook(readers.note)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (now + LIMIT_BYTES, now + LIMIT_BYTES))
    for line in requests:
        reader, path = json.loads(line)
        print(json.dumps(_judged(reader, Path(path))), file=answers, flush=True)
    os._exit(0)


def _judged(reader: str, path: Path) -> dict[str, Any]:
    """Read a file; say how the reader failed at refusing it, or what it said."""
    try:
        readers.READ[reader](path)
    except UserError as error:
        message = str(error)
        return {"said": message[:_MOST_CHARACTERS], "problem": _fault_of(message)}
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return {"problem": f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}: {error!s:.200}"}
    return {"problem": None}


def _fault_of(message: str) -> str | None:
    """Say why a message is not one sentence on one line."""
    if len(message) > _MOST_CHARACTERS:
        return f"a message of {len(message)} characters: {message[:200]!a}"
    if not message.strip():
        return "an empty message"
    if wrong := sorted({letter for letter in message if not (letter.isprintable() or letter.isspace())}):
        return f"a message with {wrong[0]!a}: {message[:200]!a}"
    return f"a message of several lines: {message[:200]!a}" if len(message.splitlines()) > 1 else None

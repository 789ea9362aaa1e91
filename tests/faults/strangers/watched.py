"""A function run in a process of its own that is watched: what it opens, changes and runs, and whom it calls.

Python's audit hooks see what Python does and cannot be taken away again, hence a process for each try. It is forked, so
that the imports of all tries are made once. What libraries open by themselves (soundfile, safetensors) is no event:
`was_read` tells of a file that was marked.
"""

import ctypes
import json
import os
import signal
import struct
import sys
import sysconfig
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
import soundfile

import cohear

LIMIT_S = 600

_OURS = (
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
    *(sys.prefix, Path(cohear.__file__).parent, Path(__file__).parents[2]),
)
_ZIPPED = f"python3{sys.version_info[1]}.zip"
_SYSTEM = (*sorted({os.path.realpath(place) for place in _OURS}), "/proc", "/sys", "/dev", "/usr", "/lib")
_RUNS = frozenset(
    {
        *("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"),
        *("os.startfile", "subprocess.Popen", "pty.spawn", "cpython.run_command"),
        *("cpython.run_file", "cpython.run_interactivehook", "webbrowser.open"),
    }
)
"""Events that nothing which reads files has a reason for."""
_CALLS = frozenset({"socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname", "urllib.Request"})
_CHANGES = frozenset(
    {
        *("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod"),
        *("os.chown", "os.utime", "os.setxattr", "os.removexattr", "shutil.rmtree", "tempfile.mkdtemp"),
    }
)
_MAKE_CLASSES = (
    "onnxscript/_internal/converter.py",
    *("dataclasses.py", "collections/__init__.py", "inspect.py", "typing.py", "enum.py", "functools.py", "ast.py"),
    *("jinja2/environment.py", "jinja2/runtime.py", "attr/_make.py", "decorator.py", "numpy/", "scipy/", "sympy/"),
    *("torch/", "pydantic/", "jaxtyping/", "beartype/", "gradio/", "gradio_client/", "fastapi/", "onnx/", "six.py"),
    *("matplotlib/", "pyparsing/", "starlette/", "huggingface_hub/", "typing_extensions.py", "lightning_fabric/"),
)
"""In installed packages: what writes source of its own and runs it, to make classes and templates."""


@dataclass(frozen=True)
class Watched:
    """What a function did."""

    status: int
    """What it returned; 1 where it raised, minus the signal where it was killed."""
    said: str
    """All that it printed."""
    opened: tuple[str, ...]
    """Files that Python opened to read, without installed packages and what the system keeps of itself."""
    changed: tuple[str, ...]
    """Files and folders that were opened to write, made, moved or removed."""
    ran: tuple[str, ...]
    """Events of code or programs that were run and are no part of an installed package."""
    called: tuple[str, ...]
    """Addresses."""

    @property
    def traceback(self) -> str | None:
        """The last line of one that reached the screen."""
        return self.said.strip().splitlines()[-1] if "Traceback (most recent call last)" in self.said else None


def watch(function: Callable[..., int | None], *arguments: Any) -> Watched:
    """Call a function in a watched process; one that hangs is killed in the end."""
    with tempfile.TemporaryDirectory() as folder:
        out, told = (Path(folder, name) for name in ("said", "seen"))
        out.touch()
        child = os.fork()
        if child == 0:
            _call(function, arguments, out, told)
        _, ended = os.waitpid(child, 0)
        said = out.read_text(errors="replace")
        seen = json.loads(told.read_text() if told.exists() else json.dumps(_NOTHING))
    named = {name: tuple(dict.fromkeys(values)) for name, values in seen.items()}
    return Watched(os.waitstatus_to_exitcode(ended), said, **named)


_NOTHING: dict[str, list[str]] = {"opened": [], "changed": [], "ran": [], "called": []}
_READ, _CLOSED, _REMOVED, _MOVED = 0x1, 0x10, 0x400, 0x800
"""IN_ACCESS; IN_CLOSE_NOWRITE, which also comes of a file that was only mapped; IN_DELETE_SELF; IN_MOVE_SELF."""
_EVENT = struct.Struct("iIII")


class _Notices:
    """What the kernel tells of files (inotify): who reads one, through whatever library, is noticed on every mount.

    The times in a folder's listing would not do: many disks are mounted so that a reading leaves none.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)
        self._file = self._library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._number_of: dict[Path, int] = {}
        self._noticed: set[int] = set()

    def mark(self, path: Path) -> None:
        """Begin to look at a file, and forget what was noticed of it before."""
        wanted = _READ | _CLOSED | _REMOVED | _MOVED
        number = self._library.inotify_add_watch(self._file, os.fsencode(path), wanted)
        if number < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._take()
        self._noticed.discard(number)
        self._number_of[path] = number

    def was_read(self, path: Path) -> bool:
        """Whether a marked file was read, replaced or removed since, by any process that is done with it."""
        self._take()
        return self._number_of[path] in self._noticed

    def _take(self) -> None:
        """Take what the kernel has to tell by now."""
        with suppress(BlockingIOError):
            while events := os.read(self._file, 1 << 16):
                place = 0
                while place < len(events):
                    number, _, _, n_bytes = _EVENT.unpack_from(events, place)
                    place += _EVENT.size + n_bytes
                    self._noticed.add(number)


@cache
def _notices() -> _Notices:
    return _Notices()


def mark_unread(path: Path) -> None:
    """Begin to look at a file."""
    _notices().mark(path)


def was_read(path: Path) -> bool:
    """Whether a file was read, by whomever, since `mark_unread`; also where it was replaced or removed since."""
    return _notices().was_read(path)


def blindness(folder: Path) -> str | None:
    """Read sounds on purpose, in a watched process; say what `was_read` does not see of it, None where it sees all.

    Args:
        folder: where they will lie for a moment; on the disk of what shall be watched.
    """
    for name, read in {"Python": Path.read_bytes, "a library": soundfile.read, "nobody": Path.stat}.items():
        path = folder / "read-on-purpose.wav"
        soundfile.write(path, np.zeros(80), 8000)
        mark_unread(path)
        watch(_call_only, read, path)
        seen = was_read(path)
        path.unlink()
        if seen != (name != "nobody"):
            return f"read by {name}, a file {'was' if seen else 'was not'} seen to be read"
    return None


def _call_only(function: Callable[[Path], object], path: Path) -> None:
    function(path)


def _call(function: Callable[..., int | None], arguments: Any, out: Path, told: Path) -> None:
    """Be the child."""
    status, seen = 1, {name: list[str]() for name in _NOTHING}
    try:
        signal.alarm(LIMIT_S)
        for place, (path, mode) in enumerate(((os.devnull, os.O_RDONLY), *((out, os.O_WRONLY | os.O_APPEND),) * 2)):
            os.dup2(os.open(path, mode), place)
        sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)  # noqa: SIM115
        sys.addaudithook(lambda event, values: _note(seen, event, values))
        status = function(*arguments) or 0
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush(), sys.stderr.flush()
        told.write_text(json.dumps({name: list(values) for name, values in seen.items()}))
        os._exit(status)


def _note(seen: dict[str, list[str]], event: str, values: tuple[Any, ...]) -> None:
    if event == "open":
        _note_open(seen, *values)
    elif event in _CHANGES:
        seen["changed"] += [_absolute(value) for value in values if isinstance(value, str | bytes | os.PathLike)]
    elif event in _RUNS and not _asks_what_runs(event, values):
        seen["ran"].append(f"{event} {values!r:.100}")
    elif event == "exec" and not _is_installed(values[0], sys._getframe(2)):
        seen["ran"].append(f"exec by {_installed_as(sys._getframe(2))}")
    elif event.startswith("marshal.") and not sys._getframe(2).f_code.co_filename.startswith("<frozen importlib"):
        seen["ran"].append(event)
    elif event in _CALLS:
        seen["called"].append(f"{event} {values[-1] if event == 'socket.connect' else values!r}")


def _asks_what_runs(event: str, values: tuple[Any, ...]) -> bool:
    """Whether a program is one that is asked for `environment.json`: what the processor is, what cohear's commit is."""
    if event != "subprocess.Popen":
        return False
    program, words = values[:2]
    return words == ["uname", "-p"] or (program == "git" and words[3] == "describe")


def _note_open(seen: dict[str, list[str]], path: Any, mode: Any, flags: Any) -> None:
    if not isinstance(path, str | bytes | os.PathLike):
        return  # a file that is open already
    place = _absolute(path)
    is_writing = any(letter in (mode or "") for letter in "wax+") or (flags or 0) & (os.O_WRONLY | os.O_RDWR)
    if is_writing and place != os.devnull:
        seen["changed"].append(place)
    elif not is_writing and not is_of_the_system(place):
        seen["opened"].append(place)


def is_of_the_system(place: str) -> bool:
    """Whether a file is one of the installed packages' or the system's, as any program reads them."""
    if os.path.basename(place) == _ZIPPED:  # where Python looks for its library too
        return True
    return any(place == folder or place.startswith(folder + os.sep) for folder in _SYSTEM)


def _is_installed(code: Any, caller: FrameType) -> bool:
    """Whether code that is run comes from a module's file, or a package made it up to make classes of it."""
    place = caller.f_code.co_filename
    if place.startswith("<frozen importlib"):
        return isinstance(code, CodeType) and is_of_the_system(os.path.realpath(code.co_filename))
    return _installed_as(caller).startswith(_MAKE_CLASSES)


def _installed_as(caller: FrameType) -> str:
    """Return where a module lies within its environment, wherever that is."""
    place = caller.f_code.co_filename
    for root in ("site-packages/", f"python3.{sys.version_info[1]}/"):
        if root in place:
            return place.rpartition(root)[2]
    return f".../{Path(place).name}"


def _absolute(path: str | bytes | os.PathLike) -> str:
    return os.path.realpath(os.fsdecode(path))

"""One door to the disk: nothing of ours writes, syncs or renames beside it."""

import ast
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cohear
from cohear.runtime import disk

SOURCE = Path(cohear.__file__).parent
BESIDE_THE_DOOR = {
    # What becomes a file or folder of ours whole, by a rename through the door.
    "runtime/files.py": {"open", "unlink", "rmdir", "mkdtemp"},
    "data/store_files.py": {"open", "mkdir", "rmtree"},
    # What can be made again, and is looked at before it is used.
    "data/store.py": {"mkdir", "rmtree"},
    "augmentation.py": {"mkdir"},
    "data/kept_log_mels.py": {"mkdir", "open"},
    # Folders for what a command writes; a kill leaves an empty one.
    "cli/predict.py": {"mkdir"},
    "inference/tables.py": {"mkdir"},
    # Nothing of it stays.
    "app/server.py": {"TemporaryDirectory"},
    "inference/addresses.py": {"TemporaryDirectory"},
    # What is made there goes through the door where it belongs.
    "runs/elsewhere.py": {"TemporaryDirectory"},
    "cli/streams.py": {"open"},
}
"""Calls that change the disk elsewhere than in `runtime/disk.py`, by module."""
CHANGES = {
    "os": {"replace", "fsync", "truncate", "remove", "makedirs", "removedirs", "link", "symlink", "posix_fallocate"},
    "shutil": {"copyfile", "copy", "copy2", "copytree", "move"},
    "np": {"save", "savez", "savetxt"},
}
"""By the name of their module."""
METHODS = {
    *("write_bytes", "write_text", "rename", "unlink", "mkdir", "rmdir", "touch", "symlink_to", "hardlink_to"),
    *("save_file", "tofile", "rmtree", "mkdtemp", "TemporaryDirectory", "NamedTemporaryFile"),
}
"""Of whatever."""
TO_WRITE = {"O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"}


def change_of(call: ast.Call) -> str | None:
    """Return the name of a call that changes the disk; None of one that does not."""
    if isinstance(call.func, ast.Name):
        return "open" if call.func.id == "open" and opens_to_write(call, call.args[1:2]) else None
    if not isinstance(call.func, ast.Attribute):
        return None
    owner, name = call.func.value.id if isinstance(call.func.value, ast.Name) else "", call.func.attr
    if owner == "disk":
        return None
    if name == "open" and owner == "os":
        flags = {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
        return name if flags & TO_WRITE else None
    if name == "open":
        return name if opens_to_write(call, call.args[:1]) else None
    if name == "memmap":
        return name if opens_to_write(call, call.args[2:3]) else None
    return name if name in METHODS | CHANGES.get(owner, set()) else None


def opens_to_write(call: ast.Call, modes: list[ast.expr]) -> bool:
    modes = [*modes, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
    return any(
        isinstance(mode, ast.Constant) and isinstance(mode.value, str) and bool(set("wax+") & set(mode.value))
        for mode in modes
    )


def changes_in(source: str) -> set[str]:
    """Find how a module changes the disk."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {change for call in calls if (change := change_of(call))}


def test_nothing_changes_the_disk_beside_the_door():
    found = {str(path.relative_to(SOURCE)): changes_in(path.read_text("utf-8")) for path in SOURCE.rglob("*.py")}
    assert found.pop("runtime/disk.py") >= {"replace", "fsync", "mkdir", "unlink"}
    assert {module: changes for module, changes in found.items() if changes} == BESIDE_THE_DOOR


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("path.unlink()", "unlink"),
        ("os.open(path, os.O_RDWR | os.O_CREAT)", "open"),
        ("path.open('wb')", "open"),
        ("np.memmap(path, np.int16, 'r+')", "memmap"),
        ("os.open(path, os.O_RDONLY)", None),
        ("disk.rename(one, another)", None),
    ],
)
def test_such_a_module_would_be_found(line, change):
    assert changes_in(line) == ({change} if change else set())


@pytest.fixture
def steps(monkeypatch) -> list[str]:
    """Note every step through the door."""
    noted: list[str] = []

    @contextmanager
    def around(kind: str, path: Path) -> Iterator[None]:
        noted.append(f"{kind} {path.name}")
        yield

    monkeypatch.setattr(disk, "around", around)
    return noted


def test_a_made_folder_and_those_above_it_are_on_the_disk(tmp_path, steps):
    disk.make_folder(tmp_path / "a" / "b")
    assert steps == ["make folder a", f"sync folder {tmp_path.name}", "make folder b", "sync folder a"]
    steps.clear()
    disk.make_folder(tmp_path / "a" / "b")
    assert steps == []
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        disk.make_folder(tmp_path / "file")


@pytest.mark.parametrize("at_once", [True, False])
def test_reading_ends_where_the_file_does(tmp_path, monkeypatch, at_once):
    if not at_once:  # as on Windows
        monkeypatch.delattr(os, "preadv")
    (tmp_path / "a").write_bytes(bytes(range(10)))
    with open(tmp_path / "a", "rb") as file:
        buffer = bytearray(6)
        assert disk.read_at(file.fileno(), tmp_path / "a", memoryview(buffer), 2) == 6
        assert buffer == bytes(range(2, 8))
        assert disk.read_at(file.fileno(), tmp_path / "a", memoryview(buffer), 7) == 3


def raising(number: int) -> Callable[..., None]:
    """Return a function that fails as the disk does."""

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_file_system_that_cannot_sync_folders_is_none_that_fails(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", raising(errno.EINVAL))
    disk.sync_folder(tmp_path)
    monkeypatch.setattr("os.fsync", raising(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        disk.sync_folder(tmp_path)


@pytest.mark.parametrize(
    ("error", "is_of_disk"),
    [
        (OSError(errno.EIO, ""), True),
        (OSError(errno.ETIMEDOUT, "", "a"), True),
        (OSError(errno.ETIMEDOUT, ""), False),  # as of a socket
        (OSError(errno.ENOENT, "", "a"), False),
    ],
)
def test_a_disk_that_fails_is_told_from_what_is_not_there_and_from_sockets(error, is_of_disk):
    assert disk.is_gone(error) is is_of_disk


def test_a_name_on_a_disk_that_fails_is_not_one_that_is_not_there(tmp_path, monkeypatch):
    assert disk.exists(tmp_path)
    for absent in (tmp_path / "a", tmp_path / ("a" * 300), Path("a\0b")):
        assert not disk.exists(absent)
    monkeypatch.setattr(os, "stat", raising(errno.ESTALE))
    with pytest.raises(OSError, match="Stale"):
        disk.exists(tmp_path)

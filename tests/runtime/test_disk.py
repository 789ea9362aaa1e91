"""One door to the disk: nothing of ours writes, syncs or renames beside it."""

import ast
import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cohear
from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import write_bytes

SOURCE = Path(cohear.__file__).parent
BESIDE_THE_DOOR = {
    # What becomes a file or folder of ours whole, by a rename through the door.
    "runtime/files.py": {"open", "unlink", "rmdir", "mkdtemp"},
    "data/store_building.py": {"open", "mkdir", "rmtree"},
    "data/synthetic.py": {"open", "mkdir", "TemporaryDirectory"},
    # What can be made again, and is looked at before it is used.
    "data/store.py": {"mkdir", "rmtree"},
    "data/kept_versions.py": {"open", "mkdir", "unlink", "posix_fallocate", "memmap"},
    "experiments/room_banks.py": {"mkdir"},
    # Folders for what a command writes; a kill leaves an empty one.
    "cli/heard_output.py": {"mkdir"},
    "inference/embedding_files.py": {"mkdir"},
    "reports/table1_report.py": {"mkdir"},
    # Nothing of it stays.
    "app/server.py": {"TemporaryDirectory"},
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
    modules = [path for path in SOURCE.rglob("*.py") if path.parent.name != "benchmarks"]  # they keep nothing
    found = {str(path.relative_to(SOURCE)): changes_in(path.read_text("utf-8")) for path in modules}
    assert found.pop("runtime/disk.py") >= {"replace", "fsync", "mkdir", "unlink"}
    assert {module: changes for module, changes in found.items() if changes} == BESIDE_THE_DOOR


@pytest.mark.parametrize(
    ("line", "change"),
    [
        ("path.unlink()", "unlink"),
        ("shutil.rmtree(folder)", "rmtree"),
        ("os.open(path, os.O_RDWR | os.O_CREAT)", "open"),
        ("path.open('wb')", "open"),
        ("open(path, mode='a')", "open"),
        ("np.memmap(path, np.int16, 'r+')", "memmap"),
        ("np.save(path, values)", "save"),
        ("os.open(path, os.O_RDONLY)", None),
        ("open(path)", None),
        ("np.memmap(path, np.int16, 'r')", None),
        ("disk.rename(one, another)", None),
    ],
)
def test_such_a_module_would_be_found(line, change):
    assert changes_in(line) == ({change} if change else set())


def test_every_step_of_a_file_passes_the_door_and_any_may_fail(tmp_path, monkeypatch):
    steps: list[tuple[str, str]] = []

    @contextmanager
    def around(kind: str, path: Path) -> Iterator[None]:
        steps.append((kind, path.name.partition(".")[0] or "partial"))
        if len(steps) == n_until_failure:
            raise OSError(errno.EIO, "Input/output error")
        yield

    monkeypatch.setattr(disk, "around", around)
    n_until_failure = 0
    write_bytes(tmp_path / "a", b"old")
    assert [kind for kind, _ in steps] == ["write", "sync", "rename", "sync folder"]
    for n_until_failure in (1, 2, 3):  # noqa: B007 -- `around` reads it
        steps.clear()
        with pytest.raises(UserError, match="Input/output error"):
            write_bytes(tmp_path / "a", b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_made_folder_and_those_above_it_are_on_the_disk(tmp_path, monkeypatch):
    steps: list[tuple[str, Path]] = []

    @contextmanager
    def around(kind: str, path: Path) -> Iterator[None]:
        steps.append((kind, path))
        yield

    monkeypatch.setattr(disk, "around", around)
    disk.make_folder(tmp_path / "a" / "b")
    a = tmp_path / "a"
    assert steps == [("make folder", a), ("sync folder", tmp_path), ("make folder", a / "b"), ("sync folder", a)]
    steps.clear()
    disk.make_folder(tmp_path / "a" / "b")
    assert steps == []
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        disk.make_folder(tmp_path / "file")


def test_reading_ends_where_the_file_does(tmp_path):
    (tmp_path / "a").write_bytes(bytes(range(10)))
    with open(tmp_path / "a", "rb") as file:
        buffer = bytearray(6)
        assert disk.read_at(file.fileno(), tmp_path / "a", memoryview(buffer), 2) == 6
        assert buffer == bytes(range(2, 8))
        assert disk.read_at(file.fileno(), tmp_path / "a", memoryview(buffer), 7) == 3


def test_a_file_system_that_cannot_sync_folders_is_none_that_fails(tmp_path, monkeypatch):
    def refuse(code: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("os.fsync", lambda _: refuse(errno.EINVAL))
    disk.sync_folder(tmp_path)
    monkeypatch.setattr("os.fsync", lambda _: refuse(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        disk.sync_folder(tmp_path)


@pytest.mark.parametrize(
    ("error", "is_of_disk"),
    [
        (OSError(errno.EIO, ""), True),
        (OSError(errno.ESTALE, "", "a"), True),
        (OSError(errno.ETIMEDOUT, "", "a"), True),
        (OSError(errno.ETIMEDOUT, ""), False),  # as of a socket
        (OSError(errno.ENOTCONN, ""), False),
        (OSError(errno.ENOENT, "", "a"), False),
    ],
)
def test_a_disk_that_fails_is_told_from_what_is_not_there_and_from_sockets(error, is_of_disk):
    assert disk.is_gone(error) is is_of_disk


def test_a_name_on_a_disk_that_fails_is_not_one_that_is_not_there(tmp_path, monkeypatch):
    assert disk.exists(tmp_path)
    for absent in (tmp_path / "a", tmp_path / ("a" * 300), Path("a\0b")):
        assert not disk.exists(absent)

    def stale(*_: object) -> None:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))

    monkeypatch.setattr(os, "stat", stale)
    with pytest.raises(OSError, match="Stale"):
        disk.exists(tmp_path)

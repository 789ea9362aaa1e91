"""One door to the disk: nothing of ours writes, syncs or renames beside it."""

import ast
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import cohear
from cohear.errors import UserError
from cohear.runtime import disk
from cohear.runtime.files import write_bytes

SOURCE = Path(cohear.__file__).parent
OPENED_FOR_DISK_WRITE = {
    "runtime/files.py": "the half-written file that takes its place",
    "data/store_building.py": "in a folder that takes its place whole",
    "data/synthetic.py": "in a folder that takes its place whole",
    "data/kept_versions.py": "room for what could be made again, full of zeros",
}
CHANGES = {
    "os": {"replace", "rename", "fsync", "truncate", "remove", "mkdir"},
    "shutil": {"copyfile", "copy", "copytree", "move"},
}
METHODS = {"write_bytes", "write_text", "rename", "save_file", "tofile"}


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call))


def changes_the_disk(call: ast.Call) -> bool:
    """Whether a call is one of `os`, `shutil`, `Path` or numpy that changes the disk."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = call.func.value.id if isinstance(call.func.value, ast.Name) else ""
    return call.func.attr in CHANGES.get(owner, set()) or (call.func.attr in METHODS and owner != "disk")


def opens_to_write(call: ast.Call) -> bool:
    is_open = isinstance(call.func, ast.Name) and call.func.id == "open"
    is_method = isinstance(call.func, ast.Attribute) and call.func.attr == "open" and len(call.args) == 1
    modes = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "mode")] if is_open else call.args[:1]
    return (is_open or is_method) and any(
        isinstance(mode, ast.Constant) and isinstance(mode.value, str) and set("wax+") & set(mode.value)
        for mode in modes
    )


def test_nothing_changes_the_disk_beside_the_door():
    modules = [path for path in SOURCE.rglob("*.py") if path.parent.name != "benchmarks"]  # they keep nothing
    changing = {
        str(path.relative_to(SOURCE)) for path in modules if any(changes_the_disk(call) for call in calls(path))
    }
    assert changing == {"runtime/disk.py"}
    opening = {str(path.relative_to(SOURCE)) for path in modules if any(opens_to_write(call) for call in calls(path))}
    assert opening == OPENED_FOR_DISK_WRITE.keys()


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

"""Tables that name what lies outside their folder, in every way that we could think of."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.fuzz.reading import Outcome


@dataclass(frozen=True)
class Nasty:
    """A place to be read, and how that must end."""

    name: str
    reader: str
    path: Path
    refused: bool
    said: str = ""
    """Part of the sentence."""

    def problem(self, outcome: Outcome) -> str | None:
        """Say how a reader failed on it."""
        if outcome.problem is not None:
            return outcome.problem
        if self.refused != (outcome.said is not None):
            return "it is read" if self.refused else f"it is refused: {outcome.said}"
        return None if self.said in (outcome.said or "") else f"it is refused otherwise: {outcome.said}"


KINDS = ("csv", "jsonl", "raven", "esc50")
OUTSIDE = (
    *("../secret.wav", "sub/../../secret.wav", "../data-2/c.wav", "/etc/passwd", "/dev/zero", "to-file.wav"),
    *("to-folder/c.wav", "up/secret.wav", "round/round/up/secret.wav"),
    *("../none.wav", "up/none.wav", "dangling-out.wav"),
)
"""Whether something lies there makes no difference."""


def lay_out(folder: Path) -> Path:
    """Make a data set, what lies beside it, and links of every kind; return the data set's folder."""
    for name in ("data/a.wav", "data/sub/b.wav", "data-2/c.wav", "secret.wav", "data/audio/d.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    data = folder / "data"
    (data / "to-file.wav").symlink_to(folder / "secret.wav")
    (data / "to-folder").symlink_to(folder / "data-2")
    (data / "up").symlink_to("..")
    (data / "inside.wav").symlink_to("sub/b.wav")
    (data / "round").symlink_to(".")
    (data / "loop.wav").symlink_to("loop.wav")
    (data / "dangling.wav").symlink_to("none.wav")
    (data / "dangling-out.wav").symlink_to("../none.wav")
    return data


def table_of(folder: Path, kind: str, name: str) -> Path:
    """Write a table of some kind in a folder; its last row names a sound."""
    if kind == "csv":
        text = f'path,label\na.wav,x\n"{name}",y\n'
    elif kind == "jsonl":
        text = "\n".join(json.dumps({"path": path, "label": label}) for path, label in (("a.wav", "x"), (name, "y")))
    elif kind == "raven":
        text = f"Begin Time (s)\tEnd Time (s)\tSpecies\tBegin File\n0\t1\tx\ta.wav\n0\t1\ty\t{name}\n"
    else:  # its names are those of files in audio/, with which a path cannot be absolute
        up = "../" * 40 if name.startswith("/") else "../"
        header = "filename,fold,target,category,esc10,src_file,take"
        text = f'{header}\nd.wav,1,0,x,True,1,A\n"{up}{name.lstrip("/")}",1,1,y,True,2,A\n'
    path = folder / {"csv": "t.csv", "jsonl": "t.jsonl", "raven": "t.selections.txt", "esc50": "meta/esc50.csv"}[kind]
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def ways_out(folder: Path) -> Iterator[Nasty]:
    """Give every table in a data set of its own, below an empty folder."""
    for kind in KINDS:
        for number, name in enumerate(OUTSIDE):
            data = lay_out(folder / f"{kind}-{number}")
            yield Nasty(f"{kind}: {name}", "tables", table_of(data, kind, name), refused=True, said="lies outside")

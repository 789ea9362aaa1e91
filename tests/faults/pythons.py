"""The Pythons of this machine, and environments without torch that are made of them."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST = (3, 11)
NEEDS = ("numpy", "jaxtyping", "soundfile", "soxr")
"""What keys, readers of labels and splits import."""
_ASK = "import sys; print('.'.join(map(str, sys.version_info[:3])), sys.executable, sep='\\n')"


def pythons_at_hand() -> dict[str, Path]:
    """Find each version of Python on the search path and under pyenv that cohear supports, once.

    Returns:
        Interpreters by version, as `3.12.1`.
    """
    found: dict[str, Path] = {}
    for program in _programs():
        try:
            asked = subprocess.run([program, "-I", "-c", _ASK], capture_output=True, text=True, timeout=30, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        version, itself = asked.stdout.splitlines()
        if tuple(map(int, version.split(".")[:2])) >= OLDEST:
            found.setdefault(version, Path(itself))
    return found


def pythons_with_torch() -> dict[str, Path]:
    """Find each version of torch that some Python on the search path can import, with cohear's other needs."""
    found: dict[str, Path] = {}
    ask = "import lightning_fabric, safetensors, soundfile, soxr, jaxtyping, torch; print(torch.__version__)"
    for program in _programs():
        try:
            asked = subprocess.run([program, "-c", ask], capture_output=True, text=True, timeout=120, check=True)
        except (OSError, subprocess.SubprocessError):
            continue
        found.setdefault(asked.stdout.strip(), program)
    return found


def make_environment(python: Path, folder: Path, *pins: str, limit_s: float) -> Path | None:
    """Make a virtual environment without torch; None where packages cannot be had in time.

    Args:
        python: the interpreter.
        folder: where the environment goes.
        pins: versions to have, as `numpy==1.26.*`.
        limit_s: for installing.
    """
    try:
        subprocess.run([python, "-m", "venv", folder], capture_output=True, timeout=limit_s, check=True)
        made = folder / "bin" / "python"
        install = [made, "-m", "pip", "install", "--quiet", "--only-binary=:all:", *NEEDS, *pins]
        subprocess.run(install, capture_output=True, timeout=limit_s, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return made


def _programs() -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    seen = {Path(sys.executable)}
    yield from seen
    for folder in [*folders, *(version / "bin" for version in sorted(pyenv.glob("*")))]:
        for program in sorted(folder.glob("python3*")):
            if re.fullmatch(r"python3(\.\d+)?", program.name) and program.absolute() not in seen:
                seen.add(program.absolute())
                yield program

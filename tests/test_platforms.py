"""Nothing in the package needs Linux to be imported."""

import subprocess
import sys

import pytest

_SCRIPT = """
import os, signal, sys
import filelock, jinja2, lightning_fabric, matplotlib, numpy, pydantic, rich, soundfile, torch, typer  # as they need
for name in ("resource", "fcntl", "pwd", "grp", "termios"):
    sys.modules[name] = None
for module, names in (
    (os, ("preadv", "pread", "sched_getaffinity", "getuid", "killpg", "set_blocking", "fork")),
    (signal, ("SIGHUP", "SIGKILL", "pthread_sigmask")),
):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
import importlib, pkgutil
import cohear
for module in pkgutil.walk_packages(cohear.__path__, "cohear."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


@pytest.mark.slow
def test_every_module_is_imported_where_posix_has_nothing_to_say():
    subprocess.run([sys.executable, "-c", _SCRIPT], check=True)

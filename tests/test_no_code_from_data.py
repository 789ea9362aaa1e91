"""Nothing in the package reads a file in a way that could run what stands in it."""

import ast
from pathlib import Path

import pytest

import cohear

FILES = sorted(Path(cohear.__file__).parent.rglob("*.py"))
MODULES = {
    *("pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "copyreg", "jsonpickle"),
    *("yaml", "pty", "code", "codeop", "runpy"),
}
"""That are not imported: they run what they read, or whatever they are given."""
CALLS = {
    *("eval", "exec", "compile", "__import__", "execfile"),
    *("os.system", "os.popen", "os.execv", "os.execve", "os.execvp", "os.execl", "os.spawnv", "os.posix_spawn"),
    *("torch.load", "torch.jit.load", "torch.hub.load", "torch.package.PackageImporter", "torch.ops.load_library"),
    *("np.load", "numpy.load", "np.fromregex", "pandas.read_pickle", "pd.read_pickle"),
}
"""That are not called."""


def _name(node: ast.expr) -> str:
    """Write a call's function as in the source, `a.b.c`; empty for what is no plain name."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := _name(node.value)):
        return f"{before}.{node.attr}"
    return ""


def found_in(source: str) -> list[str]:
    """List what can run code that was read, by line."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        if wrong := [name for name in names if name.split(".")[0] in MODULES or name in CALLS]:
            found.append(f"line {node.lineno}: import of {wrong[0]}")
        if not isinstance(node, ast.Call):
            continue
        if _name(node.func) in CALLS:
            found.append(f"line {node.lineno}: {_name(node.func)}()")
        for keyword in node.keywords:
            is_off = isinstance(keyword.value, ast.Constant) and not keyword.value.value
            if keyword.arg in ("allow_pickle", "shell") and not is_off:
                found.append(f"line {node.lineno}: {keyword.arg}")
            if keyword.arg == "weights_only" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value):
                found.append(f"line {node.lineno}: {keyword.arg}")
    return found


def test_no_module_runs_what_it_reads():
    assert len(FILES) > 100
    assert {str(file): found for file in FILES if (found := found_in(file.read_text("utf-8")))} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from torch import load", "np.load(path)", "read(file, allow_pickle=True)", "eval(text)",
        "subprocess.run(text, shell=True)", "read(path, weights_only=False)", "os.system('x')",
    ],
)  # fmt: skip
def test_such_a_module_would_be_found_and_no_other(source):
    assert len(found_in(source)) == 1
    assert found_in("network.eval(), re.compile('x'), subprocess.run([a], shell=False), load(b)") == []

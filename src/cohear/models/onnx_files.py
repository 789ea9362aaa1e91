"""ONNX files of encoders, opened by onnxruntime.

An ONNX file is data: onnxruntime has no operation that runs code of the file or reaches the network, and operations of
libraries that would have to be loaded it refuses. What is left is where weights lie: beside the file, and nowhere else.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from cohear.errors import UserError, in_one_line
from cohear.runtime.files import require_plain


@dataclass(frozen=True, eq=False)
class OpenModel:
    """An ONNX model that is ready to be asked."""

    name: str
    """What messages call it."""
    session: Any
    """Of onnxruntime."""
    digest: str
    """Of its bytes, and of its weights beside it; hexadecimal."""
    source: Path | bytes
    """Of which it was opened."""
    is_whole: bool = True
    """Whether all of it is in one file."""


def open_file(path: Path) -> OpenModel:
    """Open an ONNX file; weights may lie in files beside it.

    Raises:
        UserError: where onnxruntime is not installed, or the file cannot be used.
    """
    try:
        require_plain(path)
        beside = [path.parent / name for name in _weights_of(path, _stat(path))]
        parts = [path, *beside]
        return _open_file(path, tuple(beside), tuple(map(_stat, parts)))
    except OSError as error:
        raise UserError(
            f"the encoder '{error.filename or path}' cannot be read ({error.strerror}); an ONNX file must be there; "
            "that of a run where it was, or in the run's folder"
        ) from error


def open_bytes(data: bytes, name: str) -> OpenModel:
    """Open the bytes of an ONNX file, all of it.

    Raises:
        UserError: as `open_file`, and where weights are to lie elsewhere.
    """
    if _places(_parsed(data, name), name):
        raise UserError(f"the weights of '{name}' lie in a file of their own, and must be inside")
    return OpenModel(name, _session(data, name), _hash(data).hexdigest(), data)


def model_with_output(opened: OpenModel, output: str) -> Any:
    """Read a model as an `onnx.ModelProto` that gives a tensor of its inside, as BirdNET's embedding is.

    Raises:
        UserError: where there is no such tensor.
    """
    import onnx

    source = opened.source
    model = onnx.load(source) if isinstance(source, Path) else onnx.load_from_string(source)
    if output not in {its.name for its in model.graph.output}:
        if output not in {name for node in model.graph.node for name in node.output}:
            there = ", ".join(its.name for its in model.graph.output)
            raise UserError(f"the encoder '{opened.name}' gives no '{output}'; it gives {there}")
        model.graph.output.append(onnx.ValueInfoProto(name=output))
    return model


@lru_cache(maxsize=2)
def session_with_output(opened: OpenModel, output: str) -> Any:
    """Return a session that gives a tensor; raises as `model_with_output`."""
    if output in {its.name for its in opened.session.get_outputs()}:
        return opened.session
    return _session(model_with_output(opened, output).SerializeToString(), opened.name)


def _stat(path: Path) -> tuple[int, int]:
    stat = path.stat()
    return stat.st_size, stat.st_mtime_ns


@lru_cache(maxsize=2)
def _open_file(path: Path, beside: tuple[Path, ...], _stats: tuple[tuple[int, int], ...]) -> OpenModel:
    digests = list[str]()
    for part in (path, *beside):
        with part.open("rb") as file:
            digests.append(hashlib.file_digest(file, _hash).hexdigest())
    digest = digests[0] if not beside else _hash("".join(digests).encode()).hexdigest()
    return OpenModel(str(path), _session(str(path), str(path)), digest, path, is_whole=not beside)


@lru_cache(maxsize=2)
def _weights_of(path: Path, _stat: tuple[int, int]) -> list[str]:
    """Return the names of the files beside an ONNX file that hold weights of it."""
    return _places(_parsed(path, str(path)), str(path))


def _parsed(source: Path | bytes, name: str) -> Any:
    try:
        import onnx
    except ImportError as error:
        raise _not_installed(error) from error
    try:
        if isinstance(source, Path):
            return onnx.load(source, format="protobuf", load_external_data=False)
        return onnx.load_from_string(source)
    except OSError:
        raise
    except Exception as error:  # protobuf's errors have no common class
        raise _no_model(name, error) from error


def _places(model: Any, name: str) -> list[str]:
    """Return where weights lie that are not inside, and refuse all but files beside the model."""
    entries = [entry for its in _tensors(model) for entry in its.external_data if entry.key == "location"]
    places = sorted({entry.value for entry in entries})
    for place in places:
        if PurePosixPath(place).name != place or place in ("", ".", "..") or "\\" in place or place.startswith("*"):
            raise UserError(f"the encoder '{name}' wants weights from '{in_one_line(place)}', which is not beside it")
    return places


def _tensors(message: Any) -> Iterator[Any]:
    """Return all tensors of a model, wherever they are: in graphs, in functions, in what attributes are set to."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for its in [value] if hasattr(value, "DESCRIPTOR") else value:
            if its.DESCRIPTOR.name == "TensorProto":
                yield its
            else:
                yield from _tensors(its)


def _hash(data: bytes = b"") -> Any:
    return hashlib.blake2b(data, digest_size=16)


def _session(source: str | bytes, name: str) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise _not_installed(error) from error
    onnxruntime.set_default_logger_severity(4)  # what it would say, the error says too
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # threads of ours each ask for some windows
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors have no common class
        raise _no_model(name, error) from error


def _not_installed(error: ImportError) -> UserError:
    return UserError(f"encoders need packages that are not installed here ({error}): pip install 'cohear[onnx]'")


def _no_model(name: str, error: Exception) -> UserError:
    return UserError(f"'{name}' is no ONNX model that can be used: {in_one_line(str(error))[:200]}")

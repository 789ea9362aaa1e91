"""The nodes and constants of an ONNX graph, added one by one; and the packages of the extra `onnx`."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from cohear.errors import UserError

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

OPSET = 17
"""Of the operations."""
IR_VERSION = 8
"""Of the file's format; the one that came with this opset."""


@dataclass(frozen=True)
class Graph:
    """A graph that grows; a value is known by its name, which nodes have too."""

    nodes: "list[NodeProto]" = field(default_factory=list)
    constants: "list[TensorProto]" = field(default_factory=list)

    def constant(self, name: str, array: np.ndarray | np.generic) -> str:
        """Keep numbers in the file and return their name."""
        from onnx import numpy_helper

        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, operation: str, *inputs: str, name: str, **attributes: Any) -> str:
        """Add an operation of one output and return its name.

        Args:
            operation: of ONNX's own domain.
            inputs: names of values.
            name: of the node and its output, unique in the graph.
            attributes: as the operation defines them.
        """
        from onnx import helper

        self.nodes.append(helper.make_node(operation, inputs, [name], name=name, **attributes))
        return name


def require_onnx() -> None:
    """Import what export needs.

    Raises:
        UserError: where it is not installed.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"export needs packages that are not installed here ({error}): pip install 'cohear[onnx]'"
        ) from error

"""A dictionary of names that other packages can add to, by entry points of the dictionary's group."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cohear.errors import UserError, in_one_line, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")


class UnknownNameError(UserError, KeyError):
    """A name that is in no dictionary; the message has the nearest one that is."""

    def __str__(self) -> str:
        return in_one_line(self.args[0])


class Registry(Mapping[str, T], Generic[T]):
    """What goes by a name: our own, imported when it is asked for, and what installed packages offer.

    A package adds a name by `[project.entry-points."cohear.transforms"]` and `name = "module:attribute"` in its
    `pyproject.toml`. It cannot replace one of ours. Packages are looked through once, and only for other names than
    ours.

    Args:
        kind: what a member is, for sentences: `transform`.
        group: of the entry points.
        built_in: a member, or where it is imported from, as `module:attribute`, by its name.

    Raises:
        UserError: from `[name]`, where the name is unknown, or its package does not bring what it promises.

    Example:
        >>> colors = Registry("color", "an.example", {"red": 1, "pi": "math:pi"})
        >>> colors["red"], colors["pi"], "blue" in colors
        (1, 3.141592653589793, False)
    """

    def __init__(self, kind: str, group: str, built_in: Mapping[str, T | str]) -> None:
        self.kind, self.group, self._built_in = kind, group, dict(built_in)
        self._found: dict[str, EntryPoint] | None = None

    def __getitem__(self, name: str) -> T:
        if name in self._built_in:
            member = self._built_in[name]
            if isinstance(member, str):
                module, _, attribute = member.partition(":")
                member = self._built_in[name] = getattr(import_module(module), attribute)
            return member  # pyright: ignore[reportReturnType]
        if name not in self._others:
            raise UnknownNameError(
                f"there is no {self.kind} '{name}'{nearest(name, self)}; the {self.kind}s are {', '.join(self)}"
            )
        return self._load(self._others[name])

    def __contains__(self, name: object) -> bool:
        return name in self._built_in or name in self._others

    def __iter__(self) -> Iterator[str]:
        return iter({**self._built_in, **self._others})

    def __len__(self) -> int:
        return len({**self._built_in, **self._others})

    @property
    def _others(self) -> "dict[str, EntryPoint]":
        if self._found is None:
            from importlib.metadata import entry_points  # slow to import, and most commands need none

            self._found = {point.name: point for point in entry_points(group=self.group)}
        return self._found

    def _load(self, point: "EntryPoint") -> Any:
        try:
            return point.load()
        except Exception as error:  # whatever a stranger's module does when it is imported
            package = point.dist.name if point.dist else point.value
            raise UserError(
                f"the {self.kind} '{point.name}' of the package '{package}' cannot be used "
                f"({type(error).__name__}: {error}); update or remove that package"
            ) from error

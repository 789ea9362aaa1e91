"""How sentences count and list: `1 clip`, `2 classes`, `'frog', 'toad' and 3 more`."""

from collections.abc import Sequence


def counted(n: int, one: str, many: str = "") -> str:
    """Say how many there are.

    Example:
        >>> counted(2, "clip"), counted(1, "clip"), counted(2, "class", "classes")
        ('2 clips', '1 clip', '2 classes')
    """
    return f"{n} {one if n == 1 else many or one + 's'}"


def verb(n: int, one: str, many: str) -> str:
    """Choose the form of a verb for so many."""
    return one if n == 1 else many


def some(names: Sequence[str], n_named: int = 5) -> str:
    """Write out the first names of a list and count the rest.

    Example:
        >>> some(["frog", "toad"]), some(["frog", "toad", "newt"], n_named=2)
        ('frog, toad', 'frog, toad and 1 more')
    """
    more = f" and {len(names) - n_named} more" if len(names) > n_named else ""
    return ", ".join(names[:n_named]) + more


def quoted(labels: Sequence[str], n_named: int = 5) -> str:
    """Write out the first labels of a list, in quotes, and count the rest.

    Example:
        >>> quoted(["frog", "toad", "newt"], n_named=2)
        "'frog', 'toad' and 1 more"
    """
    return some([f"'{label}'" for label in labels], n_named)

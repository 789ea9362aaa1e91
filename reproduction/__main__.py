"""`python -m reproduction RESULTS... --out docs/table1.md`: judge finished runs, from the root of the project."""

import argparse
from pathlib import Path

from cohear.runs.finding import find_finished
from cohear.runtime.files import write_bytes, write_text
from reproduction.grid import choose
from reproduction.page import page, pictures


def main() -> None:
    """Write the page and, beside it, the pictures of Figure 1."""
    parser = argparse.ArgumentParser(prog="python -m reproduction", description=__doc__)
    parser.add_argument("results", nargs="+", type=Path, help="run folders, or folders that hold them")
    parser.add_argument("--out", type=Path, default=Path("table1.md"), help="the page, Markdown")
    options = parser.parse_args()
    grid, figure = choose(find_finished(options.results)[0]), f"{options.out.stem}-figure1"
    for name, drawn in pictures(grid, figure).items():
        write_bytes(options.out.with_name(name), drawn)
    write_text(options.out, page(grid, "# Table 1 of the paper", figure))
    print(f"page: {options.out}")


if __name__ == "__main__":
    main()

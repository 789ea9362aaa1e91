"""Tables that lie: names that lead elsewhere, numbers that are none, rows too long, texts of every kind."""

import csv
import io
import json
from typing import Any

from hypothesis import strategies as st

from faults.fuzz.inputs import Input, corpus
from faults.fuzz.mutations import mutated


def _mostly(usual: tuple[str, ...], others: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Draw what is usual three times in four, or hardly a table would be read to its end."""
    return st.integers(0, 3).flatmap(lambda number: st.sampled_from(usual) if number else others)


_PATHS = _mostly(
    ("a.wav", "b.wav", "sub/c.wav", "./a.wav", "sub/../b.wav", "none.wav", "round/a.wav", "é.wav", "e\u0301.wav"),
    st.sampled_from(
        (
            *(
                "../outside.wav",
                "../outside/d.wav",
                "/etc/passwd",
                "/dev/zero",
                "sub/../../outside.wav",
                "..",
                ".",
                "/",
            ),
            *(
                "link.wav",
                "away/d.wav",
                "round/round/../../outside.wav",
                "loop.wav",
                "loop.wav/a.wav",
                "~/a.wav",
                "sub",
            ),
            *("C:\\a.wav", "..\\outside.wav", "file:///etc/passwd", "a\nb.wav", "a\x00.wav", "a\r.wav", " a.wav"),
            *("\u202egnp.wav", "😀.wav", "\ud800.wav", "n" * 300 + ".wav", "d/" * 3000 + "a.wav"),
        )
    ),
)
_LABELS = _mostly(
    ("frog", "toad", "newt", "frog;toad", ";"),
    st.one_of(st.sampled_from(("", " ", "a\nb", "\x00", "\x1b[2J", "\u2028", "x" * 5000)), st.text(max_size=12)),
)
_MORE = ("fold", "group", "start", "end", "x\ny")
_TIMES = _mostly(
    ("", "0", "0.5", "1", "1,5", "2", "3e0"),
    st.sampled_from(("-1", "nan", "inf", "1e400", "1e308", "1e-300", "9" * 400, "0x10", "1_0", "\u0661", "½")),
)
_FOLDS = _mostly(
    ("", "1", "2", "2.0", "0"),
    st.sampled_from(("-1", "1e300", "1.5", "nan", "9" * 30, "9223372036854775808", "1e18")),
)


def table_inputs() -> st.SearchStrategy[Input]:
    """Draw tables of every layout."""
    seeds = corpus("tables")
    return st.one_of(
        mutated(seeds, in_front=12),
        mutated(seeds, most=2),
        _separated(),
        _separated(),
        _lines(),
        _esc50(),
        _raven(),
        _audacity(),
    )


@st.composite
def _separated(draw: st.DrawFn) -> Input:
    columns = ["path", "label", *draw(st.lists(st.sampled_from(_MORE), max_size=4))]
    values = {"path": _PATHS, "label": _LABELS, "fold": _FOLDS, "start": _TIMES, "end": _TIMES}
    rows = [[draw(values.get(name, _LABELS)) for name in columns] for _ in range(draw(st.integers(0, 4)))]
    if rows and not draw(st.integers(0, 9)):
        rows[0] = rows[0] * draw(st.sampled_from((2, 1000)))
    text = io.StringIO()
    writer = csv.writer(
        text, delimiter=draw(st.sampled_from(",;\t")), lineterminator=draw(st.sampled_from(("\n", "\r\n", "\r")))
    )
    try:
        writer.writerows([columns, ["a.wav", "frog", *[""] * (len(columns) - 2)], *rows])
    except csv.Error:
        writer.writerow(columns)
    encoding = draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")))
    return Input(
        draw(st.sampled_from(("x.csv", "x.tsv"))),
        text.getvalue().encode(encoding, "surrogatepass" if encoding.startswith("utf") else "replace"),
    )


@st.composite
def _lines(draw: st.DrawFn) -> Input:
    anything: st.SearchStrategy[Any] = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), _PATHS, _LABELS),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)),
        max_leaves=6,
    )
    known = {"path": _PATHS, "label": st.one_of(_LABELS, st.lists(st.one_of(_LABELS, st.integers()), max_size=3))}
    known |= {name: st.one_of(st.integers(), st.floats(), _TIMES) for name in ("fold", "start", "end")}
    lines = ['{"path": "a.wav", "label": "frog"}']
    for _ in range(draw(st.integers(0, 4))):
        row = {name: draw(value) for name, value in known.items() if draw(st.integers(0, 3))}
        if draw(st.booleans()):
            row[draw(st.sampled_from((*known, "group", "", "PATH", " label ")))] = draw(anything)
        text = json.dumps(row, ensure_ascii=draw(st.booleans()))
        if not draw(st.integers(0, 9)):
            text = draw(
                st.sampled_from(
                    ("[" * 100000, '{"path":' * 20000, "[]", "1", '{"path": 1e999}', '{"fold": ' + "9" * 5000 + "}")
                )
            )
        lines.append(text)
    return Input("x.jsonl", "\n".join(lines).encode("utf-8", "surrogatepass"))


@st.composite
def _esc50(draw: st.DrawFn) -> Input:
    rows = ["filename,fold,target,category,esc10,src_file,take", "1-100-A-0.wav,1,0,dog,True,100,A"]
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.one_of(st.just("2-101-A-1.wav"), _PATHS))
        esc10 = draw(st.sampled_from(("True", "false", "", "yes")))
        rows.append(f"{name},{draw(_FOLDS)},1,{draw(_LABELS)},{esc10},{draw(_LABELS)},A")
    return Input("meta/esc50.csv", "\n".join(rows).encode("utf-8", "surrogatepass"))


@st.composite
def _raven(draw: st.DrawFn) -> Input:
    columns = [
        "Selection",
        "Begin Time (s)",
        "End Time (s)",
        draw(st.sampled_from(("Species", "Label", "Code", "Nothing"))),
    ]
    columns += draw(st.lists(st.sampled_from(("Begin File", "Begin Path", "File Offset (s)")), max_size=3))
    values = {"Begin File": _PATHS, "Begin Path": _PATHS, columns[3]: _LABELS, "Selection": st.just("1")}
    rows = [[draw(values.get(name, _TIMES)) for name in columns] for _ in range(draw(st.integers(0, 4)))]
    text = "\n".join("\t".join(row) for row in [columns, *rows])
    name = draw(st.sampled_from(("a.Table.1.selections.txt", "none.Table.1.selections.txt", "b.txt", "x.csv")))
    return Input(name, text.encode("utf-8", "surrogatepass"))


@st.composite
def _audacity(draw: st.DrawFn) -> Input:
    lines = [
        "0.5\t1.25\tfrog",
        *(f"{draw(_TIMES)}\t{draw(_TIMES)}\t{draw(_LABELS)}" for _ in range(draw(st.integers(0, 4)))),
    ]
    return Input(
        draw(st.sampled_from(("a.txt", "a.txt", "none.txt"))), "\n".join(lines).encode("utf-8", "surrogatepass")
    )

"""Packed models that lie: directories, sizes, names, headers of tensors, descriptions."""

import io
import json
import struct
import zipfile

from hypothesis import strategies as st

from faults.fuzz.configuration_inputs import spoiled_json
from faults.fuzz.inputs import Input, corpus
from faults.fuzz.mutations import drawn_number, mutated

_MODEL, _WEIGHTS, _CARD = "model.json", "weights.safetensors", "README.md"


def packed_inputs() -> st.SearchStrategy[Input]:
    """Draw packed models: broken zip files, and whole ones around broken entries."""
    seeds = corpus("packed")
    return st.one_of(
        mutated(seeds, most=2),
        _other_entries(seeds),
        _other_entries(seeds),
        _other_entries(seeds),
        _lying_directory(seeds),
    )


def unzipped(data: bytes) -> dict[str, bytes]:
    """Return the entries of a whole zip file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def zipped(entries: list[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip file with these entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


@st.composite
def _other_entries(draw: st.DrawFn, seeds: list[Input]) -> Input:
    """Change what an entry holds, and zip it rightly."""
    seed = draw(st.sampled_from(seeds))
    entries = unzipped(seed.data)
    what = draw(st.integers(0, 5))
    if what < 2:
        entries[_MODEL] = spoiled_json(draw, json.loads(entries[_MODEL])).encode("utf-8", "surrogatepass")
    elif what < 4:
        entries[_WEIGHTS] = spoiled_tensors(draw, entries[_WEIGHTS])
    else:
        name = draw(st.sampled_from(sorted(entries)))
        entries[name] = draw(mutated([Input(name, entries[name])], most=2)).data
    chosen = list(draw(st.permutations(list(entries.items()))))
    if not draw(st.integers(0, 5)):
        name = draw(
            st.sampled_from(("../x.md", "/x.md", "x\n.md", "a\\b.md", "é.md", "x/", "README.MD", "x.md", "con", _CARD))
        )
        if name not in entries:
            chosen.append((name, draw(st.binary(max_size=20))))
    if not draw(st.integers(0, 5)):
        chosen.pop()
    compression = draw(st.sampled_from((zipfile.ZIP_STORED,) * 9 + (zipfile.ZIP_DEFLATED,)))
    return Input(seed.name, zipped(chosen, compression))


def spoiled_tensors(draw: st.DrawFn, data: bytes) -> bytes:
    """Change the header of a safetensors file, and write its length rightly, mostly."""
    n_header = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + n_header]), data[8 + n_header :]
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from([name for name in header if name != "__metadata__"] or ["none"]))
        entry = header.get(name, {})
        what = draw(st.integers(0, 7))
        if what == 0:
            entry["dtype"] = draw(
                st.sampled_from(("F32", "F64", "BF16", "I8", "BOOL", "F8_E4M3", "F4", "C64", "", "x", "U64"))
            )
        elif what == 1:
            entry["shape"] = draw(st.lists(st.sampled_from((0, 1, 2, 3, 2**31, 2**32, 2**63, -1)), max_size=5))
        elif what == 2:
            entry["data_offsets"] = draw(
                st.lists(st.sampled_from((0, 1, 4, len(body), 2**31, 2**63, 2**64, -1)), min_size=1, max_size=3)
            )
        elif what == 3:
            entry["extra"] = draw(st.sampled_from((None, 1, "x", [], {})))
        elif what == 4:
            header[draw(st.sampled_from(("", "../x", "\n", "\x00", "é", "x" * 4000)))] = dict(entry)
        elif what == 5:
            header.pop(name, None)
        elif what == 6:
            header["__metadata__"] = draw(st.sampled_from((None, {}, {"a": 1}, {"a": "b"}, [], "x", {"sealed": "{}"})))
        else:
            place = draw(st.integers(0, max(0, len(body) - 8)))
            number = drawn_number(draw)
            body = body[:place] + number + body[place + len(number) :]
    text = json.dumps(header).encode()
    length = (
        len(text) if draw(st.integers(0, 9)) else draw(st.sampled_from((0, 1, len(text) + 1, 2**31, 2**63, 2**64 - 1)))
    )
    return struct.pack("<Q", length) + text + body


@st.composite
def _lying_directory(draw: st.DrawFn, seeds: list[Input]) -> Input:
    """Change fields of the local headers, the central directory and its end."""
    seed = draw(st.sampled_from(seeds))
    data = bytearray(seed.data)
    for _ in range(draw(st.integers(1, 2))):
        mark, fields = draw(st.sampled_from(_RECORDS))
        places = [place for place in range(len(data)) if data.startswith(mark, place)]
        offset, n_bytes = draw(st.sampled_from(fields))
        start = draw(st.sampled_from(places)) + offset
        value = draw(
            st.sampled_from((0, 1, 8, 12, 14, 99, 255, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFE, 0xFFFFFFFF, len(data)))
        )
        data[start : start + n_bytes] = (value % 256**n_bytes).to_bytes(n_bytes, "little")
    return Input(seed.name, bytes(data))


_RECORDS = (
    (
        b"PK\x01\x02",
        (
            (4, 2),
            (6, 2),
            (8, 2),
            (10, 2),
            (16, 4),
            (20, 4),
            (24, 4),
            (28, 2),
            (30, 2),
            (32, 2),
            (34, 2),
            (38, 4),
            (42, 4),
        ),
    ),
    (b"PK\x03\x04", ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
    (b"PK\x05\x06", ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))),
)
"""Of a zip file (APPNOTE 4.3): where numbers stand behind a record's mark, and how many bytes they have."""

import pytest

from cohear.data.check.recording_names import shared_stems


def stems_of(**names: str) -> list[str | None]:
    """Give the stems of names by label, all separated by blanks."""
    pairs = [(name, (label,)) for label, text in names.items() for name in text.split()]
    return shared_stems([name for name, _ in pairs], [labels for _, labels in pairs])


@pytest.mark.parametrize(("names", "stems"), [
    ("site3_001.wav site3_002.wav site4_001.wav site4_002.wav", ["site3", "site3", "site4", "site4"]),
    ("S1_20190101_053000.wav S1_20190102_053000.wav S2_20190101_053000.wav x.wav", ["S1", "S1", None, None]),
    ("20190101_053000_1.wav 20190101_053000_2.wav 20190102_053000.wav",
     ["20190101_053000", "20190101_053000", None]),
    ("pond-0.0-5.0.wav pond-5.0-10.0.wav lake-0.0-5.0.wav", ["pond", "pond", None]),
    ("pond_5s_10s.wav pond_0s_5s.wav lake.wav", ["pond", "pond", None]),
    ("pond_part1.wav pond-part2.wav lake_part1.wav", ["pond", "pond", None]),
    ("pond.wav pond_1.wav pond(2).wav lake.wav sea.wav fen.wav", ["pond", "pond", "pond", None, None, None]),
    ("day1/rec_1.wav day1/rec_2.wav day2/rec_1.wav day2/rec_2.wav",
     ["day1/rec", "day1/rec", "day2/rec", "day2/rec"]),
    ("0a7c2a8d_nohash_0.wav 0a7c2a8d_nohash_1.wav 0b40aa8e_nohash_0.wav",
     ["0a7c2a8d_nohash", "0a7c2a8d_nohash", None]),
    ("100032-3-0-0.wav 100032-3-0-1.wav 100263-2-0-117.wav", ["100032-3-0", "100032-3-0", None]),
])  # fmt: skip
def test_parts_of_a_recording_are_known_by_their_stem(names, stems):
    assert stems_of(frog=names, toad="a.wav b.wav c.wav d.wav e.wav f.wav")[: len(stems)] == stems


NUMBERED = {
    "the label": {"dog": "dog_1.wav dog_2.wav x.wav y.wav", "cat": "a.wav b.wav c.wav"},
    "the label in the plural": {"dogs": "dog_1.wav dog_2.wav x.wav y.wav", "cats": "a.wav b.wav c.wav"},
    "another label": {"dog": "cat_1.wav cat_2.wav x.wav y.wav", "cat": "a.wav b.wav c.wav"},
    "all of a class": {"dog": "rec_1.wav rec_2.wav rec_3.wav", "cat": "a.wav b.wav c.wav d.wav"},
    "most of everything": {"dog": "rec_1.wav rec_2.wav rec_3.wav x.wav", "cat": "rec_4.wav rec_5.wav y.wav"},
    "nothing but numbers": {"dog": "001.wav 002.wav 1_003.wav 1_004.wav", "cat": "a.wav b.wav c.wav d.wav"},
    "one recording after another": {
        "dog": "20190101_053000.wav 20190101_054000.wav x.wav",
        "cat": "a.wav b.wav c.wav",
    },
    "ids": {"dog": "XC12345.wav XC12346.wav x.wav", "cat": "a.wav b.wav c.wav"},
    "ESC-50": {
        "dog": "1-100032-A-0.wav 1-110389-A-0.wav 1-30226-A-0.wav 2-114280-A-0.wav 2-114280-B-0.wav",
        "rain": "1-17367-A-10.wav 1-21189-A-10.wav",
    },
    "RAVDESS": {
        "happy": "03-01-03-01-01-01-01.wav 03-01-03-01-01-01-02.wav 03-01-03-01-02-01-01.wav",
        "sad": "03-01-04-01-01-01-01.wav 03-01-04-01-01-01-02.wav",
    },
    "GTZAN": {"blues": "blues.00000.wav blues.00001.wav", "rock": "rock.00000.wav rock.00001.wav"},
}


@pytest.mark.parametrize("names", NUMBERED.values(), ids=NUMBERED)
def test_names_that_only_number_accuse_nothing(names):
    assert set(stems_of(**names)) == {None}

import pytest

from cohear.runtime.json_text import parse_json


def test_whole_characters_are_taken_however_they_are_written():
    assert parse_json('["Kr\\u00f6te", "\\ud83d\\udc38", 1.5, null]') == ["Kröte", "\U0001f438", 1.5, None]
    assert parse_json('"Kröte"'.encode()) == "Kröte"


@pytest.mark.parametrize(
    "text",
    ['"\\ud800"', '{"\\udfff": 1}', '[["\\ud83d "]]', b'"\xff"', "", "{", "[" * 100_000],
    ids=["half", "half as a name", "half within", "no text", "nothing", "torn", "deep"],
)
def test_anything_else_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)

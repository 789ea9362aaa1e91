import json
import re

import pytest

from cohear.data.check.check import Check, Finding, Item, examine
from cohear.data.check.survey import Survey, UnusableClip
from cohear.data.clips import Clip
from cohear.reports.check_report import check_json, to_screen, write_check_page
from surveyed import FORM, dataset_of, heard

NASTY = "<script>alert('x')</script> & \x1b[31m\nred"


def made_up(n_bad: int = 1, label: str = "dog") -> Check:
    """Return a check with errors, warnings and notes, and names that should be escaped."""
    clips = [
        heard(f"a{i}.wav", f"{label} {i % 3}", 1 + i % 5, rate=8000 + i % 2, clipped_share=0.01) for i in range(30)
    ]
    clips += [heard(f"{NASTY}.wav", NASTY, 1, is_silent=True), heard("long.wav", NASTY, 2, duration_s=9)]
    bad = tuple(
        UnusableClip(Clip(f"bad/{i}.wav", ("dog 0",), 1), f"bad/{i}.wav is empty (0 bytes): copy it again.", False)
        for i in range(n_bad)
    )
    return examine(dataset_of([*clips, *bad]), Survey(tuple(clips), bad), FORM)


@pytest.mark.parametrize("width", [40, 80])
def test_a_screen_keeps_its_width_and_obeys_no_name(width):
    text = to_screen(made_up(label="a label of many words"), width)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    assert text.startswith("made up: training cannot start; ")


def test_an_error_names_the_first_clips_with_the_reason_but_not_its_remedy():
    text = to_screen(made_up(n_bad=200), 80)
    assert text.count("ERROR") == sum(finding.severity == "error" for finding in made_up(n_bad=200).findings) == 1
    flat = " ".join(text.split())
    assert "(bad/0.wav: is empty (0 bytes), bad/1.wav: is empty (0 bytes), " in flat
    assert "and 195 more" in flat
    assert "copy it again" not in flat


def test_the_page_is_one_safe_file_with_all_that_was_found(tmp_path):
    done = made_up(n_bad=7)
    text = write_check_page(tmp_path / "check.html", NASTY, done.findings, done).read_text()
    assert "<script" not in text
    assert not re.search(r"\b(src|href)=", text)
    assert "\x1b" not in text
    assert all(f"bad/{i}.wav" in text for i in range(7))
    assert text.count("<strong>Warning.</strong>") == sum(f.severity == "warning" for f in done.findings) > 0


def test_the_page_of_data_that_cannot_be_listed_has_the_reason(tmp_path):
    findings = (Finding("refused", "error", "there is nothing"),)
    text = write_check_page(tmp_path / "check.html", "empty", findings, None).read_text()
    assert "Not ready" in text
    assert "there is nothing" in text


def test_json_has_every_clip_and_finding_as_plain_values():
    done = made_up(n_bad=2)
    values = json.loads(json.dumps(check_json("made up", done.findings, done), allow_nan=False))
    assert values["can_train"] is False
    assert [finding["kind"] for finding in values["findings"]] == [finding.kind for finding in done.findings]
    assert len(values["clips"]) == 34
    by_path = {clip["path"]: clip for clip in values["clips"]}
    assert by_path["bad/1.wav"]["reason"].startswith("bad/1.wav is empty")
    assert (by_path["long.wav"]["duration_s"], by_path["long.wav"]["labels"], by_path["long.wav"]["fold"]) == (
        9, [NASTY], 2,
    )  # fmt: skip
    assert values["overview"]["n_windows"] == 31 + 5
    assert Item(**values["findings"][0]["items"][0]) == done.findings[0].items[0]

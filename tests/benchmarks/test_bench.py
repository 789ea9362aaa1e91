import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cohear.benchmarks import bench, jobs
from cohear.benchmarks.child import ChildError
from cohear.benchmarks.contender import Contender, Task
from cohear.benchmarks.inputs import make_inputs
from cohear.benchmarks.page import HOW_TO_GET_PEERS, markdown_table, render
from cohear.benchmarks.results import FULL, QUICK, Effort, Goal, Results
from cohear.benchmarks.timing import Lap
from cohear.cli import run
from cohear.dsp.rooms import room_targets
from cohear.transforms import SpecAugment

SURVEY = {
    "error_cents": 0.0123,
    "residual_db": -80.04,
    "level_db": -0.5,
    "noise_level_db": 0.1,
    "low_pair_db": -60.0,
    "harmonics_db": -70.0,
    "click_share": 0.9876,
    "click_level_db": -0.25,
    "alias_db": float("nan"),
}


def stub(function: str, *arguments: Any, **_: Any) -> Any:
    """Answer as `jobs` does: ours takes 1 s, signalsmith and a copy 4 s, everything else 2 s."""
    name = function.split(":")[1]
    if name == "time_in_turns":
        _task, names, _n_clips, n_rounds, *_ = arguments
        seconds = {
            one: 1.0 if one.startswith("cohear") else 4.0 if "signalsmith" in one or "copying" in one else 2.0
            for one in names
        }
        return {one: [(s, s)] * n_rounds for one, s in seconds.items()}, {}
    answers = {
        "peak_memory": 12.34,
        "survey_pitch": SURVEY,
        "time_transforms": {"Gain": [0.5, 0.25], "Odd": "it needs arguments"},
        "make_rooms": (6.0, 0.004),
    }
    return answers[name]


def measure(effort: Effort = FULL, call: Any = stub) -> Results:
    return bench.run(effort, lambda _: None, call)


@pytest.fixture
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Contender, "missing", lambda self: [])
    monkeypatch.setattr(bench, "version_of", lambda name: "1.2.3")


@pytest.fixture
def none_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Contender, "missing", lambda self: list(self.packages))
    monkeypatch.setattr(bench, "version_of", lambda name: None)


def line(page: str, start: str) -> list[str]:
    """Return the cells of the first row of a table that begins so."""
    (found, *_) = [row for row in page.splitlines() if row.startswith(f"| {start}")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_every_contender_has_its_row_and_every_goal_its_verdict(all_installed):
    page = render(measure())
    for task in bench.TASKS:
        for contender in jobs.contenders(task):
            assert f"| {contender.name} " in page
    assert line(page, "pitch shift, mixed shifts, batch of 32")[1:] == [
        "audiomentations (signalsmith)",
        *("0.25", "0.25", "0.5", "reached"),
    ]
    assert line(page, "log-mel, batch of 32")[2:] == ["0.50", "0.50", "1.05", "reached"]
    assert line(page, "500 room responses")[2:] == ["-", "6.00", "5", "missed"]
    assert line(page, "cohear pitch_shift")[1:] == ["1000", "31.2", "31.2", "10", "12.3", "12.3"]
    assert "| 0.012 |" in page
    assert line(page, "Gain")[1:] == ["0.5", "0.25"]
    assert "- Odd: it needs arguments" in page
    assert "Not installed" not in page


def test_without_peers_ours_is_measured_and_the_page_says_how_to_get_them(none_installed):
    page = render(measure())
    assert HOW_TO_GET_PEERS in page
    assert "- librosa: not installed (librosa)" in page
    assert line(page, "cohear pitch_shift")[1] == "1000"
    assert line(page, "librosa")[1:] == ["-"] * 6
    assert line(page, "pitch shift, mixed")[-1] == "not measured"
    assert line(page, "log-mel, batch")[-1] == "reached"


def test_a_peer_that_fails_is_shown_with_what_it_said(all_installed):
    def call(function: str, *arguments: Any, **options: Any) -> Any:
        if "peak_memory" in function and arguments[1:] == ("torch-audiomentations", 1):
            raise ChildError("OSError: libc10_cuda.so")
        if "survey_pitch" in function and arguments[0] == "pedalboard":
            raise ChildError("its process was ended by SIGSEGV")
        if "make_rooms" in function or "time_transforms" in function:
            raise ChildError("out of memory")
        if "time_in_turns" in function and arguments[0] == "reverb":
            laps, failures = stub(function, *arguments)
            del laps["scipy oaconvolve"]
            return laps, {**failures, "scipy oaconvolve": "ValueError: odd"}
        if "time_in_turns" in function and arguments[0] == "log_mel":
            raise ChildError("it was stopped")
        return stub(function, *arguments, **options)

    page = render(measure(call=call))
    assert "- torch-audiomentations: OSError: libc10_cuda.so" in page
    assert "- pedalboard: quality: its process was ended by SIGSEGV" in page
    assert "- scipy oaconvolve: time of 32 clips: ValueError: odd" in page
    assert "- cohear LogMel: time of 1 clip: it was stopped" in page
    assert "Not measured: out of memory." in page
    assert line(page, "log-mel, batch of 32")[-1] == "not measured"
    assert line(page, "500 room responses")[-1] == "not measured"


def test_a_goal_is_reached_by_both_clocks():
    assert Goal("", 1.0, "", Lap(wall_s=1.0, cpu_s=0.9)).reached
    assert not Goal("", 1.0, "", Lap(wall_s=1.1, cpu_s=0.9)).reached
    assert Goal("", 1.0, "", None).reached is None


def test_a_quick_run_judges_nothing(all_installed):
    page = render(measure(QUICK))
    assert "--quick" in page
    assert "reached |" not in page
    assert "not judged" in page


def test_a_table_is_as_wide_as_its_widest_cells():
    assert markdown_table(["", "ms"], [["a|b", "1000"], ["c", "2"]]).splitlines() == [
        "|      |   ms |",
        "|------|-----:|",
        "| a\\|b | 1000 |",
        "| c    |    2 |",
    ]


def test_the_jobs_measure_ours(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cohear.benchmarks.inputs.CLIP_S", 0.5)
    laps, failures = jobs.time_in_turns("spec_augment", ["copying the batch", "absent"], 2, 3, 10.0, [])
    assert len(laps["copying the batch"]) == 3
    assert failures == {"absent": "StopIteration"}
    assert jobs.peak_memory("log_mel", "cohear LogMel", 1) >= 0
    monkeypatch.setattr("cohear.transforms.__all__", ["AddRecordedNoise", "Chain", "SpecAugment", "pitch_shift"])
    timed = jobs.time_transforms(2, 1)
    assert set(timed) == {"AddRecordedNoise", "SpecAugment"}
    assert all(min(figures) > 0 for figures in timed.values())
    duration_s, worst_error = jobs.make_rooms(2)
    assert duration_s > 0
    assert worst_error < 0.05


def test_a_transform_that_cannot_be_made_tells_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cohear.benchmarks.inputs.CLIP_S", 0.5)
    monkeypatch.setattr("cohear.transforms.__all__", ["AddRecordedNoise", "Gain", "SpecAugment"])
    monkeypatch.setattr("cohear.transforms.Gain.__post_init__", lambda self: len(1))  # pyright: ignore
    needy = dataclasses.make_dataclass("Needy", [("what", int)], bases=(SpecAugment,), kw_only=True, frozen=True)
    monkeypatch.setattr("cohear.transforms.SpecAugment", needy)
    timed = jobs.time_transforms(1, 1)
    assert isinstance(timed["AddRecordedNoise"], list)
    assert timed["Gain"] == "TypeError: object of type 'int' has no len()"
    assert timed["SpecAugment"] == "it needs arguments"


def test_the_worst_of_all_rooms_counts(monkeypatch: pytest.MonkeyPatch):
    def last_one_wrong(responses: np.ndarray, sample_rate: int) -> np.ndarray:
        return room_targets(120)[: len(responses)] * np.where(np.arange(len(responses)) == 119, 1.5, 1.0)

    monkeypatch.setattr("cohear.dsp.rooms.room_responses", lambda n, **_: torch.ones(n, 1))
    monkeypatch.setattr("cohear.dsp.decay_times.decay_times_s", last_one_wrong)
    assert jobs.make_rooms(120)[1] == pytest.approx(0.5)


WITHOUT_PEERS = [(task, one) for task in bench.TASKS for one in jobs.contenders(task) if not one.packages]


@pytest.mark.parametrize(
    ("task", "contender"),
    [
        pytest.param(task, one, id=one.name, marks=[pytest.mark.slow] if "bank" in one.name else [])
        for task, one in WITHOUT_PEERS
    ],
)
def test_ours_and_what_is_by_hand_do_their_task(task: Task, contender: Contender, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("cohear.benchmarks.inputs.CLIP_S", 0.5)
    inputs = make_inputs(task, 2)
    outputs = np.stack(list(contender.load()(*inputs)()))
    if task == "log_mel":
        (ours,) = [one for its_task, one in WITHOUT_PEERS if its_task == task and one.name.startswith("cohear")]
        np.testing.assert_allclose(outputs, ours.load()(*inputs)(), atol=1e-2)
    else:
        assert outputs.shape == inputs[0].shape
    assert np.isfinite(outputs).all()


def test_a_peer_does_the_same_as_ours(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("scipy")
    monkeypatch.setattr("cohear.benchmarks.inputs.CLIP_S", 0.5)
    clips, responses = make_inputs("reverb", 2)
    by_name = {one.name: one.load() for one in jobs.contenders("reverb") if one.name.startswith("scipy")}
    expected = [np.convolve(c, r)[: len(c)] for c, r in zip(clips[:, :2000], responses[:, :2000], strict=True)]
    for prepare in by_name.values():
        np.testing.assert_allclose(np.stack(list(prepare(clips[:, :2000], responses[:, :2000])())), expected, atol=1e-4)


def test_the_command_prints_the_page_and_writes_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, none_installed
):
    results = measure(QUICK)
    asked = []
    monkeypatch.setattr(bench, "run", lambda effort, say: asked.append(effort) or results)
    assert run(["bench", "--quick", "--out", str(tmp_path / "RESULTS.md")]) == 0
    said = capsys.readouterr()
    assert said.out == render(results) == (tmp_path / "RESULTS.md").read_text()
    assert HOW_TO_GET_PEERS in said.err
    assert run(["bench"]) == 0
    assert asked == [QUICK, FULL]


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    for place in (tmp_path, tmp_path / "absent" / "RESULTS.md"):
        assert run(["bench", "--out", str(place)]) == 2
        assert capsys.readouterr().err.startswith(f"cohear: --out {place} cannot be written")


def test_the_help_fits_a_narrow_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "60")
    assert run(["bench", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "  cohear bench" in shown
    assert max(map(len, shown.splitlines())) <= 60

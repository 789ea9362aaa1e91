"""Judged runs made by hand, for tests of what is shown of them."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from cohear.data.decoding import DecodingReport, StoreSettings
from cohear.data.store import Store, StoredClip
from cohear.data.store_files import RowFile, RowFiles
from cohear.evaluation.calibration import UNFITTED, Calibration
from cohear.evaluation.consistency import PERTURBATIONS, Agreement
from cohear.evaluation.corruptions import CORRUPTIONS, SEVERITIES
from cohear.judging.judged_clips import JudgedClips
from cohear.judging.judged_runs import JudgedRun
from cohear.runs.config import change
from cohear.runs.presets import small
from cohear.runs.run import Record, Run

CLASSES = ("dog", "rain", "siren", "bird")


def judged_run(
    logits: np.ndarray,
    truth: np.ndarray,
    *,
    right_when_corrupted: np.ndarray | None = None,
    classes: tuple[str, ...] = CLASSES,
    folder: Path = Path("runs/made-up"),
    fold: int | Literal["all"] = 1,
    seed: int = 0,
    multi_label: bool = False,
    calibration: Calibration = UNFITTED,
    background: str | None = None,
    clip_s: float = 2.0,
    flips: float = 0.25,
    path: str = "fold{fold}/{clip}.wav",
    warnings: tuple[str, ...] = (),
    history: tuple[dict[str, float], ...] = (),
    n_train_clips: dict[str, int] | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> JudgedRun:
    """Make a run that was judged: two clips of each recording, and the first `flips` of them change their answer."""
    n_clips = len(truth)
    said = {"fold": fold, "seed": seed, "data.background": background, "data.clip_s": clip_s}
    config = change(small(), {**said, **settings})
    stored = tuple(
        StoredClip(
            path.format(fold=fold, clip=clip),
            "",
            ("dog",),
            1 if fold == "all" else fold,
            f"{fold}-{clip // 2}",
            0.0,
            clip_s,
        )
        for clip in range(n_clips)
    )
    heard = StoreSettings(8000, clip_s)
    store = Store(
        clips=stored,
        rows=RowFiles([RowFile(Path("/dev/null"), n_clips, heard.n_samples)]),
        scales=np.ones(n_clips, np.float32),
        settings=heard,
        contents="",
        fingerprint="",
        report=DecodingReport(heard, np.full(n_clips, clip_s), np.ones(n_clips, np.int64)),
    )
    clips = JudgedClips("ponds", store, np.arange(n_clips), truth, f"{n_clips} clips of fold {fold}", (), warnings)
    run = Run(folder)
    run.record = Record(
        config=config,
        model="Combination-CL",
        identity="",
        experiment="",
        numerics=2,
        data_path="ponds",
        dataset="ponds",
        data_fingerprint="",
        classes=classes,
        task="multi_label" if multi_label else "single_label",
        track="end",
    )
    run.calibration = calibration
    run.history = history
    run.metrics = {"n_train_clips_by_label": n_train_clips}
    flipped = np.arange(n_clips) < flips * n_clips
    agreements = tuple(Agreement(its, np.full(n_clips, its.strength**2 / 100), flipped) for its in PERTURBATIONS)
    return JudgedRun(
        run=run,
        clips=clips,
        logits=logits,
        jsd=np.full(n_clips, 0.05),
        agreements=agreements,
        right_when_corrupted=right_when_corrupted,
    )


def answers(n_clips: int, wrong: tuple[int, ...], sureness: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Make logits and truth of one label per clip; the clips numbered `wrong` are taken for the next class."""
    labels = np.arange(n_clips) % len(CLASSES)
    said = (labels + np.isin(np.arange(n_clips), wrong)) % len(CLASSES)
    return sureness * np.eye(len(CLASSES))[said], labels[:, None] == np.arange(len(CLASSES))


def survived(n_clips: int, n_right: int) -> np.ndarray:
    """Make corrupted answers of which the first clips are right under every corruption."""
    return np.broadcast_to(np.arange(n_clips) < n_right, (len(CORRUPTIONS), len(SEVERITIES), n_clips)).copy()

"""On which clips a finished run is judged: those it was not trained on, unless somebody wants others and is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64

from cohear.data.content_hashes import MISSING, content_hashes
from cohear.data.datasets import Dataset, read_dataset
from cohear.data.store import Store, StoreSettings, open_store
from cohear.errors import UserError, nearest
from cohear.experiments.build import prepare_data, read_folds
from cohear.experiments.config import EVERY_CLIP, Config
from cohear.experiments.predictions import read_predictions
from cohear.experiments.presets import change
from cohear.experiments.run_folder import RunRecord
from cohear.runtime.cache import cache_folder

JudgedFold = int | Literal["own", "all"]
_N_NAMED = 5


@dataclass(frozen=True, eq=False)
class JudgedClips:
    """Some clips, and what is true of them in the words of a run."""

    dataset: str
    store: Store
    rows: Int64[np.ndarray, " clip"]
    """Of the store."""
    truth: Bool[np.ndarray, "clip label"]
    """Which of the run's labels are true of each clip."""
    description: str
    """Which clips they are, as `the 80 clips of fold 1, its test part`."""
    notes: tuple[str, ...]
    """What was left out, as sentences."""
    warnings: tuple[str, ...]
    """What makes the numbers better than they would be elsewhere, as sentences."""

    @property
    def paths(self) -> tuple[str, ...]:
        """The identity of each clip."""
        return tuple(self.store.clips[row].id for row in self.rows)

    @property
    def groups(self) -> tuple[str, ...]:
        """What each clip shares with clips that are no independent evidence."""
        return tuple(self.store.clips[row].group for row in self.rows)

    @property
    def clip_s(self) -> float:
        """Seconds of a clip."""
        return self.store.n_samples / self.store.sample_rate


@dataclass(frozen=True, eq=False)
class _Choice:
    rows: Int64[np.ndarray, " clip"]
    description: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def choose_clips(
    folder: Path,
    record: RunRecord,
    path: Path,
    fold: JudgedFold | None = None,
    *,
    sounds: str | None = None,
    skip_bad: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> JudgedClips:
    """Decode a data set as a run heard its own, and choose the clips to judge it on.

    Args:
        folder: the run's.
        record: the run's.
        path: DATA of the command line.
        fold: `own` is the run's test part; a number is that fold of the data, and `all` all clips, also those that it
            was trained on. None: `own` where the data are the run's, else all clips but those it was trained on.
        sounds: the folder of a table's sounds; None is where the run found its own, and of other data the table's own.
        skip_bad: leave out files that cannot be used.
        on_progress: called with files decoded and files in all.

    Raises:
        UserError: where the data cannot be used, or nothing is left to judge by.
    """
    if sounds is None and _is_same_place(path, record):
        sounds = record.config.data.sounds
    changes = {"data.clip_s": record.clip_s, "data.sounds": sounds}
    config = change(record.config, {**changes, "data.skip_bad": record.config.data.skip_bad or skip_bad})
    dataset, store = _open(path, config, record.data_fingerprint, on_progress)
    if store.fingerprint == record.data_fingerprint:
        choice = _of_own_data(folder, record, store, fold)
    elif _is_same_place(path, record) and fold in (None, "own"):
        choice = _of_changed_data(folder, record, path, store)
    else:
        choice = _of_other_data(record, dataset, store, path, fold)
    rows, truth, notes = _with_known_labels(choice.rows, store, record, path)
    kept = f"{len(rows)} of " if len(rows) < len(choice.rows) else ""
    return JudgedClips(
        dataset=dataset.name,
        store=store,
        rows=rows,
        truth=truth,
        description=kept + choice.description,
        notes=(*dataset.notes, *store.report.lines, *choice.notes, *notes),
        warnings=(*choice.warnings, *_initial_warning(record)),
    )


def _initial_warning(record: RunRecord) -> tuple[str, ...]:
    if record.initial_weights is None:
        return ()
    return (
        "the run began with the weights of another, which may have been trained on some of these clips: then the "
        "numbers are too good to be true.",
    )


def _open(
    path: Path, config: Config, fingerprint: str, on_progress: Callable[[int, int], None] | None
) -> tuple[Dataset, Store]:
    """Read data as the run did where that can be done, so that its own data are known again; else as they are."""
    try:
        read_folds(path, config)
    except UserError:  # not ESC-50, or too little for folds: these are other data, which need neither
        pass
    else:
        data = prepare_data(path, config, on_progress)
        if data.store.fingerprint == fingerprint or not config.data.drop_small:
            return data.dataset, data.store
    dataset, options = read_dataset(path, sounds=config.data.sounds), config.data
    assert options.clip_s is not None  # the run's
    settings = StoreSettings(options.sample_rate, options.clip_s, options.short)
    return dataset, open_store(dataset, settings, cache_folder(), skip_bad=options.skip_bad, on_progress=on_progress)


def _of_own_data(folder: Path, record: RunRecord, store: Store, fold: JudgedFold | None) -> _Choice:
    own = record.config.fold
    is_test = store.folds == own  # nothing where it was trained on every clip
    if fold in (None, "own"):
        if own == EVERY_CLIP:
            raise UserError(
                f"'{folder}' was trained on every clip of '{record.data_path}'; give other sounds, or --fold all to "
                "see how well it learned these"
            )
        rows = np.flatnonzero(is_test)
        return _Choice(rows, f"{_clips(len(rows))} of fold {own}, which it was not trained on")
    rows = _rows_of_fold(store, fold)
    n_trained = int((~is_test[rows]).sum())
    where = "of all folds" if fold == "all" else f"of fold {fold}"
    return _Choice(rows, f"{_clips(len(rows))} {where}", warnings=_trained_warning(n_trained, len(rows)))


def _of_changed_data(folder: Path, record: RunRecord, path: Path, store: Store) -> _Choice:
    """Of data that are no longer what they were only those clips that were tested then are safe."""
    if record.config.fold == EVERY_CLIP:
        raise UserError(
            f"'{folder}' was trained on every clip of '{path}', which has changed since then; give other sounds, or "
            "--fold all"
        )
    tested = set(read_predictions(folder).paths)
    rows = np.array([row for row, clip in enumerate(store.clips) if clip.id in tested], np.int64)
    if not len(rows):
        raise UserError(f"'{path}' no longer holds a clip that '{folder}' was tested on; give other sounds")
    note = f"'{path}' has changed since the run was trained there: only clips that it was tested on then are judged"
    return _Choice(rows, f"{_clips(len(rows))} that it was tested on before", notes=(note,))


def _of_other_data(record: RunRecord, dataset: Dataset, store: Store, path: Path, fold: JudgedFold | None) -> _Choice:
    if fold == "own":
        raise UserError(
            f"--fold own is the test part of '{record.data_path}', and '{path}' is not what the run was trained on; "
            "leave it out to judge all clips"
        )
    if isinstance(fold, int) and not dataset.brings_folds:
        raise UserError(f"'{path}' brings no folds, so there is no fold {fold}; leave --fold out to judge all clips")
    rows = np.arange(len(store)) if fold is None else _rows_of_fold(store, fold)
    trained = _trained_rows(record, dataset, store)
    if trained is None:
        note = f"whether it was trained on some of these could not be seen, since '{record.data_path}' is gone"
        return _Choice(rows, f"{_clips(len(rows))} of {dataset.name}", notes=(note,))
    is_trained = trained[rows]
    if fold is not None and is_trained.any():
        warnings = _trained_warning(int(is_trained.sum()), len(rows))
        return _Choice(rows, f"{_clips(len(rows))} of {dataset.name}", warnings=warnings)
    if is_trained.all():
        raise UserError(
            f"every clip of '{path}' lies in a file that the run was trained on; give other sounds, or --fold all to "
            "see how well it learned these"
        )
    notes = ()
    if is_trained.any():
        n_left_out = int(is_trained.sum())
        notes = (f"{_clips(n_left_out)} left out, since the run was trained on the same files (--fold all takes them)",)
    rows = rows[~is_trained]
    return _Choice(rows, f"{_clips(len(rows))} of {dataset.name}, which it was not trained on", notes)


def _rows_of_fold(store: Store, fold: JudgedFold) -> Int64[np.ndarray, " clip"]:
    if fold == "all":
        return np.arange(len(store))
    rows = np.flatnonzero(store.folds == fold)
    if not len(rows):
        there = ", ".join(map(str, sorted(set(store.folds.tolist()))))
        raise UserError(f"there is no fold {fold}: the folds are {there}; give one of them, own or all")
    return rows


def _trained_warning(n_trained: int, n_clips: int) -> tuple[str, ...]:
    if n_trained == 0:
        return ()
    which = "these clips were" if n_trained == n_clips else f"{n_trained} of these {n_clips} clips were"
    return (
        f"{which} trained on, or kept to choose by, and so the numbers say how well they were learned and not how well "
        "others will be heard",
    )


def _is_same_place(path: Path, record: RunRecord) -> bool:
    return path.resolve() == Path(record.data_path).resolve()


def _trained_rows(record: RunRecord, dataset: Dataset, store: Store) -> Bool[np.ndarray, " clip"] | None:
    """Say which rows lie in files with the bytes of a file that was trained on; None where that cannot be seen."""
    try:
        own = read_folds(Path(record.data_path), record.config)
    except UserError:
        return None
    files = [clip.path for clip in own.clips if clip.fold != record.config.fold]
    trained = set(content_hashes(own.root, files, cache_folder()).values()) - {MISSING}
    contents = content_hashes(dataset.root, [clip.path for clip in store.clips], cache_folder())
    return np.array([contents[clip.path] in trained for clip in store.clips], bool)


def _with_known_labels(
    rows: Int64[np.ndarray, " clip"], store: Store, record: RunRecord, path: Path
) -> tuple[Int64[np.ndarray, " kept"], Bool[np.ndarray, "kept label"], tuple[str, ...]]:
    """Leave out what a run has no word for, and say which labels of the others are true."""
    if store.multi_label and not record.multi_label:
        raise UserError(
            f"clips of '{path}' have several labels, and the run answers with one; give clips with one label each"
        )
    known = set(record.classes)
    label_sets = [store.clips[row].labels for row in rows]
    unknown = sorted({label for labels in label_sets for label in labels} - known)
    is_kept = np.array([not labels or bool(known.intersection(labels)) for labels in label_sets], bool)
    if not is_kept.any():
        raise UserError(
            f"the run knows none of the labels of '{path}', as '{unknown[0]}'{nearest(unknown[0], record.classes)}; it "
            f"knows {_some(record.classes)}: name them alike, or give other sounds"
        )
    kept = [labels for labels, keep in zip(label_sets, is_kept, strict=True) if keep]
    notes = []
    if n_left_out := int((~is_kept).sum()):
        notes.append(f"{_clips(n_left_out)} left out, whose labels the run does not know: {_some(unknown)}")
    elif unknown:
        notes.append(f"labels that the run does not know are passed over: {_some(unknown)}")
    truth = np.array([[label in labels for label in record.classes] for labels in kept], bool)
    return rows[is_kept], truth, tuple(notes)


def _clips(n: int) -> str:
    return f"{n} clip{'' if n == 1 else 's'}"


def _some(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _N_NAMED} more" if len(labels) > _N_NAMED else ""
    return ", ".join(f"'{label}'" for label in labels[:_N_NAMED]) + more

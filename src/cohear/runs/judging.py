"""Finished runs asked about clips that they were not trained on: clean, changed and corrupted.

On which clips a run is judged: those it was not trained on, unless somebody wants others and is told.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int64

from cohear.data.content_hashes import MISSING, content_hashes
from cohear.data.datasets import Dataset, read_dataset
from cohear.data.store import Store, StoreSettings, open_store
from cohear.errors import UserError, nearest
from cohear.evaluation.consistency import Agreement, measure_agreement
from cohear.evaluation.fixed_views import FixedViews
from cohear.evaluation.measure import NotFiniteError, answer
from cohear.evaluation.robustness import Right, answer_corrupted
from cohear.metrics.tasks import SINGLE_LABEL
from cohear.runs.build import COMMON_RECIPE, build_front_end, build_view_maker
from cohear.runs.config import EVERY_CLIP, change
from cohear.runs.plan import OnProgress, list_clips
from cohear.runs.resident_clips import waveform_reader
from cohear.runs.run import Run
from cohear.runs.trained_model import load_network
from cohear.runtime.devices import make_fabric
from cohear.runtime.files import cache_folder
from cohear.training.nonfinite import LOWER_RATE

JudgedFold = int | Literal["own", "all"]
_SHARES = (0.1, 0.4, 1.0)
"""About how far the work is after clean clips, changed ones and corrupted ones."""


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
class JudgedRun:
    """What a run says of some clips."""

    run: Run
    clips: JudgedClips
    logits: Float[np.ndarray, "clip label"]
    """Of the clean clips, before the temperature; of one label per clip they are log-probabilities."""
    jsd: Float[np.ndarray, " clip"]
    """Over each clip and two views of `combination`, the same views for every run, nats."""
    agreements: tuple[Agreement, ...]
    right_when_corrupted: Right | None
    """None where that was not asked for."""


@dataclass(frozen=True, eq=False)
class _Choice:
    rows: Int64[np.ndarray, " clip"]
    which: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def choose_clips(
    run: Run,
    path: Path,
    fold: JudgedFold | None = None,
    *,
    sounds: str | None = None,
    skip_bad: bool = False,
    on_progress: OnProgress | None = None,
) -> JudgedClips:
    """Decode a data set as a run heard its own, and choose the clips to judge it on.

    Args:
        run: finished.
        path: DATA of the command line.
        fold: `own` is the run's test part; a number is that fold of the data, and `all` all clips, also those that it
            was trained on. None: `own` where the data are the run's, else all clips but those it was trained on.
        sounds: the folder of a table's sounds; None is where the run found its own, and of other data the table's own.
        skip_bad: leave out files that cannot be used.
        on_progress: called with files decoded and files in all.

    Raises:
        UserError: where the data cannot be used, or nothing is left to judge by.
    """
    dataset, store = _open(run, path, sounds, skip_bad, on_progress)
    if store.fingerprint == run.record.data_fingerprint:
        choice = _of_own_data(run, store, fold)
    elif _is_same_place(path, run) and fold in (None, "own"):
        choice = _of_changed_data(run, path, store)
    else:
        choice = _of_other_data(run, dataset, store, path, fold)
    rows, truth, notes = _with_known_labels(choice.rows, store, run, path)
    kept = f"{len(rows)} of " if len(rows) < len(choice.rows) else ""
    warnings = choice.warnings
    if "training.initial_run" in run.record.contents:
        warnings += (
            "the run began with the weights of another, which may have been trained on some of these clips: then the "
            "numbers are too good to be true.",
        )
    return JudgedClips(
        dataset=dataset.name,
        store=store,
        rows=rows,
        truth=truth,
        description=f"{kept}{_clips(len(choice.rows))} {choice.which}",
        notes=(*dataset.notes, *store.report.lines, *choice.notes, *notes),
        warnings=warnings,
    )


def _open(
    run: Run, path: Path, sounds: str | None, skip_bad: bool, on_progress: OnProgress | None
) -> tuple[Dataset, Store]:
    """Read data as the run did where that can be done, so that its own data are known again; else as they are."""
    config = run.record.config
    sounds = config.data.sounds if sounds is None and _is_same_place(path, run) else sounds
    wanted = {"data.sounds": sounds, "data.skip_bad": config.data.skip_bad or skip_bad, "training.initial_run": None}
    config, options = change(config, wanted), config.data
    try:
        listing = list_clips(path, config, chosen={"fold", "data.sample_rate"})
    except UserError:  # not ESC-50, or too little for folds: these are other data, which need neither
        pass
    else:
        store = listing.decode(on_progress).store
        if store.fingerprint == run.record.data_fingerprint or not options.drop_small:
            return listing.dataset, store
    dataset = read_dataset(path, sounds=sounds)
    settings = StoreSettings(options.sample_rate, run.record.clip_s, options.short)
    skip = options.skip_bad or skip_bad
    return dataset, open_store(dataset, settings, cache_folder(), skip_bad=skip, on_progress=on_progress)


def _of_own_data(run: Run, store: Store, fold: JudgedFold | None) -> _Choice:
    own = run.record.config.fold
    is_test = store.folds == own  # nothing where it was trained on every clip
    if fold in (None, "own"):
        if own == EVERY_CLIP:
            raise UserError(
                f"'{run.folder}' was trained on every clip of '{run.record.data_path}'; give other sounds, or --fold "
                "all to see how well it learned these"
            )
        return _Choice(np.flatnonzero(is_test), f"of fold {own}, which it was not trained on")
    rows = _rows_of_fold(store, fold)
    where = "of all folds" if fold == "all" else f"of fold {fold}"
    return _Choice(rows, where, warnings=_trained_warning(int((~is_test[rows]).sum()), len(rows)))


def _of_changed_data(run: Run, path: Path, store: Store) -> _Choice:
    """Of data that are no longer what they were only those clips that were tested then are safe."""
    if not run.is_tested:
        raise UserError(
            f"'{run.folder}' was trained on every clip of '{path}', which has changed since then; give other sounds, "
            "or --fold all"
        )
    tested = set(run.predictions.paths)
    rows = np.array([row for row, clip in enumerate(store.clips) if clip.id in tested], np.int64)
    if not len(rows):
        raise UserError(f"'{path}' no longer holds a clip that '{run.folder}' was tested on; give other sounds")
    note = f"'{path}' has changed since the run was trained there: only clips that it was tested on then are judged"
    return _Choice(rows, "that it was tested on before", notes=(note,))


def _of_other_data(run: Run, dataset: Dataset, store: Store, path: Path, fold: JudgedFold | None) -> _Choice:
    if fold == "own":
        raise UserError(
            f"--fold own is the test part of '{run.record.data_path}', and '{path}' is not what the run was trained "
            "on; leave it out to judge all clips"
        )
    if isinstance(fold, int) and not dataset.brings_folds:
        raise UserError(f"'{path}' brings no folds, so there is no fold {fold}; leave --fold out to judge all clips")
    rows, which = np.arange(len(store)) if fold is None else _rows_of_fold(store, fold), f"of {dataset.name}"
    trained = _trained_rows(run, dataset, store)
    if trained is None:
        gone = f"whether it was trained on some of these could not be seen, since '{run.record.data_path}' is gone"
        return _Choice(rows, which, notes=(gone,))
    is_trained = trained[rows]
    if fold is not None and is_trained.any():
        return _Choice(rows, which, warnings=_trained_warning(int(is_trained.sum()), len(rows)))
    if is_trained.all():
        raise UserError(
            f"every clip of '{path}' lies in a file that the run was trained on; give other sounds, or --fold all to "
            "see how well it learned these"
        )
    left_out = (
        f"{_clips(int(is_trained.sum()))} left out, since the run was trained on the same files (--fold all takes them)"
    )
    return _Choice(rows[~is_trained], f"{which}, which it was not trained on", (left_out,) * bool(is_trained.any()))


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


def _is_same_place(path: Path, run: Run) -> bool:
    return path.resolve() == Path(run.record.data_path).resolve()


def _trained_rows(run: Run, dataset: Dataset, store: Store) -> Bool[np.ndarray, " clip"] | None:
    """Say which rows lie in files with the bytes of a file that was trained on; None where that cannot be seen."""
    config = change(run.record.config, {"training.initial_run": None})
    try:
        own = list_clips(Path(run.record.data_path), config, chosen={"fold", "data.sample_rate"}).dataset
    except UserError:
        return None
    files = [clip.path for clip in own.clips if clip.fold != config.fold]
    trained = set(content_hashes(own.root, files, cache_folder()).values()) - {MISSING}
    contents = content_hashes(dataset.root, [clip.path for clip in store.clips], cache_folder())
    return np.array([contents[clip.path] in trained for clip in store.clips], bool)


def _with_known_labels(
    rows: Int64[np.ndarray, " clip"], store: Store, run: Run, path: Path
) -> tuple[Int64[np.ndarray, " kept"], Bool[np.ndarray, "kept label"], tuple[str, ...]]:
    """Leave out what a run has no word for, and say which labels of the others are true."""
    classes = run.record.classes
    label_sets = [store.clips[row].labels for row in rows]
    if store.multi_label and run.task is SINGLE_LABEL:
        raise UserError(
            f"clips of '{path}' have several labels, and the run answers with one; give clips with one label each"
        )
    known = set(classes)
    unknown = sorted({label for labels in label_sets for label in labels} - known)
    is_kept = np.array([not labels or bool(known.intersection(labels)) for labels in label_sets], bool)
    if not is_kept.any():
        raise UserError(
            f"the run knows none of the labels of '{path}', as '{unknown[0]}'{nearest(unknown[0], classes)}; it "
            f"knows {_some(classes)}: name them alike, or give other sounds"
        )
    kept = [labels for labels, keep in zip(label_sets, is_kept, strict=True) if keep]
    notes = []
    if n_left_out := int((~is_kept).sum()):
        notes.append(f"{_clips(n_left_out)} left out, whose labels the run does not know: {_some(unknown)}")
    elif unknown:
        notes.append(f"labels that the run does not know are passed over: {_some(unknown)}")
    truth = np.array([[label in labels for label in classes] for labels in kept], bool)
    return rows[is_kept], truth, tuple(notes)


def _clips(n: int) -> str:
    return f"{n} clip{'' if n == 1 else 's'}"


def _some(labels: Sequence[str], n_named: int = 5) -> str:
    more = f" and {len(labels) - n_named} more" if len(labels) > n_named else ""
    return ", ".join(f"'{label}'" for label in labels[:n_named]) + more


def judge_runs(
    chosen: Sequence[tuple[Run, JudgedClips]],
    *,
    corruptions: bool,
    on_progress: Callable[[float, str], None] = lambda _share, _note: None,
) -> list[JudgedRun]:
    """Ask runs about their clips; those that hear the same clips alike share the work of making sounds.

    Args:
        chosen: finished runs, each with its clips.
        corruptions: whether to corrupt them too.
        on_progress: called with the share that is done, 0 to 1, and a note.

    Returns:
        In the order given.

    Raises:
        UserError: where a run's files are missing or damaged, or its answers are not finite.
    """
    groups: dict[str, list[int]] = {}
    for place, (run, clips) in enumerate(chosen):
        groups.setdefault(_what_is_heard(run, clips), []).append(place)
    judged: dict[int, JudgedRun] = {}
    for number, places in enumerate(groups.values()):

        def update(share: float, note: str, number: int = number) -> None:
            on_progress((number + share) / len(groups), note)

        judged |= zip(places, _judge_group([chosen[place] for place in places], corruptions, update), strict=True)
    return [judged[place] for place in range(len(chosen))]


def _what_is_heard(run: Run, clips: JudgedClips) -> str:
    """Name what has to be the same for runs to hear the same sounds in the same way."""
    record = run.record
    heard = [clips.store.fingerprint, clips.rows.tolist(), record.task, record.classes]
    return json.dumps([heard, record.config.front_end.model_dump()])


def _judge_group(
    group: Sequence[tuple[Run, JudgedClips]], corruptions: bool, on_progress: Callable[[float, str], None]
) -> Iterator[JudgedRun]:
    (first, clips), task = group[0], group[0][0].task
    device = make_fabric("float32").device
    networks = [load_network(run).to(device) for run, _ in group]
    store, rows, read = clips.store, clips.rows, waveform_reader(clips.store, device)
    config = first.record.config
    view_maker = build_view_maker(config, COMMON_RECIPE).to(device)
    views = FixedViews(store, rows, view_maker, read)

    @contextmanager
    def named(which: str) -> Iterator[None]:
        """Say of answers that are no numbers which clips were asked about, and which run."""
        try:
            yield
        except NotFiniteError as error:
            folder = next(
                run.folder for (run, _), network in zip(group, networks, strict=True) if network is error.network
            )
            raise UserError(
                f"the answers to {which} are not finite with the weights of '{folder}'; {LOWER_RATE}"
            ) from error

    def during(part: int, note: str) -> Callable[[float], None]:
        start, end = _SHARES[part - 1], _SHARES[part] if corruptions else 1.0
        return lambda share: on_progress(start + share * (end - start), note)

    on_progress(0.0, "clean clips")
    with named("the clips"):
        answers = [answer(network, views, task) for network in networks]
    asked = networks, build_front_end(config).to(device), store, rows, read
    with named("changed clips"):
        agreements = measure_agreement(*asked, task, on_progress=during(1, "changed clips"))
    right: Sequence[Right | None] = [None] * len(group)
    if corruptions:
        with named("corrupted clips"):
            right = answer_corrupted(*asked, clips.truth, task, on_progress=during(2, "corrupted clips"))
    for place, (run, of_run) in enumerate(group):
        said = answers[place]
        assert said is not None  # nothing stops it
        yield JudgedRun(run, of_run, said.logits[0], said.jsd, agreements[place], right[place])

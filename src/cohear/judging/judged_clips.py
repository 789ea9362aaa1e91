"""On which clips a finished run is judged: those it was not trained on, unless somebody wants others and is told."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64

from cohear.data.check.spelling import same_label
from cohear.data.datasets import Dataset, read_dataset
from cohear.data.store import Store, StoreSettings, open_store
from cohear.data.store_files import MISSING, content_hashes
from cohear.data.wording import counted, quoted, some
from cohear.errors import UserError, nearest
from cohear.runs.finding import find_sounds
from cohear.runs.plan import OnProgress, list_again
from cohear.runs.run import WARNING, Run
from cohear.runtime.files import cache_folder

JudgedFold = int | Literal["own", "all"]


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
    n_trained: int = 0
    """Clips that the run was trained on, or by which its weights and thresholds were chosen."""

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
            was trained on. None: all clips but those that it was trained on, which of its own data is `own`.
        sounds: the folder of a table's sounds; None is where the run found its own, and of other data the table's own.
        skip_bad: leave out files that cannot be used.
        on_progress: called with files decoded and files in all.

    Raises:
        UserError: where the data cannot be used, or nothing is left to judge by.
    """
    dataset, store = _open(run, path, sounds, skip_bad, on_progress)
    trained, which, notes = _trained_clips(run, path, dataset, store, on_progress)
    if fold == "own" and not (_is_same_place(path, run) or _is_own(store, run)):
        raise UserError(
            f"--fold own is the test part of '{run.record.data_path}', and '{path}' is other data; leave it out"
        )
    warnings = []
    if fold in (None, "own"):
        rows = np.flatnonzero(~trained)
        if not len(rows):
            raise UserError(
                f"'{run.folder}' was trained on every clip of '{path}'; give other sounds, or --fold all to see how "
                "well it learned these"
            )
        if len(rows) < len(store) and not _is_own(store, run):
            n_left_out, how = counted(len(store) - len(rows), "clip"), "may have been" if notes else "was"
            notes.append(f"{n_left_out} left out, which it {how} trained on (--fold all takes them)")
    else:
        rows, which = np.arange(len(store)), "of all folds"
        if fold != "all":
            folds = sorted(set(store.folds.tolist())) if dataset.brings_folds or _is_own(store, run) else []
            if fold not in folds:
                there = ", ".join(map(str, folds)) or "none"
                raise UserError(f"there is no fold {fold} in '{path}': the folds are {there}; leave --fold out")
            rows, which = np.flatnonzero(store.folds == fold), f"of fold {fold}"
        if n_trained := int(trained[rows].sum()):
            warnings.append(
                f"{n_trained} of these {len(rows)} clips were trained on, or kept to choose by, and so the numbers say "
                "how well they were learned and not how well others will be heard"
            )
    if "training.initial_run" in run.record.contents:
        warnings.append(
            "the run began with the weights of another, which may have been trained on some of these clips: then the "
            "numbers are too good to be true."
        )
    is_known, truth = _known_labels(rows, store, run, path, notes)
    kept = f"{int(is_known.sum())} of " if not is_known.all() else ""
    said = (*dataset.notes, *store.report.lines, *notes)
    return JudgedClips(
        dataset=dataset.name,
        store=store,
        rows=rows[is_known],
        truth=truth,
        description=f"{kept}{counted(len(rows), 'clip')} {which}",
        notes=tuple(note for note in said if not note.startswith(WARNING)),
        warnings=(*(note.removeprefix(WARNING) for note in said if note.startswith(WARNING)), *warnings),
        n_trained=int(trained[rows[is_known]].sum()),
    )


def _open(
    run: Run, path: Path, sounds: str | None, skip_bad: bool, on_progress: OnProgress | None
) -> tuple[Dataset, Store]:
    """Read data as the run did where that can be done, so that its own data are known again; else as they are."""
    options = run.config.data
    sounds = options.sounds if sounds is None and _is_same_place(path, run) else sounds
    skip_bad = skip_bad or options.skip_bad
    listing = None
    with suppress(UserError):  # not ESC-50, or too little for folds: these are other data, which need neither
        listing = list_again(path, run.config, sounds=sounds, skip_bad=skip_bad)
    if listing is not None:
        store = listing.decode(on_progress).store
        if _is_own(store, run) or not options.drop_small:
            return listing.dataset, store
    dataset = read_dataset(path, sounds=sounds, skip_bad=skip_bad, fewest_classes=1)
    settings = StoreSettings(options.sample_rate, run.record.clip_s, options.short, options.windows)
    how = {"skip_bad": skip_bad, "fewest_classes": 1, "on_progress": on_progress}
    return dataset, open_store(dataset, settings, cache_folder(), **how)


def _trained_clips(
    run: Run, path: Path, dataset: Dataset, store: Store, on_progress: OnProgress | None
) -> tuple[Bool[np.ndarray, " clip"], str, list[str]]:
    """Say which clips the run was trained on, what the others are, and how that is known where it is not obvious.

    Of the run's own data the folds say it. Where these have changed since, other folds are made of them, and only what
    was tested then is safe. Of other data clips were trained on that lie in a file with the bytes of one of the run's.
    """
    own = run.config.fold
    if _is_own(store, run):
        return store.folds != own, f"of fold {own}, which it was not trained on", []
    if _is_same_place(path, run):
        tested = _tested_then(run)
        note = f"'{path}' has changed since the run was trained there: only clips that it was tested on then are judged"
        return np.array([clip.id not in tested for clip in store.clips]), "that it was tested on before", [note]
    try:
        listing = list_again(find_sounds(run), run.config)
    except UserError:
        unseen = (
            f"it cannot be seen whether it was trained on some of these, as its own sounds, '{run.record.data_path}',"
        )
        return np.zeros(len(store), bool), f"of {dataset.name}", [f"{unseen} cannot be read from here"]
    its, notes, is_unchanged = listing.dataset, list[str](), False
    with suppress(UserError):  # a sound of them can no longer be used
        is_unchanged = _is_own(listing.decode(on_progress).store, run)
    if is_unchanged:
        files = [clip.path for clip in its.clips if clip.fold != own]
    else:
        tested = _tested_then(run)
        files = [clip.path for clip in its.clips if clip.id not in tested]
        notes.append(
            f"'{run.record.data_path}' has changed since the run was trained there: of what lies there now, only clips "
            "that it was tested on then count as new to it, and what was taken away since cannot be known again"
        )
    trained = set(content_hashes(its.root, files, cache_folder()).values()) - {MISSING}
    contents = content_hashes(dataset.root, [clip.path for clip in store.clips], cache_folder())
    is_trained = np.array([contents[clip.path] in trained for clip in store.clips], bool)
    return is_trained, f"of {dataset.name}, which it was not trained on", notes


def _tested_then(run: Run) -> set[str]:
    """Return the identities of the clips that a run was tested on; of windows of a clip that of the clip too."""
    paths = run.predictions.paths if run.is_tested else ()
    return {*paths, *(path.rpartition("#")[0] for path in paths)}


def _known_labels(
    rows: Int64[np.ndarray, " clip"], store: Store, run: Run, path: Path, notes: list[str]
) -> tuple[Bool[np.ndarray, " clip"], Bool[np.ndarray, "known label"]]:
    """Say for which clips a run has a word, and which of its labels are true of these; note the words it has not."""
    classes = run.record.classes
    label_sets = [store.clips[row].labels for row in rows]
    spelled = _spelled_as(classes, {label for labels in label_sets for label in labels}, notes)
    label_sets = [tuple(spelled[label] for label in labels) for labels in label_sets]
    if store.multi_label and not run.task.gives_several:
        raise UserError(
            f"clips of '{path}' have several labels, and the run answers with one; give clips with one label each"
        )
    unknown = sorted({label for labels in label_sets for label in labels} - set(classes))
    is_known = np.array([not labels or not set(labels).isdisjoint(classes) for labels in label_sets], bool)
    if not is_known.any():
        raise UserError(
            f"the run knows none of the labels of '{path}', as '{unknown[0]}'{nearest(unknown[0], classes)}; it "
            f"knows {quoted(classes)}: name them alike, or give other sounds"
        )
    if unknown:
        n_left_out = int((~is_known).sum())
        left_out = f", and {counted(n_left_out, 'clip')} with no other left out" if n_left_out else ""
        notes.append(f"labels that the run does not know are passed over{left_out}: {quoted(unknown)}")
    known = [labels for labels, keep in zip(label_sets, is_known, strict=True) if keep]
    return is_known, np.array([[label in labels for label in classes] for labels in known], bool)


def _spelled_as(classes: Sequence[str], labels: Collection[str], notes: list[str]) -> dict[str, str]:
    """Write each label as a run does, where it surely is one of its own in another spelling, and note that."""
    spelled = {label: label for label in labels}
    for label in sorted(set(labels) - set(classes)):
        same = [own for own in classes if own not in labels and same_label(own, label)]
        if len(same) == 1:
            spelled[label] = same[0]
    if taken := [f"'{label}' for '{own}'" for label, own in sorted(spelled.items()) if label != own]:
        notes.append(f"taken for labels of the run: {some(taken)}")
    return spelled


def _is_own(store: Store, run: Run) -> bool:
    return store.fingerprint == run.record.data_fingerprint


def _is_same_place(path: Path, run: Run) -> bool:
    return path.resolve() == find_sounds(run).resolve()

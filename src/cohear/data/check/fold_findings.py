"""Whether the data can be divided: labels too small for the folds, and what belongs together on both sides."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence

from cohear.data.check.finding import Finding, Item
from cohear.data.check.recording_groups import Kinship, divided
from cohear.data.clips import Clip
from cohear.data.datasets import Dataset
from cohear.data.wording import counted, some, verb

_TRAIN_ON_GROUPS = "train on the table that --groups FILE.csv writes"


def find_untestable(dataset: Dataset, clips: Sequence[Clip]) -> Iterator[Finding]:
    """Find that bad files leave the first fold, or all others, without clips.

    Args:
        dataset: with folds, or none where they cannot be made.
        clips: those that training will use.
    """
    folds, there = dataset.folds, sorted({clip.fold for clip in clips if clip.fold is not None})
    if len(folds) > 1 and there and (folds[0] not in there or len(there) < 2):
        yield Finding(
            "untestable",
            "error",
            f"Fold {folds[0]} cannot be tested: the clips that can be used are in {verb(len(there), 'fold', 'folds')} "
            f"{_list(there)}.",
            "Mend those of the other folds, or give other folds to these.",
        )


def find_small(dataset: Dataset, clips: Sequence[Clip]) -> Iterator[Finding]:
    """Find labels that are in one fold alone, which cannot be trained where it is tested, or in few folds.

    Args:
        dataset: with folds, or none where they cannot be made.
        clips: those that training will use.
    """
    folds = dataset.folds
    if len(folds) < 2:
        return
    folds_of: dict[str, set[int]] = defaultdict(set)
    n_clips: dict[str, int] = defaultdict(int)
    for clip in clips:
        if clip.fold is not None:
            for label in clip.labels:
                folds_of[label].add(clip.fold)
                n_clips[label] += 1
    alone = sorted((label for label, there in folds_of.items() if len(there) == 1), key=lambda label: n_clips[label])
    if alone:
        is_refused = any(folds[0] in folds_of[label] for label in alone)
        n_drop = 1 + max(n_clips[label] for label in alone)
        can_drop = sum(n >= n_drop for n in n_clips.values()) >= 2
        yield Finding(
            "untrained",
            "error" if is_refused else "warning",
            f"{counted(len(alone), 'label')} {verb(len(alone), 'is', 'are')} in one fold alone, and cannot be trained "
            f"where it is tested{'' if is_refused else ', as crossval would'}.",
            f"Add recordings, or {f'use --drop-small {n_drop}' if can_drop else 'take such labels out'}.",
            tuple(Item(label, f"{_clips(n_clips[label])}, fold {min(folds_of[label])}") for label in alone),
        )
    few = [label for label, there in folds_of.items() if 1 < len(there) < len(folds)]
    if few:
        fewest = min(len(folds_of[label]) for label in few)
        fewer = "" if dataset.brings_folds else f", or make fewer folds with --set data.n_folds={fewest}"
        yield Finding(
            "untested",
            "note",
            f"{counted(len(few), 'label')} {verb(len(few), 'has', 'have')} no test clip in some of the {len(folds)} "
            "folds, for want of recordings.",
            f"Add recordings{fewer}.",
            tuple(Item(label, f"in {len(folds_of[label])} of {len(folds)} folds") for label in sorted(few)),
        )


def find_leaks(kinship: Kinship) -> Iterator[Finding]:
    """Find what is in several folds and should be in one: a group, a file, a recording by its name."""
    clips = [one.clip for one in kinship.heard]
    folds = [clip.fold for clip in clips]
    groups = divided(kinship.by_group, folds)
    if groups:
        n = sum(group in groups for group in kinship.by_group)
        yield Finding(
            "divided_groups",
            "warning",
            f"{counted(n, 'clip')} are in {counted(len(groups), 'group')} that the folds of the data divide.",
            f"The accuracy will be too good to be true: {_TRAIN_ON_GROUPS}, in which no group is divided.",
            tuple(Item(group, f"folds {_list(there)}") for group, there in groups.items()),
        )
    said = {file for file, group in zip(kinship.by_file, kinship.by_group, strict=True) if group in groups}
    files = {file: there for file, there in divided(kinship.by_file, folds).items() if file not in said}
    if files:
        path_of = {file: clip.path for file, clip in zip(kinship.by_file, clips, strict=True)}
        yield Finding(
            "divided_files",
            "warning",
            f"{counted(sum(file in files for file in kinship.by_file), 'clip')} are in "
            f"{counted(len(files), 'file')} that the folds divide, as clips of one file have several groups or paths.",
            f"The accuracy may be too good to be true: {_TRAIN_ON_GROUPS}.",
            tuple(Item(path_of[file], f"folds {_list(there)}") for file, there in files.items()),
        )
    stems = divided(kinship.stems, folds)
    if stems:
        paths_of: dict[str, list[str]] = {stem: [] for stem in stems}
        for clip, stem in zip(clips, kinship.stems, strict=True):
            if stem in stems:
                paths_of[stem].append(clip.path)
        yield Finding(
            "divided_recordings",
            "warning",
            f"{sum(map(len, paths_of.values()))} clips look by their names like parts of "
            f"{counted(len(stems), 'recording')} that the folds divide.",
            f"If they are, the accuracy will be too good to be true: {_TRAIN_ON_GROUPS}.",
            tuple(
                Item(stem, f"{_clips(len(paths))}: {', '.join(paths[:2])}, ... in folds {_list(stems[stem])}")
                for stem, paths in paths_of.items()
            ),
        )


def find_kept_back(kinship: Kinship, kept_back: Container[str], test_fold: int) -> Iterator[Finding]:
    """Find what no fold divides, and the validation part does.

    Args:
        kinship: of the clips that can be used.
        kept_back: groups, or else files, that are the validation part.
        test_fold: the fold that is tested.
    """
    folds = [one.clip.fold for one in kinship.heard]
    sides = [
        None if fold in (None, test_fold) else int(group in kept_back)
        for fold, group in zip(folds, kinship.by_group, strict=True)
    ]
    groups = kinship.groups
    names = divided(groups, sides).keys() - divided(groups, folds).keys()
    if names:
        sizes = Counter(group for group in groups if group in names)
        yield Finding(
            "divided_by_validation",
            "warning",
            f"{counted(sizes.total(), 'clip')} that seem to belong together are in part trained on and in part kept "
            "back for validation.",
            f"Temperature and thresholds would be too sure of themselves: {_TRAIN_ON_GROUPS}, or remove copies.",
            tuple(Item(name, _clips(n)) for name, n in sizes.items()),
        )


def find_repeated(kinship: Kinship) -> Iterator[Finding]:
    """Find sounds that occur more than once, whatever their files are called: with other labels, in other folds."""
    clips_of: dict[str, list[Clip]] = defaultdict(list)
    for one, content in zip(kinship.heard, kinship.by_content, strict=True):
        if content is not None:
            clips_of[content].append(one.clip)
    repeated = [clips for clips in clips_of.values() if len(clips) > 1]
    contradictory = [clips for clips in repeated if len({clip.labels for clip in clips}) > 1]
    if contradictory:
        yield Finding(
            "contradictory",
            "warning",
            f"{counted(len(contradictory), 'sound')} {verb(len(contradictory), 'occurs', 'occur')} with different "
            "labels.",
            "Decide for one, and remove the other copies.",
            tuple(
                Item(f"{clips[0].id} '{clips[0].label}'", _others([f"{clip.id} '{clip.label}'" for clip in clips]))
                for clips in contradictory
            ),
        )
    agreeing = [clips for clips in repeated if len({clip.labels for clip in clips}) == 1]
    leaking = [clips for clips in agreeing if len({clip.fold for clip in clips} - {None}) > 1]
    if leaking:
        yield Finding(
            "repeated_across_folds",
            "warning",
            f"{counted(len(leaking), 'sound')} {verb(len(leaking), 'occurs', 'occur')} in several folds, to be trained "
            "on and tested.",
            f"Remove the copies, or {_TRAIN_ON_GROUPS}.",
            tuple(Item(clips[0].id, _others([clip.id for clip in clips])) for clips in leaking),
        )
    within = [clips for clips in agreeing if len({clip.fold for clip in clips} - {None}) <= 1]
    if within:
        yield Finding(
            "repeated",
            "note",
            f"{counted(len(within), 'sound')} {verb(len(within), 'occurs', 'occur')} more than once.",
            "Remove the copies, unless they are meant to count for more.",
            tuple(Item(clips[0].id, _others([clip.id for clip in clips])) for clips in within),
        )


def _others(names: Sequence[str]) -> str:
    """Name the copies of the first."""
    return f"also {some(names[1:], 3)}"


def _clips(n: int) -> str:
    return counted(n, "clip")


def _list(folds: Sequence[int]) -> str:
    return ", ".join(map(str, folds))

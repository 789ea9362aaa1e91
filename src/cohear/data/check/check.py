"""Everything that can be found about a data set before training, in the order of its importance."""

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass

from cohear.data.check.finding import SEVERITIES, Finding, can_train
from cohear.data.check.fold_findings import find_kept_back, find_leaks, find_repeated, find_small, find_untestable
from cohear.data.check.label_findings import find_alike, find_imbalance, find_no_background, find_telltale
from cohear.data.check.overview import Overview, TrainingForm, summarize
from cohear.data.check.recording_groups import Kinship, find_kinship
from cohear.data.check.sound_findings import find_emptied, find_flawed, find_long, find_unusable
from cohear.data.check.survey import Survey
from cohear.data.datasets import Dataset


@dataclass(frozen=True)
class Check:
    """What was found in a data set."""

    dataset: Dataset
    survey: Survey
    form: TrainingForm
    overview: Overview
    kinship: Kinship
    findings: tuple[Finding, ...]
    """Errors first."""

    @property
    def can_train(self) -> bool:
        """Whether training would not be refused."""
        return can_train(self.findings)


def examine(
    dataset: Dataset,
    survey: Survey,
    form: TrainingForm,
    *,
    skip_bad: bool = False,
    background: str | None = None,
    refusals: Sequence[str] = (),
    notes: Sequence[str] = (),
    kept_back: Container[str] = (),
) -> Check:
    """Look at a data set from all sides.

    Args:
        dataset: with folds, unless they cannot be made.
        survey: of its clips.
        form: what training makes of a sound.
        skip_bad: whether training leaves out what cannot be used.
        background: the label that was named as 'none of these'.
        refusals: sentences with which training refuses the data as a whole.
        notes: what else training says of it.
        kept_back: groups, or else files, of the validation part where the first fold is tested.
    """
    overview, kinship = summarize(dataset, survey.heard, form), find_kinship(dataset, survey.heard)
    used = [one.clip for one in survey.heard] if skip_bad else dataset.clips

    def found() -> Iterator[Finding]:
        yield from (Finding("refused", "error", sentence) for sentence in refusals)
        yield from find_unusable(dataset, survey.unusable, skip_bad)
        yield from find_emptied(dataset, survey, skip_bad)
        yield from find_untestable(dataset, used)
        yield from find_small(dataset, used)
        yield from find_repeated(kinship)
        yield from find_leaks(kinship)
        if dataset.folds:
            yield from find_kept_back(kinship, kept_back, dataset.folds[0])
        yield from find_telltale(dataset, survey.heard)
        yield from find_alike(overview)
        yield from find_flawed(survey.heard, form)
        yield from find_long(survey.heard, form)
        yield from find_imbalance(overview)
        yield from find_no_background(dataset, background)
        for kind, texts in (("training", notes), ("left_out", dataset.notes)):
            yield from (Finding(kind, "note", f"{text[:1].upper()}{text[1:].rstrip('.')}.") for text in texts)

    findings = sorted(found(), key=lambda finding: SEVERITIES.index(finding.severity))
    return Check(dataset, survey, form, overview, kinship, tuple(findings))

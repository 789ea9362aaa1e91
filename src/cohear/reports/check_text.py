"""What was found in a data set on one screen: whether training can start, what is there, what is wrong."""

import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from cohear.data.check.check import Check
from cohear.data.check.finding import SEVERITIES, Finding, Item, Severity, can_train
from cohear.data.check.overview import Counts, Overview
from cohear.data.wording import counted, duration_text

_FACTS_INDENT, _FINDINGS_INDENT = 2, 9
_ITEMS_LETTERS: dict[Severity, int] = {"error": 180, "warning": 90, "note": 60}
"""Room for what a finding is about; at least one is named."""
_MOST_LABEL_LINES = 3


def to_screen(check: Check, width: int = 80, height: int | None = None) -> str:
    """Write what was found as text.

    Args:
        check: the finished check.
        width: columns, >= 40.
        height: lines of the screen; None: as many as it takes. Errors are always there; of the others, what has no
            room is counted in a last line.
    """
    lines = [*textwrap.wrap(verdict(check.dataset.name, check.findings), width), *_facts(check, width)]
    room = None if height is None else height - 4  # for what is left out, for stderr's lines and the prompt
    for place, finding in enumerate(check.findings):
        block = _block(finding, width)
        if room is not None and finding.severity != "error" and len(lines) + len(block) > room:
            left = check.findings[place:]
            lines.append(f"and {severity_counts(left)} more: --html FILE shows everything")
            break
        lines += ["", *block] if place == 0 else block
    return "\n".join(lines)


def verdict(name: str, findings: Sequence[Finding]) -> str:
    """Say whether training can start.

    Example:
        >>> verdict("my_sounds", [Finding("silent", "warning", "2 clips are silent.")])
        'my_sounds: training can start; 1 warning'
    """
    can = "training can start" if can_train(findings) else "training cannot start"
    return f"{printable(name)}: {can}; {severity_counts(findings) or 'nothing was found wrong'}"


def severity_counts(findings: Iterable[Finding]) -> str:
    """Count findings by severity, such as `1 error, 2 warnings`."""
    counts = Counter(finding.severity for finding in findings)
    return ", ".join(counted(counts[severity], severity) for severity in SEVERITIES if counts[severity])


def printable(text: str) -> str:
    r"""Replace what a screen cannot show or would obey, such as escape codes in the name of a file.

    Example:
        >>> printable("bird\x1b[2J.wav")
        'bird?[2J.wav'
    """
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def lengths_text(overview: Overview) -> str:
    """Say how long the clips are."""
    if overview.longest_s - overview.shortest_s < 0.01:
        return f"{duration_text(overview.longest_s)} each"
    shortest, longest = duration_text(overview.shortest_s), duration_text(overview.longest_s)
    return f"{shortest} to {longest} (median {duration_text(overview.median_s)})"


def counts_text(counts: Counts) -> str:
    """Write values with the number of clips that have them, or the only one alone."""
    if len(counts) == 1:
        return printable(counts[0][0])
    return ", ".join(f"{printable(value)} {n}" for value, n in counts)


def training_text(check: Check) -> str:
    """Say what training will make of the clips."""
    form, overview = check.form, check.overview
    clips = counted(overview.n_windows, "clip")
    length = f" of {form.clip_s:g} s" if form.clip_s else ""
    if not overview.folds:
        return f"{clips}{length} at {form.sample_rate} Hz"
    sizes = sorted(n for _, n in overview.folds)
    each = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    its = "its " if check.dataset.brings_folds else ""
    return f"{clips}{length} at {form.sample_rate} Hz, in {its}{len(sizes)} folds of {each}"


def short_item(item: Item) -> str:
    """Name what a finding is about, with the detail as far as it fits a line: a reason without its remedy."""
    detail = without_name(item).split(": ")[0]
    return printable(f"{item.name}: {detail}" if detail else item.name)


def without_name(item: Item) -> str:
    """Return the detail of an item without the path that a reason begins with."""
    return item.detail.removeprefix(f"{item.name.split('#')[0]} ")


def _facts(check: Check, width: int) -> list[str]:
    overview = check.overview
    total = f"{counted(overview.n_clips, 'clip')} in {counted(overview.n_files, 'file')}"
    texts = [total]
    if overview.labels:
        properties = (overview.sample_rates, overview.channels, overview.file_types)
        texts = [
            f"{total}, {duration_text(overview.duration_s)} in all, {lengths_text(overview)}",
            f"{counted(len(overview.labels), 'label')}: {_labels_text(overview, width)}",
            "; ".join(counts_text(counts) for counts in properties),
            f"training: {training_text(check)}",
        ]
    return [line for text in texts for line in _hanging("", text, width, _FACTS_INDENT)]


def _labels_text(overview: Overview, width: int) -> str:
    """List the labels with their numbers of clips, as many as fit into three lines."""
    room = _MOST_LABEL_LINES * (width - _FACTS_INDENT) - len("1000 labels: , 1000 clips each and 1000 more")
    same = len({facts.n_clips for facts in overview.labels}) == 1
    texts = [printable(facts.label) + ("" if same else f" {facts.n_clips}") for facts in overview.labels]
    n_shown = 0
    while n_shown < len(texts) and len(", ".join(texts[: n_shown + 1])) <= room:
        n_shown += 1
    more = f" and {len(texts) - n_shown} more" if n_shown < len(texts) else ""
    each = f", {counted(overview.labels[0].n_clips, 'clip')} each" if same else ""
    without = f"; {counted(overview.n_unlabeled, 'clip')} without any" if overview.n_unlabeled else ""
    return f"{', '.join(texts[:n_shown])}{more}{each}{without}"


def _block(finding: Finding, width: int) -> list[str]:
    about = f" ({_items_text(finding.items, _ITEMS_LETTERS[finding.severity])})." if finding.items else "."
    text = f"{printable(finding.sentence).removesuffix('.')}{about} {printable(finding.remedy)}"
    name = finding.severity.upper() if finding.severity == "error" else finding.severity
    return _hanging(name, text, width, _FINDINGS_INDENT)


def _items_text(items: Sequence[Item], n_letters: int) -> str:
    """Name the first of the things that a finding is about."""
    texts = [short_item(item) for item in items]
    n_named = 1
    while n_named < len(texts) and sum(map(len, texts[: n_named + 1])) <= n_letters:
        n_named += 1
    more = f" and {len(texts) - n_named} more" if n_named < len(texts) else ""
    return "; ".join(texts[:n_named]) + more


def _hanging(name: str, text: str, width: int, indent: int) -> list[str]:
    """Wrap a text behind a name in the margin; words wider than the screen are torn."""
    return textwrap.wrap(
        text.strip(),
        width,
        initial_indent=f"{name:<{indent}}",
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )

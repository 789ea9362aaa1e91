"""Table 1 of the paper, to be printed beside ours.

Iqbal, Helwani, Krishnaswamy and Wang, "Enhancing Audio Augmentation Methods with Consistency Learning"
(ICASSP 2021, arXiv 2102.05151): ESC-50, five folds, 72 epochs. The paper does not say over what its standard
error is.
"""

from dataclasses import dataclass

METHODS = ("none", "standard", "bda", "consistency")
"""In the paper's order."""
TRANSFORMS = ("none", "pitch", "reverb", "masking", "combination")
"""In the paper's order."""


@dataclass(frozen=True)
class PaperResult:
    """One row of the paper's Table 1, in percent."""

    model: str
    accuracy_percent: float
    standard_error_percent: float
    improvement_points: float | None
    """Over no augmentation, as printed there; None for that row itself."""


PAPER_TABLE_1: dict[tuple[str, str], PaperResult] = {
    ("none", "none"): PaperResult("No Augmentation", 83.59, 0.15, None),
    ("pitch", "standard"): PaperResult("Pitch-Shift", 84.35, 0.25, 0.76),
    ("pitch", "bda"): PaperResult("Pitch-Shift-BDA", 84.60, 0.31, 1.01),
    ("pitch", "consistency"): PaperResult("Pitch-Shift-CL", 85.48, 0.22, 1.89),
    ("reverb", "standard"): PaperResult("Reverb", 83.76, 0.19, 0.17),
    ("reverb", "bda"): PaperResult("Reverb-BDA", 85.12, 0.07, 1.53),
    ("reverb", "consistency"): PaperResult("Reverb-CL", 85.58, 0.22, 1.99),
    ("masking", "standard"): PaperResult("TF-Masking", 83.69, 0.20, 0.10),
    ("masking", "bda"): PaperResult("TF-Masking-BDA", 84.32, 0.29, 0.73),
    ("masking", "consistency"): PaperResult("TF-Masking-CL", 85.03, 0.12, 1.44),
    ("combination", "standard"): PaperResult("Combination", 83.99, 0.26, 0.40),
    ("combination", "bda"): PaperResult("Combination-BDA", 85.83, 0.22, 2.25),
    ("combination", "consistency"): PaperResult("Combination-CL", 86.22, 0.12, 2.63),
}
"""By transform and method."""

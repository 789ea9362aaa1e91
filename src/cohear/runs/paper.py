"""The paper's thirteen models, four of them in two readings, its ablations and our controls, as values."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from cohear.errors import UserError, nearest
from cohear.runs.config import Config, MethodName, change
from cohear.runs.identity import METHOD_SUFFIXES, ONE_READ, TRANSFORM_NAMES, model_name
from cohear.runs.presets import scale_schedules


@dataclass(frozen=True)
class GridModel:
    """A row of Table 1, of the ablations or of the controls."""

    name: str
    method: MethodName
    transform: str
    changes: tuple[tuple[str, Any], ...] = ()
    """What differs from the preset beside method and transform."""
    epochs_factor: int = 1
    """Times the preset's epochs, ramp and decay stretched alike."""
    seeds: tuple[int, ...] = (0,)
    """Of its runs, where no others are asked for."""
    first_fold_only: bool = False
    """Whether it runs on the first of the tested folds only."""

    def configure(self, base: Config) -> Config:
        """Return the model's configuration on top of a preset."""
        config = change(base, {"method": self.method, "views.transform": self.transform, **dict(self.changes)})
        return scale_schedules(config, self.epochs_factor * config.training.epochs)


def _models_of(transform: str) -> list[GridModel]:
    name = TRANSFORM_NAMES[transform]
    reads = "views.standard_reads"
    return [
        GridModel(name, "standard", transform, ((reads, "all"),)),
        GridModel(name + ONE_READ, "standard", transform, ((reads, "one"),)),
        GridModel(name + METHOD_SUFFIXES["bda"], "bda", transform),
        GridModel(name + METHOD_SUFFIXES["consistency"], "consistency", transform),
    ]


TABLE_1: tuple[GridModel, ...] = (
    GridModel("No Augmentation", "none", "none"),
    *(model for transform in list(TRANSFORM_NAMES)[1:] for model in _models_of(transform)),
)
"""The thirteen models in the paper's order, and after each of its four of standard augmentation the other reading."""

HEADLINE: tuple[GridModel, ...] = tuple(model for model in TABLE_1 if model.transform in ("none", "combination"))
"""The models behind the paper's largest gain, and of Figure 1: its three, one in two readings, and none beside them."""

FIGURE_FOLD = 1
"""The fold of Figure 1."""

FOLLOWED: tuple[GridModel, ...] = tuple(model for model in TABLE_1 if model in HEADLINE or model.transform == "reverb")
"""The models that are measured after each epoch on one fold: Figure 1's, and those of one other transform beside."""


def _ablation(name: str, changes: dict[str, Any], **others: Any) -> GridModel:
    return GridModel(f"Combination-CL, {name}", "consistency", "combination", tuple(changes.items()), **others)


ABLATIONS: tuple[GridModel, ...] = (
    GridModel("Combination-CL", "consistency", "combination"),
    _ablation("one transformed view", {"views.n_transformed": 1}),
    _ablation("clean-only cross-entropy", {"objective.classified_views": "clean"}),
    _ablation("no ramp", {"objective.ramp_epochs": 0.0}),
    _ablation("weight 7.5", {"objective.consistency_weight": 7.5}),
    _ablation("KL of two views", {"views.n_transformed": 1, "objective.divergence": "kl"}),
    _ablation(
        "L2 of two embeddings",
        {"views.n_transformed": 1, "objective.divergence": "l2", "objective.representation": "embedding"},
    ),
)
"""The paper's side remarks, each one change away from Combination-CL."""

CONTROLS: tuple[GridModel, ...] = (
    *(
        _ablation(precision, {"training.precision": precision}, seeds=(0, 1, 2), first_fold_only=True)
        for precision in ("float32", "bf16")
    ),
    GridModel("No Augmentation, three times the epochs", "none", "none", epochs_factor=3),
)
"""What a sceptic asks of Table 1: whether the precision matters, and whether `none` merely hears and learns less.

Three times the epochs of `none` are as many signals as those of the other methods, and as many updates but for each
epoch's last batch, which is smaller: on the 1600 training clips of ESC-50 216 x 14 = 3024 updates against
72 x 40 = 2880.
"""

GRIDS: dict[str, tuple[GridModel, ...]] = {
    "table1": TABLE_1,
    "figure1": HEADLINE,
    "ablations": ABLATIONS,
    "controls": CONTROLS,
}
"""What `cohear reproduce` measures."""


def name_on(base: Config, model: GridModel) -> str:
    """Return a model's name, the table's where it is no other: a control may change nothing of what is set already."""
    config = model.configure(base)
    usual = GridModel("", model.method, model.transform).configure(base)
    return model_name(config) if config == usual else model.name


def find_models(names: Sequence[str], among: Sequence[GridModel], base: Config) -> list[GridModel]:
    """Return models by name, in the order of `among`; no names: all of them.

    Args:
        names: as `--list` shows them, or their own.
        among: what there is.
        base: the preset and whatever was changed in it.

    Raises:
        UserError: for an unknown name.
    """
    known = {_key(name): model for model in among for name in (name_on(base, model), model.name)}
    if unknown := [name for name in names if _key(name) not in known]:
        allowed = ", ".join(f"'{name_on(base, model)}'" for model in among)
        hint = nearest(unknown[0], [model.name for model in among])
        raise UserError(f"there is no model '{unknown[0]}'{hint}; the models are {allowed}")
    chosen = [known[_key(name)] for name in names]
    return [model for model in among if not names or model in chosen]


def split_names(text: str, among: Iterable[GridModel]) -> list[str]:
    """Split a list of models at its commas; a name may have one itself.

    Example:
        >>> split_names("Combination-CL, no ramp,combination-cl", ABLATIONS)
        ['Combination-CL, no ramp', 'combination-cl']
    """
    with_comma = {_key(model.name) for model in among if "," in model.name}
    names: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if names and _key(both := f"{names[-1]}, {part}") in with_comma:
            names[-1] = both
        else:
            names.append(part)
    return names


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "-")

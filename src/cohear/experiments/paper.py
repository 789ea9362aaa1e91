"""The paper's thirteen models, its ablations and our controls, as values.

The four methods are three values each: the items an epoch visits, the views made of an item (both in `items`), and
the objective.
"""

from dataclasses import dataclass
from typing import Any

from cohear.errors import UserError, nearest
from cohear.experiments.config import Config, MethodName, TransformName
from cohear.experiments.presets import change, scale_schedules
from cohear.objectives import CATEGORICAL, ClassificationObjective, ConsistencyObjective, Likelihood
from cohear.training.batches import Items


def method_items(method: MethodName, n_transformed: int) -> Items:
    """Return the items that a method makes of each clip; view 0 is the clean clip."""
    views = range(1 + n_transformed)
    if method == "none":
        return ((0,),)
    if method == "standard":
        return tuple((view,) for view in views)
    return (tuple(views),)


def method_objective(
    config: Config, likelihood: Likelihood = CATEGORICAL, class_weights: tuple[float, ...] | None = None
) -> ClassificationObjective:
    """Return what a method minimizes."""
    options = config.objective
    classified = {"likelihood": likelihood, "class_weights": class_weights}
    if config.method != "consistency":
        return ClassificationObjective(options.classified_views, options.over_views, **classified)
    return ConsistencyObjective(
        options.classified_views, options.over_views, options.divergence, options.representation, **classified
    )


@dataclass(frozen=True)
class PaperModel:
    """A row of Table 1, of the ablations or of the controls."""

    name: str
    method: MethodName
    transform: TransformName
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


_TRANSFORM_NAMES: dict[TransformName, str] = {
    "pitch": "Pitch-Shift",
    "reverb": "Reverb",
    "masking": "TF-Masking",
    "combination": "Combination",
}
_METHOD_SUFFIXES: dict[MethodName, str] = {"standard": "", "bda": "-BDA", "consistency": "-CL"}

TABLE_1: tuple[PaperModel, ...] = (
    PaperModel("No Augmentation", "none", "none"),
    *(
        PaperModel(name + suffix, method, transform)
        for transform, name in _TRANSFORM_NAMES.items()
        for method, suffix in _METHOD_SUFFIXES.items()
    ),
)
"""The thirteen models in the paper's order."""

HEADLINE: tuple[PaperModel, ...] = tuple(model for model in TABLE_1 if model.transform in ("none", "combination"))
"""The models behind the paper's largest gain."""

FIGURE_1: tuple[PaperModel, ...] = HEADLINE
"""The models whose divergence is followed over the epochs on fold 1: Figure 1's three, and none beside them."""

FIGURE_FOLD = 1
"""The fold of Figure 1."""

FOLLOWED: tuple[PaperModel, ...] = tuple(model for model in TABLE_1 if model in FIGURE_1 or model.transform == "reverb")
"""The models that are measured after each epoch on one fold: Figure 1's, and those of one other transform beside."""


def _ablation(name: str, **changes: Any) -> PaperModel:
    renamed = tuple((key.replace("__", "."), value) for key, value in changes.items())
    return PaperModel(f"Combination-CL, {name}", "consistency", "combination", renamed)


ABLATIONS: tuple[PaperModel, ...] = (
    PaperModel("Combination-CL", "consistency", "combination"),
    _ablation("one transformed view", views__n_transformed=1),
    _ablation("clean-only cross-entropy", objective__classified_views="clean"),
    _ablation("no ramp", objective__ramp_epochs=0.0),
    _ablation("weight 7.5", objective__consistency_weight=7.5),
    _ablation("KL of two views", views__n_transformed=1, objective__divergence="kl"),
    _ablation(
        "L2 of two embeddings",
        views__n_transformed=1,
        objective__divergence="l2",
        objective__representation="embedding",
    ),
)
"""The paper's side remarks, each one change away from Combination-CL."""


CONTROLS: tuple[PaperModel, ...] = (
    *(
        PaperModel(
            f"Combination-CL, {precision}",
            "consistency",
            "combination",
            (("training.precision", precision),),
            seeds=(0, 1, 2),
            first_fold_only=True,
        )
        for precision in ("float32", "bf16")
    ),
    PaperModel("No Augmentation, three times the epochs", "none", "none", epochs_factor=3),
)
"""What a sceptic asks of Table 1: whether the precision matters, and whether `none` merely hears and learns less.

Three times the epochs of `none` are as many signals as those of the other methods, and as many updates but for each
epoch's last batch, which is smaller: on the 1600 training clips of ESC-50 216 x 14 = 3024 updates against
72 x 40 = 2880.
"""


def model_name(config: Config) -> str:
    """Return the paper's name of a configuration's method and transform."""
    for model in TABLE_1:
        if (model.method, model.transform) == (config.method, config.views.transform):
            return model.name
    raise AssertionError(f"no model has method {config.method} and transform {config.views.transform}")


def name_on(base: Config, model: PaperModel) -> str:
    """Return a model's name, the table's where it is no other: a control may change nothing of what is set already."""
    config = model.configure(base)
    (usual,) = (known for known in TABLE_1 if (known.method, known.transform) == (model.method, model.transform))
    return usual.name if usual.configure(base) == config else model.name


def find_models(names: list[str], among: tuple[PaperModel, ...], base: Config | None = None) -> tuple[PaperModel, ...]:
    """Return models by name, in the order of `among`; no names: all of them.

    Args:
        names: from a list that was split at its commas, so that a name with a comma is two.
        among: what there is.
        base: the models go by their names on it too; None: by their own only.

    Raises:
        UserError: for an unknown name.
    """
    shown = {name_on(base, model) if base else model.name: model for model in reversed(among)}
    written = {**shown, **{model.name: model for model in among}}
    known = {_key(name): model for name, model in written.items()}
    wanted: set[str] = set()
    for name, following in zip(names, [*names[1:], ""], strict=False):
        key, both = _key(name), f"{_key(name)},-{_key(following)}"
        if both in known:
            wanted.add(both)
        elif key in known:
            wanted.add(key)
        elif not any(part.endswith(f",-{key}") for part in wanted):
            allowed = ", ".join(f"'{name}'" for name in reversed(shown))
            raise UserError(f"there is no model '{name}'{nearest(name, written)}; the models are {allowed}")
    chosen = {known[key].name for key in wanted}
    return tuple(model for model in among if not names or model.name in chosen)


def _key(name: str) -> str:
    return name.strip().lower().replace(" ", "-")

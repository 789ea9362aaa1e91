"""From configurations to objects: front end, transforms, network, clips on a device, and how weights are found.

The four methods differ by three values: the items an epoch visits, the views made of an item (both in `items`), and the
objective.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float32, Int16, Int64
from torch import Tensor

from cohear import keys
from cohear.augmentation import build_augmentation
from cohear.data.decoding import FULL_SCALE
from cohear.data.kept_log_mels import KeptLogMels, open_kept
from cohear.data.store import Store
from cohear.errors import UserError
from cohear.evaluation.measure import EVALUATION_SEED, N_VIEWS
from cohear.kept_views import TRAINING_POOL, ViewPool, variants
from cohear.metrics.tasks import SINGLE_LABEL, Targets, Task
from cohear.models import FrontEnd, LogMel, NetworkWithHead
from cohear.models import build_network as build_by_name
from cohear.objectives import (
    LIKELIHOODS,
    ClassificationObjective,
    ConsistencyObjective,
    linear_ramp,
    step_decay,
    warm_cosine,
)
from cohear.runs.config import ENCODER_FACTS, Config
from cohear.runs.identity import NUMERICS
from cohear.runtime.devices import can_compile
from cohear.runtime.files import cache_folder
from cohear.tensors import on_device
from cohear.training.batches import Items
from cohear.training.inputs import Schedule
from cohear.transforms import Transform
from cohear.views import ViewMaker

if TYPE_CHECKING:
    from cohear.models.onnx_files import OpenModel

COMMON_RECIPE = "combination"
"""Whose views every run is measured with, so that its `jsd` compares; with the parameters of the paper."""


ReadWaveforms = Callable[[Int64[np.ndarray, " batch"]], Float32[Tensor, "batch time"]]
"""Rows of a store to waveforms on the device of training."""

_GPU_SHARE = 0.25
"""Of a GPU's free memory that the clips may take."""


def method_items(method: str, n_transformed: int, standard_reads: str) -> Items:
    """Return the items that a method makes of each clip; view 0 is the clean clip."""
    views = range(1 + n_transformed)
    if method == "none":
        return Items(((0,),))
    if method == "standard":
        return Items(tuple((view,) for view in views), draws_one=standard_reads == "one")
    return Items((tuple(views),))


def build_front_end(config: Config, encoder: "OpenModel | None" = None) -> FrontEnd:
    """Make what the network hears by: the log-mel front end, or a frozen encoder.

    Args:
        config: resolved.
        encoder: where it is open already; else it is opened from its file.

    Raises:
        UserError: where mel bands cannot be made, or the encoder cannot be used.
    """
    options = config.encoder
    if options.file is None:
        return build_log_mel(config)
    from cohear.models.encoder import Encoder, EncoderFacts  # most runs have none
    from cohear.models.onnx_files import open_file

    if None in (options.window, options.n_features, options.input, options.output, options.digest):
        raise UserError(f"too little is said of the encoder '{options.file}': train or pack the model anew")
    facts = EncoderFacts(config.data.sample_rate, **options.model_dump(include=ENCODER_FACTS))
    return Encoder(encoder or open_file(Path(options.file)), facts, options.pooling)


def build_log_mel(config: Config) -> LogMel:
    """Make the log-mel spectrogram, which people see also where an encoder hears.

    Raises:
        UserError: where its mel bands cannot be made.
    """
    kind, options = LogMel, config.front_end.model_dump(exclude={"filters"})
    if config.front_end.filters == "kaldi":
        from cohear.models.kaldi_log_mel import KaldiLogMel as kind  # few networks hear so
    return kind(config.data.sample_rate, **options)


def build_transform(config: Config, recipe: str | None = None) -> Transform | None:
    """Make the transform of a recipe, the configuration's own where none is given; None for `none`.

    Raises:
        UserError: where the recipe names rooms or sounds that cannot be used.
    """
    return build_augmentation(config.views.transform if recipe is None else recipe, config.data.sample_rate)


def shown_recipe(config: Config) -> str:
    """Return the recipe whose views a run is followed with: its own, for `none` the common one."""
    return COMMON_RECIPE if config.views.transform == "none" else config.views.transform


def build_view_maker(config: Config, recipe: str | None = None) -> ViewMaker:
    """Make the maker of views; arguments as for `build_transform`."""
    return ViewMaker(build_transform(config, recipe), build_front_end(config))


def open_kept_views(config: Config, store: Store, view_maker: ViewMaker) -> KeptLogMels | None:
    """Open where log-mels lie that training makes once, clean clips and few outcomes; None where none is kept.

    Args:
        config: resolved.
        store: the clips.
        view_maker: transform and front end.
    """
    if not config.views.kept or config.encoder.file is not None:
        return None
    names = variants(view_maker)
    return _open_kept(config, store, view_maker, len(names), {"variants": names})


def open_fixed_views(config: Config, store: Store, view_maker: ViewMaker, recipe: str) -> ViewPool | None:
    """Open where the views lie that are measured; None where none is kept.

    Args:
        config: resolved.
        store: the clips.
        view_maker: transform and front end.
        recipe: of the transform.
    """
    if not config.views.kept:
        return None
    made_by = {"recipe": [recipe, view_maker.transform and view_maker.transform.content_hash()]}
    kept = _open_kept(config, store, view_maker, N_VIEWS, made_by)
    return ViewPool(kept, view_maker, N_VIEWS - 1, EVALUATION_SEED)


def open_training_pool(config: Config, store: Store, view_maker: ViewMaker) -> ViewPool | None:
    """Open where the views lie that a frozen encoder hears; None where none does.

    Args:
        config: resolved.
        store: the clips.
        view_maker: transform and encoder.

    Raises:
        UserError: where they cannot be kept.
    """
    if config.encoder.file is None:
        return None
    transform, n_views = view_maker.transform, config.encoder.n_views if view_maker.transform else 0
    made_by = {"pool": [transform and [config.views.transform, transform.content_hash()], n_views]}
    kept = _open_kept(config, store, view_maker, 1 + n_views, made_by)
    if kept.path is None:
        raise UserError(
            f"the embeddings of {len(store)} clips cannot be kept in '{cache_folder()}', as was said; make room there, "
            "or name another place by COHEAR_CACHE"
        )
    return ViewPool(kept, view_maker, n_views, TRAINING_POOL)


def _open_kept(
    config: Config, store: Store, view_maker: ViewMaker, n_variants: int, made_by: Mapping[str, Any]
) -> KeptLogMels:
    front_end = view_maker.front_end
    made_of: dict[str, Any] = {
        "numerics": [NUMERICS, torch.__version__],
        "clips": store.contents,
        "data": config.data.model_dump(include={"sample_rate", "clip_s", "short"}),
        "device": front_end.device.type,
        **made_by,
    }
    if config.encoder.file is None:
        made_of["front_end"] = config.front_end.model_dump()
    else:
        made_of["encoder"] = [config.encoder.heard_by(), version("onnxruntime")]
    return open_kept(made_of, len(store), n_variants, (front_end.n_bands, front_end.n_frames(store.n_samples)))


def build_network(config: Config, n_classes: int) -> NetworkWithHead:
    """Make the network with the seed's initial weights.

    Raises:
        UserError: for a network that is not there, or settings that are of no use to it.
    """
    generator = torch.Generator().manual_seed(int(keys.key(config.seed, "weights") >> 1))
    options = config.network
    settings = {**options.model_dump(exclude={"name"}), "n_bands": n_bands(config)}
    network = build_by_name(options.name, settings, n_classes, generator)
    if options.trained_blocks is not None:
        network.train_last(options.trained_blocks)
    return network


def n_bands(config: Config) -> int:
    """Return how many rows the front end gives."""
    return config.front_end.n_mels if config.encoder.file is None else config.encoder.n_features or 1


def build_on_meta(config: Config, n_classes: int = 2) -> NetworkWithHead:
    """Make the network without its weights: names and shapes are there, and what it needs to hear."""
    with torch.device("meta"):
        return build_network(config, n_classes)


def is_compiled(config: Config, device: torch.device, n_processes: int = 1) -> bool:
    """Whether the network is compiled for a device: as the configuration says, else where that is worth its time."""
    wanted = config.training.compile
    return can_compile(device, n_processes) if wanted is None else wanted


def build_schedule(
    config: Config, task: Task = SINGLE_LABEL, targets: Targets | None = None, n_classes: int = 0
) -> Schedule:
    """Say how weights are found: items, objective and schedules.

    Args:
        config: resolved.
        task: what is asked of each clip.
        targets: of the training clips; None: classes of equal weight.
        n_classes: K, where there are targets.
    """
    options, optimizer, training = config.objective, config.optimizer, config.training
    class_weights, is_consistency = None, config.method == "consistency"
    if targets is not None and training.balance == "weights":
        class_weights = tuple(task.class_weights(task.truth(targets, n_classes)).tolist())
    classified = {"likelihood": LIKELIHOODS[task.likelihood], "class_weights": class_weights}
    which = options.classified_views, options.over_views
    objective = ClassificationObjective(*which, **classified)
    if is_consistency:
        objective = ConsistencyObjective(*which, options.divergence, options.representation, **classified)
    learning_rate = functools.partial(
        step_decay, initial=optimizer.learning_rate, factor=optimizer.decay_factor, every=optimizer.decay_epochs
    )
    if optimizer.schedule == "cosine":
        highest, warmup_epochs = optimizer.learning_rate, optimizer.warmup_epochs
        learning_rate = functools.partial(
            warm_cosine, n_epochs=training.epochs, highest=highest, warmup_epochs=warmup_epochs
        )
    return Schedule(
        items=method_items(config.method, config.views.n_transformed, config.views.standard_reads),
        objective=objective,
        n_epochs=training.epochs,
        batch_size=training.batch_size,
        seed=config.seed,
        learning_rate=learning_rate,
        consistency_weight=functools.partial(
            linear_ramp,
            final=options.consistency_weight if is_consistency else 0.0,
            n_epochs=options.ramp_epochs,
            offset=options.ramp_offset,
        ),
        weight_decay=optimizer.weight_decay,
        layer_decay=optimizer.layer_decay,
        averaging_epochs=optimizer.averaging_epochs,
        mixup=training.mixup,
        draws_classes_equally=training.balance == "sampling",
        patience=training.patience,
        drops_nonfinite=training.on_nonfinite == "skip",
    )


@dataclass(frozen=True, eq=False)
class ResidentClips:
    """All clips of a store on one device, in 16 bits."""

    waveforms: Int16[Tensor, "clip time"]
    scales: Float32[Tensor, " clip"]

    @classmethod
    def of(cls, store: Store, device: torch.device) -> "ResidentClips":
        """Copy a store to a device."""
        steps = store.rows.read(np.arange(len(store)))
        return cls(torch.from_numpy(steps).to(device), torch.from_numpy(store.scales).to(device))

    def read(self, rows: Int64[np.ndarray, " batch"]) -> Float32[Tensor, "batch time"]:
        """Return the waveforms of some rows, bit for bit those of `Store.read`."""
        places = on_device(rows, self.waveforms.device)
        return self.waveforms[places].float() * (self.scales[places] / FULL_SCALE)[:, None]


def waveform_reader(store: Store, device: torch.device) -> ReadWaveforms:
    """Return how a device gets the clips of a store; what is copied to a GPU stays there for the runs that follow."""
    resident = _resident(store, device) if device.type == "cuda" else None
    return (lambda rows: on_device(store.read(rows), device)) if resident is None else resident.read


@functools.lru_cache(maxsize=1)
def _resident(store: Store, device: torch.device) -> ResidentClips | None:
    fits = store.rows.n_bytes < _GPU_SHARE * torch.cuda.mem_get_info(device)[0]
    return ResidentClips.of(store, device) if fits else None

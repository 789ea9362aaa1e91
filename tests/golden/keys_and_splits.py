"""Keys, numbers drawn from them, and who is trained on what when: everything that needs no torch.

Printed as JSON where this file is run by itself, by any Python that has numpy, jaxtyping, soundfile and soxr.
"""

import hashlib
import json
import sys
from typing import Any

import numpy as np

from cohear import keys
from cohear.data.folds import assign_folds, split, with_validation
from cohear.metrics.tasks import task_of
from cohear.training.batches import Batch, Items, balanced_visits, epoch_batches, sampling_classes

ITEMS: dict[str, Items] = {
    "none": Items(((0,),)),
    "standard": Items(((0,), (1,), (2,))),
    "standard, one": Items(((0,), (1,), (2,)), draws_one=True),
    "bda": Items(((0, 1, 2),)),
    "consistency": Items(((0, 1, 2),)),
}
"""Of the four methods, one in two readings."""
CLASSES = np.array([0] * 9 + [1] * 4 + [2] * 2)
"""Of clips, unequally often."""
MARKS = ("wind", "rain", "bird", "frog", "car", "bell", "step", "dog")


def keys_and_splits() -> dict[str, Any]:
    """Compute all of it; lists, whole numbers and floats that JSON keeps exactly."""
    return {"keys": _keys(), "numbers": _numbers(), "folds": _folds(), "batches": _batches(), "balance": _balance()}


def _keys() -> dict[str, Any]:
    texts = ("", "views", "order", "place1/siren-03.wav", "Straße/日本語.flac")
    clips = np.array([keys.hash_text(text) for text in texts[3:]], np.uint64)
    clip_keys = keys.fold_in(keys.fold_in(keys.key(7, "views"), 3), clips)
    return {
        "hash_text": {text: keys.hash_text(text) for text in texts},
        "key": {f"{seed} {purpose}": int(keys.key(seed, purpose)) for seed in (0, 1, 2**63 - 1) for purpose in texts},
        "views of clips": keys.fold_in(clip_keys[:, None], np.arange(3)).tolist(),
        "fold_in": keys.fold_in(keys.key(0, "views"), np.array([0, 1, 2**32, 2**64 - 1], np.uint64)).tolist(),
    }


def _numbers() -> dict[str, Any]:
    some = keys.fold_in(keys.key(0, "views"), np.arange(3))
    many = keys.fold_in(keys.key(0, "views"), np.arange(1000))
    return {
        "random_bits": keys.random_bits(some, 5).tolist(),
        "uniform": keys.uniform(some, 5).tolist(),
        "integers": keys.integers(some, 5, 1000).tolist(),
        "permutation": keys.permutation(keys.key(0, "order"), 50).tolist(),
        "many uniform": _digest(keys.uniform(many, 100)),
        "many integers": _digest(keys.integers(many, 100, 2**32 - 1)),
        "long permutation": _digest(keys.permutation(keys.key(1, "order"), 100_000)),
    }


def _folds() -> dict[str, Any]:
    alone = [str(clip) for clip in range(60)]
    single = [MARKS[clip % 5] for clip in range(60)]
    several = [tuple(m for m, at in zip(MARKS, (2, 3, 5, 7, 4, 9, 11, 13), strict=True) if clip % at == 0)
               for clip in range(60)]  # fmt: skip
    recordings = [f"recording {clip // 4}" for clip in range(60)]
    found = {}
    for name, labels, groups in (
        ("one label", single, alone),
        ("one label, recordings", single, recordings),
        ("several labels", several, alone),
        ("several labels, recordings", several, recordings),
    ):
        folds = assign_folds(labels, groups, 4, seed=5)
        parts = with_validation(split(labels, folds, groups, 2), labels, groups, 0.2)
        found[name] = {
            "folds": folds.tolist(),
            "train": parts.train.tolist(),
            "validation": parts.validation.tolist(),
            "test": parts.test.tolist(),
        }
    return found


def _batches() -> dict[str, Any]:
    return {
        method: {
            f"seed {seed} epoch {epoch}": [_as_lists(batch) for batch in epoch_batches(13, items, 12, seed, epoch)]
            for seed, epoch in ((0, 0), (0, 1), (9, 71))
        }
        for method, items in ITEMS.items()
    }


def _balance() -> dict[str, Any]:
    rows = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [1, 0, 1], [1, 0, 0]], np.float32)
    return {
        "visits": [[part.tolist() for part in balanced_visits(CLASSES, 3, epoch)] for epoch in range(3)],
        **{
            place: [_as_lists(batch) for batch in epoch_batches(len(CLASSES), ITEMS[name], 12, 3, 1, CLASSES)]
            for place, name in (("batches", "bda"), ("batches of one", "standard, one"))
        },
        "sampling classes": sampling_classes(rows).tolist(),
        "class weights": [
            task_of(t).class_weights(task_of(t).truth(t, k)).tolist() for t, k in ((CLASSES, 4), (rows, 3))
        ],
    }


def _class_weights(targets: np.ndarray, n_classes: int) -> list[float]:
    task = task_of(targets)
    return task.class_weights(task.truth(targets, n_classes)).tolist()


def _as_lists(batch: Batch) -> list[Any]:
    return [batch.clips.tolist(), batch.views.tolist()]


def _digest(array: np.ndarray) -> str:
    return hashlib.blake2b(array.astype(array.dtype.newbyteorder("<")).tobytes(), digest_size=16).hexdigest()


if __name__ == "__main__":
    computed = keys_and_splits()
    assert "torch" not in sys.modules, "torch was imported"
    json.dump({"numpy": np.__version__, "found": computed}, sys.stdout)

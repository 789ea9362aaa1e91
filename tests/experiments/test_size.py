"""A run is small enough for git: a fold of ESC-50, 72 epochs of it, each of them measured, in at most 100 KB."""

import json
from fnmatch import fnmatch
from pathlib import Path

import numpy as np
import pytest

from cohear.experiments.build import prepare_data
from cohear.experiments.predictions import round_predictions, write_predictions
from cohear.experiments.presets import change, parse_override, preset
from cohear.experiments.runs import RunRequest, execute
from tiny import TINY

MOST_BYTES = 100_000
N_CLIPS, N_CLASSES, N_EPOCHS = 400, 50, 72
IGNORED = (Path(__file__).parents[2] / "results" / ".gitignore").read_text().splitlines()[1:]


def committed(folder: Path) -> set[Path]:
    return {
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(fnmatch(part, name.rstrip("/")) for name in IGNORED for part in path.relative_to(folder).parts)
    }


@pytest.mark.slow
def test_a_run_of_the_papers_size_takes_less_than_100_kb_in_git(tones, tmp_path):
    config = change(preset("paper"), dict(parse_override(text) for text in (*TINY, "training.epochs=1")))
    execute(RunRequest(tones, config, track="every"), prepare_data(tones, config), tmp_path)
    assert {path.name for path in committed(tmp_path)} == {
        *("config.json", "environment.json", "history.jsonl", "metrics.json", "predictions.safetensors"),
    }
    random = np.random.default_rng(0)
    # The run made as large as the paper's: its epochs, its clips and its classes.
    record = json.loads((tmp_path / "history.jsonl").read_text())
    measured = [name for name, value in record.items() if isinstance(value, float) and name != "duration_s"]
    assert len(measured) >= 10
    lines = [{**record, **dict(zip(measured, random.random(len(measured)), strict=True))} for _ in range(N_EPOCHS)]
    assert json.dumps(record, separators=(",", ":")) == (tmp_path / "history.jsonl").read_text().strip()
    texts = [json.dumps(line, separators=(",", ":")) for line in lines]
    (tmp_path / "history.jsonl").write_text("\n".join(texts) + "\n")
    classes = tuple(f"hand_saw_or_so_{label}" for label in range(N_CLASSES))
    facts = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**facts, "classes": classes}, indent=2))
    write_predictions(
        tmp_path,
        round_predictions(
            classes,
            tuple(f"audio/5-{100_000 + clip}-A-{clip % N_CLASSES}.wav" for clip in range(N_CLIPS)),
            tuple(str(100_000 + clip) for clip in range(N_CLIPS)),
            np.arange(N_CLIPS) % N_CLASSES,
            np.log(random.dirichlet(np.ones(N_CLASSES), N_CLIPS)),
            random.random(N_CLIPS),
        ),
    )
    sizes = {path.name: path.stat().st_size for path in committed(tmp_path)}
    assert 0.9 * MOST_BYTES < sum(sizes.values()) <= MOST_BYTES, sizes

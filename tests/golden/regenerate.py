"""Write the golden files anew: `python tests/golden/regenerate.py`.

Only for a change that is meant to alter numbers; it raises NUMERICS in runs/identity.py and is told in the
changelog.
"""

import json
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from cohear.runs.config import change, parse_override  # noqa: E402
from cohear.runs.execution import execute  # noqa: E402
from cohear.runs.plan import Plan, list_clips  # noqa: E402
from cohear.runs.presets import quarter  # noqa: E402
from golden.keys_and_splits import keys_and_splits  # noqa: E402
from golden.transformed import drawn, log_mels, made_up_clips, transformed  # noqa: E402
from tiny import TINY, write_tones  # noqa: E402

RECIPE = "views.transform=pitch,reverb(n_rooms=4)"


def loss_curve(folder: Path) -> list[dict[str, float]]:
    """Train for seven epochs of three steps on tiny sounds, and return each epoch's losses."""
    changes = dict(parse_override(text) for text in (*TINY, "training.epochs=7", "views.kept=false", RECIPE))
    listing = list_clips(write_tones(folder / "sounds"), change(quarter(), changes), chosen=changes)
    run, _ = execute(Plan(listing.config, listing.decode(), track="end", out=folder / "run"))
    return [{name: record[name] for name in ("loss", "classification", "consistency")} for record in run.history]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        curve = loss_curve(Path(folder))
    (HERE / "loss_curve.json").write_text(json.dumps(curve, indent=1) + "\n")
    (HERE / "keys_and_splits.json").write_text(json.dumps(keys_and_splits(), ensure_ascii=False) + "\n", "utf-8")
    (HERE / "drawn.json").write_text(json.dumps(drawn()) + "\n")
    clips = made_up_clips()
    waveforms = {name: waveform.float() for name, waveform in transformed(clips.double()).items()}
    save_file({"clips": clips, **waveforms}, HERE / "waveforms.safetensors")
    save_file(log_mels(clips), HERE / "log_mels.safetensors")

"""Make up the frogs, the night and the pumps of docs/log.md, and count calls: how the README's figure was found.

python docs/frogs_sounds.py frogs-day
cohear train frogs-day/frogs --background night --out runs/frogs
cohear predict runs/frogs frogs-day/night.wav --events > events.csv
python docs/frogs_sounds.py frogs-day events.csv
"""

import csv
import sys
from pathlib import Path

import numpy as np
import soundfile

RATE = 22050
FROGS = {"Hyla": (2800, 0.08, 6), "Rana": (700, 0.35, 2), "Bufo": (1400, 1.2, 1), "Pelo": (1900, 0.15, 4)}
FROGS["Bomb"] = (480, 0.2, 3)
"""Hz, seconds of a note, and about how many notes."""


def call(name: str, rng: np.random.Generator) -> np.ndarray:
    """Return one call, `[time]`."""
    pitch_hz, note_s, n_notes = FROGS[name]
    notes = []
    for _ in range(max(1, n_notes + rng.integers(-1, 2))):
        t = np.arange(int(note_s * rng.uniform(0.8, 1.2) * RATE)) / RATE
        note = np.sin(2 * np.pi * pitch_hz * rng.uniform(0.96, 1.04) * t + 0.5 * np.sin(2 * np.pi * 30 * t))
        notes += [note * np.sin(np.pi * np.arange(len(t)) / len(t)) ** 0.5, np.zeros(int(0.06 * RATE))]
    return 0.3 * rng.uniform(0.4, 1) * np.concatenate(notes)


def night(n_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return wind and hiss, `[time]`."""
    wind = np.cumsum(rng.standard_normal(n_samples))
    wind -= np.convolve(wind, np.ones(200) / 200, "same")
    return wind / np.abs(wind).max() * 0.02 + 0.003 * rng.standard_normal(n_samples)


def write(folder: Path) -> None:
    """Write clips of five species and of night, ten minutes of night with calls, and pumps."""
    rng = np.random.default_rng(3)
    for name in [*FROGS, "night"]:
        (folder / "frogs" / name).mkdir(parents=True, exist_ok=True)
    for name in FROGS:
        for i in range(20):
            one, (before_s, after_s) = call(name, rng), rng.uniform(0.1, 1.4, 2)
            wave, start = night(int((before_s + after_s) * RATE) + len(one), rng), int(before_s * RATE)
            wave[start : start + len(one)] += one
            soundfile.write(folder / "frogs" / name / f"{name}{i:02}.wav", wave, RATE)
    for i in range(20):
        soundfile.write(folder / "frogs" / "night" / f"n{i:02}.wav", night(int(rng.uniform(1, 3.5) * RATE), rng), RATE)
    recording, truth, at_s = night(600 * RATE, rng), [], 5.0
    while at_s < 590:
        name = list(FROGS)[rng.integers(5)]
        one, start = call(name, rng), int(at_s * RATE)
        recording[start : start + len(one)] += one
        truth.append(f"{at_s:.2f}\t{at_s + len(one) / RATE:.2f}\t{name}")
        at_s += len(one) / RATE + rng.uniform(4, 18)
    soundfile.write(folder / "night.wav", recording, RATE)
    (folder / "truth.txt").write_text("\n".join(truth) + "\n")
    for label, n_clips in (("healthy", 40), ("broken", 6)):
        (folder / "pumps" / label).mkdir(parents=True, exist_ok=True)
        for i in range(n_clips):
            t, hum_hz = np.arange(3 * RATE) / RATE, rng.uniform(45, 55)
            hum = sum(np.sin(2 * np.pi * hum_hz * h * t + rng.uniform(0, 6)) / h for h in range(1, 12)) * 0.05
            wave = hum + 0.02 * rng.standard_normal(len(t))
            for knock_s in np.arange(0, 3, rng.uniform(0.25, 0.4)) if label == "broken" else ():
                place = slice(int(knock_s * RATE), int(knock_s * RATE) + 400)
                wave[place] += 0.05 * rng.standard_normal(400)[: len(wave[place])]
            soundfile.write(folder / "pumps" / label / f"{label}{i:02}.wav", wave, RATE)


def count(folder: Path, events: Path) -> str:
    """Say how many calls were found under the right label, and how many events are none."""
    lines = [line.split("\t") for line in (folder / "truth.txt").read_text().splitlines()]
    calls = [(float(start), float(end), name) for start, end, name in lines]
    rows = csv.DictReader(events.read_text().splitlines())
    heard = [(float(row["start_s"]), float(row["end_s"]), row["label"]) for row in rows]
    found = sum(any(s < end and e > start and n == name for s, e, n in heard) for start, end, name in calls)
    false = sum(not any(s < end and e > start and n == name for start, end, name in calls) for s, e, n in heard)
    return f"{found} of {len(calls)} calls found, {false} of {len(heard)} events are none"


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    place = Path(sys.argv[1])
    if len(sys.argv) > 2:
        print(count(place, Path(sys.argv[2])))
    else:
        write(place)

"""Commands on an encoder: train, search, review."""

import csv
import io

import soundfile

from cli.conftest import noise
from made_encoders import write_encoder
from tiny import write_classes


def test_a_folder_of_sounds_and_an_encoder_are_all_that_is_needed(cohear, tmp_path):
    sounds, encoder = write_classes(tmp_path / "sounds", n_clips=16), write_encoder(tmp_path / "tones.onnx")
    run = tmp_path / "run"
    said = cohear("train", sounds, "--encoder", encoder, "--epochs", "2", "--out", run)
    assert said.status == 0, said
    assert "preset probe, since there is an encoder" in said.err
    assert "8000 Hz, as the encoder hears" in said.err
    soundfile.write(tmp_path / "night.wav", noise(1, 2.0), 8000)
    again = cohear("predict", run, tmp_path / "night.wav", "--review", "2", "--out", tmp_path / "to label")
    assert again.status == 0, again
    rows = list(csv.DictReader(io.StringIO((tmp_path / "to label" / "review.csv").read_text())))
    assert [row["label"] for row in rows] == ["", ""]
    filled = "".join(f"{row['path']},tone{number},{row['group']}\n" for number, row in enumerate(rows))
    (tmp_path / "to label" / "review.csv").write_text(f"path,label,group\n{filled}")
    on_all = "--fold", "all", "--init", run, "--out", tmp_path / "second", "--epochs", "1"
    second = cohear("train", tmp_path / "to label" / "review.csv", *on_all)
    assert second.status == 0, second
    assert "preset probe, since there is an encoder" in second.err
    assert (tmp_path / "to label" / rows[0]["path"]).exists()
    assert cohear("predict", run, tmp_path / "night.wav", "--review", "1").refuses("--out DIR")
    assert cohear("train", sounds, "--encoder", tmp_path / "night.wav").refuses("ONNX")
    assert cohear("train", sounds, "--encoder", encoder, "--transform", "masking").refuses("masking")


def test_search_prints_windows_by_similarity_and_names_what_it_cannot_hear(cohear, tmp_path):
    encoder, night = write_encoder(tmp_path / "tones.onnx"), tmp_path / "night"
    night.mkdir()
    for seed in range(2):
        soundfile.write(night / f"{seed}.wav", noise(seed), 8000)
    said = cohear("search", encoder, night, "--like", night / "1.wav", "--n", "3")
    assert said.status == 0, said
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert list(rows[0]) == ["path", "start_s", "end_s", "similarity"]
    similarities = [float(row["similarity"]) for row in rows]
    assert similarities == sorted(similarities, reverse=True)
    assert rows[0]["path"].endswith("1.wav")
    assert similarities[0] > 0.9999
    (night / "bad.wav").write_bytes(b"RIFF")
    said = cohear("search", encoder, night, "--like", night / "1.wav")
    assert said.status == 2
    assert "bad.wav" in said.err
    assert "1.wav" in said.out
    assert cohear("search", encoder, night).refuses("--like")
    assert cohear("search", tmp_path / "nothing.onnx", night, "--like", night / "1.wav").refuses("nothing.onnx")

"""`cohear predict --parquet`: a table for each recording, gone on with, here and by others, of files and addresses."""

import json
import os
import pickle
import shutil
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cohear as package
from cohear.inference.bulk import How, plan_listening
from cohear.inference.recordings import find_recordings
from cohear.runs.elsewhere import Task
from cohear.runs.grid import EXECUTORS
from cohear.runtime import disk
from cohear.runtime.interrupts import Interrupted

pq = pytest.importorskip("pyarrow.parquet")

NAMES = ("june.wav", "site/july.flac")
"""Of what is sound."""


@pytest.fixture(scope="module")
def pond(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings, one of which is no sound."""
    folder, time_s = tmp_path_factory.mktemp("pond"), np.arange(3 * 9600) / 8000
    (folder / "site").mkdir()
    for name, hz in (("june.wav", 300), ("site/july.flac", 600)):
        tone = 0.3 * np.sin(2 * np.pi * hz * time_s) + 0.05 * np.random.default_rng(hz).standard_normal(len(time_s))
        soundfile.write(folder / name, tone, 8000)
    (folder / "site" / "torn.wav").write_bytes(b"RIFF")
    return folder


def tables(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*.parquet"))}


def table_of(out: Path, recording: Path | str, kind: str = "windows") -> Path:
    return out / kind / f"{str(recording).replace('://', '/').lstrip('/')}.parquet"


def rows_of(path: Path) -> list[tuple]:
    columns = ("start_s", "end_s", "label", "probability")
    return [tuple(row[name] for name in columns) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("events", [False, True])
def test_tables_hold_what_is_heard_and_failures_have_one_of_their_own(cohear, trained, pond, tmp_path, events):
    chosen = ["--events", "--threshold", 0.2] if events else ["--with-embeddings"]
    said = cohear("predict", trained, pond, "--parquet", tmp_path, *chosen)
    assert said.refuses("1 of 3 recordings", tmp_path / "failed.parquet")
    kind = "events" if events else "windows"
    there = {tmp_path / "failed.parquet", *(table_of(tmp_path, pond / name, kind) for name in NAMES)}
    assert {*tmp_path.rglob("*.parquet")} == there
    classifier = package.load(trained)
    how = {"events": True, "threshold": 0.2} if events else {}
    for name in NAMES:
        table = table_of(tmp_path, pond / name, kind)
        expected = [tuple(row) for row in classifier.predict(pond / name, **how)]
        assert rows_of(table) == [(*times, label, pytest.approx(p)) for *times, label, p in expected]
        read = pq.read_table(table)
        assert set(read["path"].to_pylist()) == {str(pond / name)}
        assert set(read["run"].to_pylist()) == {package.Run(trained).record.identity}
        if not events:
            embeddings = np.stack(read["embedding"].to_numpy(zero_copy_only=False))
            assert np.array_equal(embeddings, classifier.embed(pond / name))
    (failed,) = pq.read_table(tmp_path / "failed.parquet").to_pylist()
    assert (failed["path"], failed["heard_s"], failed["damaged"]) == (str(pond / "site" / "torn.wav"), 0, True)
    assert "torn.wav" in failed["said"]


def test_a_second_call_hears_only_what_is_missing(cohear, trained, pond, tmp_path):
    sounds, out = tmp_path / "sounds", tmp_path / "heard"
    shutil.copytree(pond, sounds)
    cohear("predict", trained, sounds, "--parquet", out)
    before = {path: path.stat().st_mtime_ns for path in (out / "windows").rglob("*.parquet")}
    shutil.copy(sounds / "june.wav", sounds / "site" / "torn.wav")  # it was copied again, whole
    said = cohear("predict", trained, sounds, "--parquet", out)
    assert (said.status, said.out) == (0, "")
    assert "2 were heard before" in said.err
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert rows_of(table_of(out, sounds / "site/torn.wav")) == rows_of(table_of(out, sounds / "june.wav"))
    assert pq.read_table(out / "failed.parquet").num_rows == 0


def test_what_was_stopped_in_a_recording_leaves_nothing_half_and_ends_in_the_same_bytes(trained, pond, tmp_path):
    recordings = find_recordings([pond / "june.wav", pond / "site" / "july.flac"])
    unbroken = plan_listening(trained, recordings, tmp_path / "unbroken", How(hop_s=0.1))
    assert EXECUTORS["local"](unbroken, 1, lambda *_: None, None) == []

    broken = plan_listening(trained, recordings, tmp_path / "broken", How(hop_s=0.1), n_jobs=1)

    def stop(share: float) -> None:
        if 0.5 < share < 1:
            raise Interrupted("stopped", None)

    for index in range(len(broken)):
        with pytest.raises(Interrupted):
            broken.do(index, stop, None)
    assert [*tables(broken.out)] == []
    assert not list(broken.out.rglob(".*.partial"))
    assert EXECUTORS["local"](broken, 1, lambda *_: None, None) == []
    assert tables(broken.out) == tables(unbroken.out)


def test_a_folder_holds_what_one_classifier_heard_in_one_way(cohear, trained, pond, tmp_path):
    assert cohear("predict", trained, pond / "june.wav", "--parquet", tmp_path).status == 0
    assert cohear("predict", trained, pond / "june.wav", "--parquet", tmp_path, "--top", 2).refuses("made-by.json")
    assert cohear("predict", trained, pond / "june.wav", "--parquet", tmp_path).status == 0


def test_a_recording_has_one_table_whichever_folder_it_is_found_in_and_no_other_has_it(cohear, trained, pond, tmp_path):
    heard, other = tmp_path / "heard", tmp_path / "other"
    other.mkdir()
    shutil.copy(pond / "june.wav", other)
    cohear("predict", trained, pond / "site", other, "--parquet", heard)
    assert "2 were heard before" in cohear("predict", trained, pond, tmp_path / "other", "--parquet", heard).err
    paths = [pq.read_table(path)["path"][0].as_py() for path in (heard / "windows").rglob("*.parquet")]
    assert sorted(paths) == sorted(map(str, (pond / "june.wav", pond / "site" / "july.flac", other / "june.wav")))


def test_a_recording_that_is_newer_than_its_table_is_heard_again(cohear, trained, pond, tmp_path):
    shutil.copy(pond / "site" / "july.flac", tmp_path)
    cohear("predict", trained, tmp_path / "july.flac", "--parquet", tmp_path / "heard")
    (table,) = (tmp_path / "heard" / "windows").rglob("*.parquet")
    shutil.copy(pond / "june.wav", tmp_path / "july.flac")  # a recorder was still writing
    later_s = table.stat().st_mtime + 1
    os.utime(tmp_path / "july.flac", (later_s, later_s))
    before = rows_of(table)
    cohear("predict", trained, tmp_path / "july.flac", "--parquet", tmp_path / "heard")
    assert rows_of(table) != before


def test_tables_are_written_here(cohear, trained, pond):
    assert cohear("predict", trained, pond, "--parquet", "s3://recorder/heard").refuses("s3://recorder/heard")
    assert not Path("s3:").exists()


def test_failures_of_all_calls_are_listed_until_they_are_heard_to_their_end(cohear, trained, pond, tmp_path):
    sounds, heard = tmp_path / "sounds", tmp_path / "heard"
    (sounds / "a").mkdir(parents=True)
    (sounds / "b").mkdir()
    whole = (pond / "june.wav").read_bytes()
    (sounds / "a" / "half.wav").write_bytes(whole[: len(whole) // 2])
    shutil.copy(pond / "june.wav", sounds / "b")
    assert cohear("predict", trained, sounds / "a", "--parquet", heard).refuses("1 of 1")
    assert cohear("predict", trained, sounds / "b", "--parquet", heard).status == 0
    (failed,) = pq.read_table(heard / "failed.parquet").to_pylist()
    assert 0 < failed["heard_s"] < 3.6
    assert rows_of(table_of(heard, sounds / "a/half.wav"))
    (sounds / "a" / "half.wav").write_bytes(whole)
    assert cohear("predict", trained, sounds / "a", "--parquet", heard).status == 0
    assert rows_of(table_of(heard, sounds / "a/half.wav"))[-1][1] == 3.6
    assert pq.read_table(heard / "failed.parquet").num_rows == 0


def test_a_kill_between_note_and_table_loses_no_failure(cohear, trained, pond, tmp_path, monkeypatch):
    whole = (pond / "june.wav").read_bytes()
    (tmp_path / "half.wav").write_bytes(whole[: len(whole) // 2])
    rename = disk.rename

    def die(source: Path, target: Path) -> None:
        if target.name == "half.wav.parquet":
            raise Interrupted("killed", 9)
        rename(source, target)

    monkeypatch.setattr(disk, "rename", die)
    cohear("predict", trained, tmp_path / "half.wav", "--parquet", tmp_path / "heard")
    monkeypatch.setattr(disk, "rename", rename)
    assert pq.read_table(tmp_path / "heard" / "failed.parquet").num_rows == 1
    assert cohear("predict", trained, tmp_path / "half.wav", "--parquet", tmp_path / "heard").refuses("1 of 1")


def test_names_that_no_file_system_or_text_takes_stop_no_other_recording(cohear, trained, pond, tmp_path):
    sounds = tmp_path / "sounds"
    sounds.mkdir()
    for name in (b"b\xfcch.wav", b"n" * 240 + b".wav", b"z.wav"):
        shutil.copy(pond / "june.wav", sounds / os.fsdecode(name))
    assert cohear("predict", trained, sounds, "--parquet", tmp_path / "heard").refuses("1 of 3")
    assert len(list((tmp_path / "heard" / "windows").rglob("*.parquet"))) == 2
    (failed,) = pq.read_table(tmp_path / "heard" / "failed.parquet").to_pylist()
    assert failed["path"].endswith(r"b\udcfcch.wav")


def test_nothing_is_written_outside_of_the_folder(cohear, trained, pond, tmp_path, monkeypatch):
    (tmp_path / "lab" / "deep").mkdir(parents=True)
    (tmp_path / "lab" / "site").mkdir()
    shutil.copy(pond / "june.wav", tmp_path / "lab" / "site")
    monkeypatch.chdir(tmp_path / "lab" / "deep")
    Path("nights.csv").write_text("path\n../site/june.wav\n")
    assert cohear("predict", trained, "nights.csv", "--parquet", "heard").status == 0
    assert rows_of(table_of(Path("heard"), tmp_path / "lab" / "site" / "june.wav"))
    Path("nights.csv").write_text("path\nmemory://up/../../june.wav\n")
    assert cohear("predict", trained, "nights.csv", "--parquet", "heard").refuses("..")


def test_a_worker_of_another_version_or_that_does_not_see_the_recordings_is_named(trained, pond, tmp_path, monkeypatch):
    sounds = tmp_path / "sounds"
    shutil.copytree(pond, sounds)
    work = plan_listening(trained, find_recordings([sounds]), tmp_path / "heard", How())
    with Task.of(work, None) as given:
        task = pickle.loads(pickle.dumps(given)).piece(0)
        with monkeypatch.context() as patch:
            patch.setattr("cohear.runs.elsewhere.version", lambda name: "0.0.1")
            assert "0.0.1" in (task.do().failure or "")
        sounds.rename(tmp_path / "not mounted")
        for begun in (None, {}):
            assert str(sounds) in (task.do(begun=begun).failure or "")
    assert not (tmp_path / "heard" / "windows").exists()


def test_a_worker_that_does_not_see_the_tables_brings_back_those_of_what_was_left(trained, pond, tmp_path):
    plan = plan_listening(trained, find_recordings([pond]), tmp_path / "heard", How())
    plan.do(0, lambda _share: None, None)
    rest = plan.rest()
    assert rest is not None
    assert {one.name for one in rest.recordings} < {one.name for one in plan.recordings}
    with Task.of(rest, None, carries=True) as given:
        task = pickle.loads(pickle.dumps(given))
        (tmp_path / "heard" / given.mark).unlink()  # as on a machine with another folder of that name
        assert str(tmp_path / "heard") in (replace(task, carries=False).do(0).failure or "")
        assert task.do(0).is_apart
        outcome = task.do(0, rest.begun(0))
        assert outcome.is_done
        assert rest.share(0) == 0
        rest.put(0, outcome.files)
    assert rest.share(0) == 1
    whole = plan_listening(trained, find_recordings([pond]), tmp_path / "whole", How())
    for index in range(len(whole)):
        whole.do(index, lambda _share: None, None)
    assert rows_of(rest.table_of(rest.recordings[0])) == rows_of(whole.table_of(rest.recordings[0]))


def test_a_recording_of_tomorrow_is_brought_back_too(trained, pond, tmp_path):
    shutil.copytree(pond, tmp_path / "pond")
    june = tmp_path / "pond" / "june.wav"
    os.utime(june, (tomorrow := time.time() + 86400, tomorrow))
    plan = plan_listening(trained, find_recordings([june]), tmp_path / "heard", How())
    there = plan.apart(tmp_path / "there")
    there.do(0, lambda _share: None, None)
    plan.put(0, there.made(0))
    assert plan.table_of(plan.recordings[0]).exists()


@pytest.mark.parametrize("options", [("--jobs", 2), ("--executor", "ray"), ("--with-embeddings",)])
def test_options_of_tables_are_refused_without_them(cohear, trained, pond, options):
    assert cohear("predict", trained, pond / "june.wav", *options).refuses("--parquet")


def test_a_table_lists_recordings_from_its_folder_on_or_from_anywhere(cohear, trained, pond, tmp_path):
    shutil.copy(pond / "june.wav", tmp_path)
    lines = [{"path": "june.wav"}, {"path": str(pond / "site" / "july.flac")}]
    (tmp_path / "nights.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (tmp_path / "nights.csv").write_text("".join(f"{line}\n" for line in ("path", *(one["path"] for one in lines))))
    by_name = cohear("predict", trained, tmp_path / "june.wav", pond / "site" / "july.flac")
    for table in ("nights.csv", "nights.jsonl"):
        assert cohear("predict", trained, tmp_path / table).out == by_name.out
    (tmp_path / "nights.csv").write_text("file\njune.wav\n")
    assert cohear("predict", trained, tmp_path / "nights.csv").refuses("nights.csv", "path")


def test_addresses_are_heard_as_files_are(cohear, trained, pond, tmp_path):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.put(f"{pond}/", "/recorder/", recursive=True)
    said = cohear("predict", trained, "memory://recorder/june.wav")
    here = cohear("predict", trained, pond / "june.wav")
    assert said.out == here.out.replace(str(pond / "june.wav"), "memory://recorder/june.wav")

    out = tmp_path / "heard"
    assert cohear("predict", trained, "memory://recorder", "--parquet", out, "--jobs", 1).refuses("1 of 3 recordings")
    cohear("predict", trained, pond, "--parquet", tmp_path / "here")
    for name in NAMES:
        far = table_of(out, f"memory://recorder/{name}")
        assert rows_of(far) == rows_of(table_of(tmp_path / "here", pond / name))
    (failed,) = pq.read_table(out / "failed.parquet").to_pylist()
    assert failed["path"] == "memory://recorder/site/torn.wav"
    assert failed["path"] in failed["said"]
    assert cohear("predict", trained, "memory://recorder/*/*.flac").rows
    memory.copy("/recorder/june.wav", "/recorder/night[1].wav")
    assert cohear("predict", trained, "memory://recorder/night[1].wav").rows

    assert cohear("predict", trained, "memory://recorder/nothing.wav").refuses("memory://recorder/nothing.wav")
    assert cohear("predict", trained, "nowhere://recorder/june.wav").refuses("nowhere://recorder/june.wav")
    page = ("--events", "--html", tmp_path / "page.html")
    assert cohear("predict", trained, "memory://recorder/june.wav", *page).refuses("memory://recorder/june.wav")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_server_of_s3_is_heard_too(cohear, trained, pond, tmp_path, monkeypatch):
    server_of = pytest.importorskip("moto.server")
    s3fs = pytest.importorskip("s3fs")
    server = server_of.ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {"AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": "secret"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    try:
        store = s3fs.S3FileSystem()
        store.mkdir("recorder")
        store.put(f"{pond}/", "recorder/2026/", recursive=True)
        out = tmp_path / "heard"
        said = cohear("predict", trained, "s3://recorder/2026/", "--parquet", out, "--jobs", 2)
        assert said.refuses("1 of 3 recordings")
        cohear("predict", trained, pond, "--parquet", tmp_path / "here")
        for name in NAMES:
            address = f"s3://recorder/2026/{name}"
            assert rows_of(table_of(out, address)) == rows_of(table_of(tmp_path / "here", pond / name))
            assert set(pq.read_table(table_of(out, address))["path"].to_pylist()) == {address}
        assert cohear("predict", trained, "s3://recorder/1926/").refuses("s3://recorder/1926/")
        assert cohear("predict", trained, "s3://nobodys/").refuses("s3://nobodys/")
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("by", [("local", "--jobs", 2), ("ray",), ("slurm", "--slurm", "cluster=local")])
def test_whoever_hears_writes_the_same_bytes(cohear, trained, pond, tmp_path, by):
    if by[0] != "local":
        pytest.importorskip({"ray": "ray", "slurm": "submitit"}[by[0]])
    cohear("predict", trained, pond, "--parquet", tmp_path / "here", "--jobs", 1)
    said = cohear("predict", trained, pond, "--parquet", tmp_path / "there", "--executor", *by)
    assert said.refuses("1 of 3 recordings")
    here, there = tables(tmp_path / "here"), tables(tmp_path / "there")
    assert len(here) == 3
    assert there == here


def test_the_query_of_the_documentation_counts_by_the_hour_of_the_clock(cohear, trained, pond, tmp_path, monkeypatch):
    duckdb = pytest.importorskip("duckdb")
    shutil.copy(pond / "june.wav", tmp_path / "20260601_215959.wav")
    cohear("predict", trained, tmp_path, "--parquet", tmp_path / "heard", "--events", "--threshold", 0)
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "beyond-one-machine.md").read_text()
    query = page.partition("```sql\n")[2].partition("```")[0]
    counts = duckdb.sql(query.replace("probability > 0.9", "true")).fetchall()
    events = pq.read_table(table_of(tmp_path / "heard", tmp_path / "20260601_215959.wav", "events")).to_pylist()
    assert {(label, hour) for label, hour, _ in counts} == {
        (event["label"], 21 + (event["start_s"] >= 1)) for event in events
    }
    assert sum(n for *_, n in counts) == len(events)

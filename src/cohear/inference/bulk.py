"""Recordings by the thousand: a Parquet file for each, by whoever has a core, and what is there is not heard again.

    DIR/windows/home/me/night.wav.parquet what was heard in `/home/me/night.wav`; of events in `DIR/events/`
    DIR/failed.parquet                    recordings that could not be heard to their end, or not be judged, and why
    DIR/made-by.json                      by which classifier, and how

Each file is whole or not there. What could not be heard to its end is tried again by the next call.
"""

import functools
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from cohear.data.audio_decoding import AudioStream
from cohear.errors import UserError
from cohear.inference.answers import Prediction, join_windows
from cohear.inference.classifier import Classifier, load
from cohear.inference.parquet import recording_table, require_parquet, write_failed
from cohear.inference.recordings import HeardFile, flaws
from cohear.runs.elsewhere import read_files, replace_files
from cohear.runs.executors import OnShare
from cohear.runtime import disk
from cohear.runtime.files import check_writable, explain_disk_errors, parse_json, read_plain, write_json
from cohear.runtime.interrupts import StopRequest, stop_on_signals

_USUAL_PIECES, _PIECES_PER_JOB = 64, 4
"""Few, as a job that is queued by itself loads the classifier; some, as what one machine leaves others take over."""
_NOTES, _LONGEST_NAME = ".failed", 200
"""The folder of what is to be said of recordings, one file each; bytes of a name, which leave room for endings."""
_STOPPED = "stopped, what was heard is kept"


@dataclass(frozen=True)
class How:
    """What is asked for, as by `Classifier.predict`."""

    top: int | None = None
    hop_s: float | None = None
    threshold: float | None = None
    events: bool = False
    with_embeddings: bool = False


@dataclass(frozen=True)
class Listening:
    """Recordings to be heard: `Work`, each piece of which has its share of them."""

    model: Path
    """A run folder, or a packed file."""
    run: str
    """Its identity."""
    recordings: Sequence[HeardFile]
    out: Path
    how: How
    n_pieces: int
    sources: Sequence[Path]
    """The classifier, and of the recordings the first one that is here."""

    def __len__(self) -> int:
        return self.n_pieces

    @property
    def folder(self) -> Path:
        """Where the tables lie."""
        return self.out

    @property
    def noun(self) -> str:
        """What a piece is: so many recordings."""
        return "piece"

    def name(self, index: int) -> str:
        """Return a recording, and that there are others."""
        others = " and others" if len(self.recordings) > self.n_pieces else ""
        return f"'{self.recordings[index].name}'{others}"

    def piece(self, index: int) -> "Listening":
        """Return the recordings of a piece alone."""
        return replace(self, recordings=self._of(index), n_pieces=1)

    def rest(self) -> "Listening | None":
        """Return what is still to be heard; None where there is nothing left."""
        left = [one for one in self.recordings if not self.is_heard(one)]
        return replace(self, recordings=left, n_pieces=min(self.n_pieces, len(left))) if left else None

    def apart(self, folder: Path) -> "Listening":
        """Return the same recordings, whose tables go to another folder."""
        return replace(self, out=folder)

    def made(self, index: int) -> dict[str, bytes]:
        """Return the notes and tables of a piece's recordings, by their paths in the folder."""
        return read_files(self.out, self._files(self._of(index)))

    def begun(self, index: int) -> dict[str, bytes]:
        """Return those that will do: not of recordings that are newer."""
        return read_files(self.out, self._files([one for one in self._of(index) if not self._is_outdated(one)]))

    def put(self, index: int, files: Mapping[str, bytes]) -> None:
        """Make the notes and tables of a piece what they are elsewhere."""
        replace_files(self.out, self._files(self._of(index)), files)

    def _files(self, recordings: Iterable[HeardFile]) -> list[Path]:
        there = (file for one in recordings for file in (self._note_of(one), self.table_of(one)))
        return [file for file in there if file.exists()]

    def do(self, index: int, on_share: OnShare, deadline_s: float | None) -> None:
        """Hear the recordings of a piece that have no table yet."""
        require_parquet()
        its = self._of(index)
        with stop_on_signals(deadline_s) as request:
            for n_heard, recording in enumerate(its):
                request.obey(_STOPPED)
                if not self.is_heard(recording):
                    self._hear(recording, request, lambda share, n=n_heard: on_share((n + share) / len(its)))
                on_share((n_heard + 1) / len(its))

    def share(self, index: int) -> float:
        """Return the share of a piece's recordings that are heard."""
        its = self._of(index)
        return sum(map(self.is_heard, its)) / len(its)

    def usual_jobs(self) -> int:
        """Return the number of cores, or one for a GPU."""
        import torch

        return 1 if torch.cuda.is_available() else min(len(self), torch.get_num_threads())

    @property
    def tables(self) -> Path:
        """The folder of the tables."""
        return self.out / ("events" if self.how.events else "windows")

    def table_of(self, recording: HeardFile) -> Path:
        """Return where the table of a recording lies."""
        return self.tables / _beside(recording, ".parquet")

    def is_heard(self, recording: HeardFile) -> bool:
        """Whether a recording has been heard to its end, and is not newer than its table."""
        table, note = self.table_of(recording), self._note_of(recording)
        if not table.exists() or (note.exists() and parse_json(read_plain(note))["damaged"]):
            return False
        return not self._is_outdated(recording)

    def _is_outdated(self, recording: HeardFile) -> bool:
        """Whether there is a table, of a recording that is newer."""
        table, is_here = self.table_of(recording), recording.address is None and recording.path.exists()
        return is_here and table.exists() and recording.path.stat().st_mtime > table.stat().st_mtime

    def settle(self) -> list[dict[str, Any]]:
        """Write the table of all that failed so far, and return what it says of these recordings."""
        rows = {note: parse_json(read_plain(note)) for note in sorted((self.out / _NOTES).rglob("*.json"))}
        write_failed(self.out / "failed.parquet", list(rows.values()))
        return [rows[note] for one in self.recordings if (note := self._note_of(one)) in rows]

    def _of(self, index: int) -> Sequence[HeardFile]:
        return self.recordings[index :: self.n_pieces]

    def _note_of(self, recording: HeardFile) -> Path:
        return self.out / _NOTES / _beside(recording, ".json")

    def _hear(self, recording: HeardFile, request: StopRequest, on_share: OnShare) -> None:
        """Write the table of a recording, and a note where that is not all that is to be said."""
        classifier = _classifier(self.model)
        with ExitStack() as stack:
            try:
                stream = stack.enter_context(recording.opened(classifier.sample_rate))
            except UserError as error:
                self._note(recording, 0.0, error)
            else:
                self._write(recording, stream, classifier, request, on_share)

    def _note(self, recording: HeardFile, heard_s: float, damage: UserError | None, flawed: Sequence[str] = ()) -> None:
        """Keep what is the matter with a recording, or that nothing is any more."""
        note = self._note_of(recording)
        if damage or flawed:
            with explain_disk_errors(note):
                disk.make_folder(note.parent)
            said = str(damage) if damage else "; ".join(flawed)
            texts = {"path": recording.name, "said": said}
            texts = {name: text.encode("utf-8", "backslashreplace").decode() for name, text in texts.items()}
            write_json(note, {**texts, "heard_s": heard_s, "damaged": damage is not None})
        elif note.exists():
            disk.remove(note)

    def _write(
        self,
        recording: HeardFile,
        stream: AudioStream,
        classifier: Classifier,
        request: StopRequest,
        on_share: OnShare,
    ) -> None:
        """Write the table of a recording, after a note of it; where nothing can be heard in it there is no table."""
        how = self.how
        reporting = classifier.reporting(how.top, how.threshold, how.events)
        hop_s = classifier.usual_hop_s(how.events) if how.hop_s is None else how.hop_s
        n_features = classifier.network.body.n_features if how.with_embeddings else None
        with closing(classifier.listen(stream, hop_s)) as windows:
            first = next(windows, None)
            if first is None:
                self._note(recording, 0.0, recording.damage_in(stream))
                return
            with recording_table(self.table_of(recording), recording.name, self._made_by, n_features) as table:
                reported = list[Prediction]()
                for window in chain([first], windows):
                    request.obey(_STOPPED)
                    on_share(stream.share_before(window.end_s))
                    for row in reporting.report(window):
                        reported.append(row) if how.events else table.add(row, window.embedding)
                flawed = flaws(stream, classifier.shortest_s)
                for event in join_windows(reported) if not flawed else []:
                    table.add(event)
                self._note(recording, stream.duration_s, recording.damage_in(stream), flawed)

    @property
    def _made_by(self) -> dict[str, Any]:
        return {"run": self.run, **asdict(self.how)}

    def check(self) -> None:
        """Make the folder ready before anything is heard.

        Raises:
            UserError: where it cannot be written, or holds what another classifier heard, or in another way.
        """
        require_parquet()
        check_writable(self.out)
        record = self.out / "made-by.json"
        if record.exists() and _read(record) != self._made_by:
            raise UserError(
                f"'{self.out}' has what another classifier heard, or in another way, as '{record}' says: take another"
            )
        with explain_disk_errors(self.out):
            disk.make_folder(self.out)
        write_json(record, self._made_by)


def plan_listening(
    model: Path, recordings: Sequence[HeardFile], out: Path, how: How, n_jobs: int | None = None
) -> Listening:
    """Plan to hear recordings, and check that it can be done.

    Args:
        model: a run folder, or a packed file.
        recordings: at least one.
        out: the folder of the tables.
        how: what is asked for.
        n_jobs: how many will hear side by side; None: nobody knows.

    Raises:
        UserError: as `Listening.check`; where the model cannot be used or something asked for is out of its range.
    """
    classifier = _classifier(model.absolute())
    classifier.reporting(how.top, how.threshold, how.events)
    classifier.hop_samples(how.hop_s)
    if how.with_embeddings and how.events:
        raise UserError("windows have embeddings, and events have none; leave one of the two out")
    about, n_pieces = classifier.about.provenance, _PIECES_PER_JOB * n_jobs if n_jobs else _USUAL_PIECES
    placed = [one if one.address else one._replace(path=one.path.absolute()) for one in recordings]
    run = about.identity if about else ""
    here = [one.path for one in placed if one.address is None and one.path.exists()][:1]
    sources = [model.absolute(), *here]
    plan = Listening(model.absolute(), run, placed, out.absolute(), how, min(len(recordings), n_pieces), sources)
    plan.check()
    return plan


@functools.lru_cache(maxsize=1)
def _classifier(model: Path) -> Classifier:
    """Load the classifier, once in each process."""
    return load(model).fastest()


def _beside(recording: HeardFile, ending: str) -> Path:
    """Return the place of what is made of a recording: one for each, whichever folder it was found in."""
    place = Path(*recording.address.split("://")) if recording.address else recording.path.relative_to("/")
    name = place.name
    if len(os.fsencode(name)) > _LONGEST_NAME:
        name = f"{name[:40]}-{hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()}"
    return place.with_name(f"{name}{ending}")


def _read(record: Path) -> Any:
    try:
        return parse_json(read_plain(record))
    except ValueError:  # it is somebody else's
        return None

"""A trained classifier: recordings in, a table of windows and labels out."""

import copy
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain, islice
from os import PathLike
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack, overload

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from cohear.data.audio_decoding import AudioStream
from cohear.data.decoding import fit
from cohear.errors import UserError
from cohear.evaluation.measure import check_answers
from cohear.inference.answers import Heard, Prediction, Reporting, choose_reporting, join_windows
from cohear.inference.recordings import find_recordings
from cohear.inference.waveforms import GivenWaveforms, Window, cut_windows, read_waveforms
from cohear.metrics.tasks import TASKS, Task
from cohear.models import FrontEnd, LogMel, NetworkWithHead
from cohear.objectives import LIKELIHOODS
from cohear.runs.description import Description
from cohear.runs.trained_model import read_model
from cohear.tensors import on_device

_SECONDS_AT_ONCE, _SECONDS_AT_ONCE_ON_GPU = 40.0, 160.0
"""Of sound that goes through the network together: at the `paper` preset 40 s take 0.3 GB."""

_SHORTEST_HOP_S = 0.01

Made = TypeVar("Made")


class _How(TypedDict, total=False):
    """How windows are cut and reported."""

    top: int | None
    hop_s: float | None
    threshold: float | None
    events: bool


@dataclass(frozen=True)
class Classifier:
    """Front end and network, with what they need to be used rightly."""

    about: Description
    """Labels, sample rate, window, calibration, and where it comes from."""
    front_end: FrontEnd = field(repr=False)
    network: NetworkWithHead = field(repr=False)
    """In eval mode, on the device of the front end."""

    @overload
    def predict(self, sound: str | Path, **how: Unpack[_How]) -> list[Prediction]: ...

    @overload
    def predict(
        self, sound: Sequence[str | Path] | GivenWaveforms, *, sample_rate: int | None = None, **how: Unpack[_How]
    ) -> list[Prediction] | list[list[Prediction]]: ...

    def predict(
        self,
        sound: str | Path | Sequence[str | Path] | GivenWaveforms,
        *,
        sample_rate: int | None = None,
        top: int | None = None,
        hop_s: float | None = None,
        threshold: float | None = None,
        events: bool = False,
    ) -> list[Prediction] | list[list[Prediction]] | dict[Path, list[Prediction]]:
        """Say what is heard in each window of a recording, or where in it the events are.

        Windows follow each other, or begin every `hop_s` seconds; the last one ends with the recording. A recording
        shorter than a window is one window that ends with it.

        Args:
            sound: a sound file of any rate, channel count and length, several, or a folder; or a waveform `[time]`, or
                a batch of them, `[batch time]` or a list.
            sample_rate: Hz, 100 to 1 000 000, of waveforms, and of nothing else: a file says it itself.
            top: labels per window, >= 1; None is one, and for a multi-label classifier all that reach their thresholds
                (0.5 where a label has none).
            hop_s: seconds from the beginning of a window to that of the next, 0.01 to `clip_s`; None is `clip_s`, and
                half of it for events.
            threshold: the probability below which no label is reported, 0 to 1, in place of the fitted thresholds.
            events: whether windows become events, as `join_windows` makes them. A label takes part from its threshold
                on; one without a threshold, and the background, take no part.

        Returns:
            Windows in the order of time, the likeliest label of each first; or events in the order of their beginning.
            Of a batch or several files, a list of such tables, one for each; of a folder, a dictionary of them by file.

        Raises:
            UserError: where the file cannot be read to its end, an argument is out of its range, there are no
                thresholds for events, or the network's answers are no numbers.
        """
        reporting = self.reporting(top, threshold, events)
        hop_s = self.usual_hop_s(events) if hop_s is None else hop_s

        def tabulate(heard: Iterable[Heard]) -> list[Prediction]:
            rows = (row for window in heard for row in reporting.report(window))
            return join_windows(rows) if events else list(rows)

        return self._of_each(tabulate, sound, sample_rate, hop_s)

    def embed(
        self,
        sound: str | Path | Sequence[str | Path] | GivenWaveforms,
        *,
        sample_rate: int | None = None,
        hop_s: float | None = None,
    ) -> (
        Float32[np.ndarray, "window feature"]
        | list[Float32[np.ndarray, "_ feature"]]
        | dict[Path, Float32[np.ndarray, "_ feature"]]
    ):
        """Return what the network's last layer but one makes of each window, in the order of `predict`'s windows.

        Args:
            sound: as for `predict`; of several, the result is a list of arrays, of a folder a dictionary.
            sample_rate: as for `predict`.
            hop_s: as for `predict`.

        Raises:
            UserError: as `predict` does.
        """
        return self._of_each(lambda heard: np.stack([w.embedding for w in heard]), sound, sample_rate, hop_s)

    def listen(self, sound: str | Path | AudioStream, hop_s: float | None = None) -> Generator[Heard, None, None]:
        """Hear a file window by window, each soon after it is decoded, in memory that does not grow with the file.

        Args:
            sound: a sound file; or an open one, which `AudioStream` gives at the classifier's own rate.
            hop_s: as for `predict`.

        Raises:
            UserError: where the file cannot be read; where it is damaged, or the network's answers are no numbers,
                after what was heard before. Of an open file its `damage` says so instead.
            ValueError: if an open file has another rate.
        """
        hop_samples = self.hop_samples(hop_s)
        stream = sound if isinstance(sound, AudioStream) else AudioStream(sound, self.sample_rate)
        if stream.sample_rate != self.sample_rate:
            raise ValueError(
                f"a stream of {stream.sample_rate} Hz for a classifier of {self.sample_rate} Hz; open it anew"
            )
        try:
            yield from self._hear(cut_windows(stream, self.n_samples, hop_samples))
        except UserError as error:
            if stream.damage is None:  # else it came first
                stream.damage = UserError(f"{stream.path}: {error}")
        if stream.damage is not None and stream is not sound:
            raise stream.damage

    def reporting(self, top: int | None = None, threshold: float | None = None, events: bool = False) -> Reporting:
        """Choose which labels of a window `predict` reports; the arguments are the same."""
        return choose_reporting(self.about, top=top, threshold=threshold, events=events)

    @torch.inference_mode()
    def probabilities(self, waveforms: Float32[np.ndarray, "batch time"]) -> Float32[np.ndarray, "batch label"]:
        """Classify waveforms at the classifier's own rate, in [-1, 1].

        Raises:
            UserError: where the network's answers are no numbers.
        """
        return self._probabilities(self.network(self._inputs(waveforms)))

    def calibrated(self, logits: Float[Tensor, "*batch label"]) -> Float[Tensor, "*batch label"]:
        """Divide what the network says by the temperature.

        Raises:
            UserError: where that makes no numbers.
        """
        calibrated = logits / self.about.calibration.temperature
        check_answers(calibrated, self.network)  # no threshold is below NaN: such a window would vanish
        return calibrated

    def to(self, device: torch.device | str) -> "Classifier":
        """Return a copy that computes on another device."""
        front_end, network = copy.deepcopy(self.front_end).to(device), copy.deepcopy(self.network).to(device)
        return replace(self, front_end=front_end, network=network)

    def fastest(self) -> "Classifier":
        """Return a copy that computes on the GPU where there is one, as precisely as in training."""
        if not torch.cuda.is_available():
            return self
        torch.backends.cudnn.allow_tf32 = False
        return self.to("cuda")

    @cached_property
    def log_mel(self) -> LogMel:
        """What people see of a sound: what the network hears, unless an encoder hears for it."""
        if isinstance(self.front_end, LogMel):
            return self.front_end
        return LogMel(self.sample_rate, **self.about.front_end.model_dump(exclude={"filters"})).to(
            self.front_end.device
        )

    @property
    def task(self) -> Task:
        """One label per window, or several."""
        return TASKS[self.about.task]

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels, in the order of the probabilities."""
        return self.about.classes

    @property
    def sample_rate(self) -> int:
        """Hz; recordings of any rate are resampled to it."""
        return self.about.sample_rate

    @property
    def clip_s(self) -> float:
        """Seconds of a window."""
        return self.about.clip_s

    @property
    def n_samples(self) -> int:
        """Samples of a window."""
        return self.about.n_samples

    @property
    def shortest_s(self) -> float:
        """Seconds of the shortest sound that fills the network's smallest input; shorter ones are filled up."""
        return self.front_end.least_samples(self.network.body.input.min_frames) / self.sample_rate

    def usual_hop_s(self, events: bool) -> float:
        """Return how often windows begin, seconds: each is heard once, or half of it twice, so that no event is cut."""
        return max(_SHORTEST_HOP_S, self.clip_s / 2) if events else self.clip_s

    def hop_samples(self, hop_s: float | None) -> int:
        """Return the samples from the beginning of a window to that of the next.

        Raises:
            UserError: where windows cannot begin so often, or would leave sound out.
        """
        if hop_s is None:
            return self.n_samples
        if not _SHORTEST_HOP_S <= hop_s <= self.clip_s:
            raise UserError(
                f"windows of {self.clip_s:g} s cannot begin every {hop_s:g} s; give {_SHORTEST_HOP_S:g} to "
                f"{self.clip_s:g} s"
            )
        return max(1, round(hop_s * self.sample_rate))

    def _of_each(
        self,
        make: Callable[[Iterable[Heard]], Made],
        sound: str | Path | Sequence[str | Path] | GivenWaveforms,
        sample_rate: int | None,
        hop_s: float | None,
    ) -> Made | list[Made] | dict[Path, Made]:
        """Make something of what is heard in a file, in a waveform, or in each waveform of a batch."""
        files = [sound] if isinstance(sound, str | PathLike) else sound
        if isinstance(files, list | tuple) and any(isinstance(file, str | PathLike) for file in files):
            if sample_rate is not None:
                raise UserError(f"sound files say their own sample rate; leave sample_rate={sample_rate} out")
            paths = [Path(str(file)) for file in files]
            if files is sound:
                return [make(self.listen(path, hop_s)) for path in paths]
            if paths[0].is_dir():
                return {path: make(self.listen(path, hop_s)) for path, *_ in find_recordings(paths)}
            return make(self.listen(paths[0], hop_s))
        waveforms, is_batch = read_waveforms(sound, sample_rate, self.sample_rate)
        hop_samples = self.hop_samples(hop_s)
        windows = [list(cut_windows([waveform], self.n_samples, hop_samples)) for waveform in waveforms]
        heard = self._hear(chain.from_iterable(windows))
        made = [make(list(islice(heard, len(of_one)))) for of_one in windows]
        return made if is_batch else made[0]

    def _hear(self, windows: Iterable[Window]) -> Iterator[Heard]:
        """Ask the network about windows, several at a time."""
        waiting = iter(windows)
        on_cpu = self.front_end.device.type == "cpu"
        n_at_once = max(1, int((_SECONDS_AT_ONCE if on_cpu else _SECONDS_AT_ONCE_ON_GPU) / self.clip_s))
        while batch := list(islice(waiting, n_at_once)):
            waveforms = np.stack([fit(window.waveform, self.n_samples, self.about.short) for window in batch])
            for window, probabilities, embedding in zip(batch, *self._answer(waveforms), strict=True):
                end = window.start + len(window.waveform)  # samples: a sum of seconds may fall short of the next start
                start_s, end_s = window.start / self.sample_rate, end / self.sample_rate
                is_blank = bool(np.ptp(window.waveform) == 0)
                yield Heard(start_s, end_s, probabilities, embedding, is_blank)

    @torch.inference_mode()
    def _answer(
        self, waveforms: Float32[np.ndarray, "batch time"]
    ) -> tuple[Float32[np.ndarray, "batch label"], Float32[np.ndarray, "batch feature"]]:
        embeddings = self.network.embed(self._inputs(waveforms))
        return self._probabilities(self.network.classify(embeddings)), embeddings.cpu().numpy()

    def _inputs(self, waveforms: Float32[np.ndarray, "batch time"]) -> Float32[Tensor, "batch band frame"]:
        return self.front_end(on_device(waveforms, self.front_end.device))

    def _probabilities(self, logits: Float[Tensor, "batch label"]) -> Float32[np.ndarray, "batch label"]:
        calibrated = self.calibrated(logits)
        return LIKELIHOODS[self.task.likelihood].probabilities(calibrated).cpu().numpy()


def load(path: str | Path) -> Classifier:
    """Load a finished run, or a model packed into one file.

    Args:
        path: the run folder, or a file that `cohear pack` made, whatever its name.

    Raises:
        UserError: where there is no finished run, or the file cannot be used.
    """
    model = read_model(Path(path))
    try:
        front_end, network = model.front_end(), model.build()
        n_frames = front_end.n_frames(model.description.n_samples)
        network.body.input.check(front_end.n_bands, n_frames)
    except UserError as error:
        raise UserError(f"'{path}' is no model that can be used: {error}") from error
    return Classifier(model.description, front_end, network)

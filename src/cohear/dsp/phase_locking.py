"""How a phase vocoder turns the phases of its bins: by the rotation of the partial that each bin belongs to.

Write X[m] for the spectrum of input frame m and Y[m] for its output. A partial of frequency w must advance by w * hop
from one output frame to the next, while in the input it advanced by w * hop / factor. The usual way estimates w from
the difference of two phases and needs to unwrap it. Instead look at the input one *output* hop before the frame, X'[m]:
the phase of X[m] conj(X'[m]) is w * hop itself, exactly what the output phase must grow by,

    arg Y[m] = arg Y[m-1] + arg X[m] - arg X'[m].

Write Y[m] = R[m] X[m] with a rotation R of modulus one. Then

    R[m] = R[m-1] U[m],   U[m] = X[m-1] conj(X'[m]) / |X[m-1] conj(X'[m])|,

a product of complex numbers, without an angle anywhere; for factor 1, X'[m] = X[m-1], so U = 1 and the output is the
input. Three rules make sound of it.

- *Identity phase locking.* Following every bin by itself would lose the phases between the bins of one partial and
  smear it, with losses of level up to 15 dB. All bins around a peak turn by the rotation of that peak (Laroche and
  Dolson, "Improved phase vocoder time-scale modification of audio", IEEE Trans. Speech Audio Process. 7(3), 1999,
  section III-C): R[m, k] = (R[m-1] U[m])[peak of k]. A region ends where the spectrum is lowest between two peaks.
- *Onsets start anew.* A peak much stronger than anything near it one frame before begins a sound, and there is nothing
  to continue: its rotation is one. The peaks of a click all start so together, which keeps them a click (after Roebel,
  "A new approach to transient processing in the phase vocoder", DAFx 2003). A gliding partial is no onset: its energy
  comes from a bin nearby.
- *Two resolutions, one partial.* Long frames of the low band tell low notes apart; short frames of the high band keep
  clicks short. Both are centered on the same samples, so a partial has the same rotation in either. Up to the end of
  the crossover, peaks of the short frames take the rotation of the long frames' peak, beyond it the other way round:
  so the two bands' shares of a partial add up in phase, and a partial that glides from one to the other goes on.
"""

import torch
from jaxtyping import Complex, Float, Int16
from torch import Tensor
from torch.nn import functional

_ONSET = 5.0  # rise of a peak's power, 7 dB: the window lifts a click more than this until it stands near the middle
_ONSET_BINS = 2  # on each side of a peak, where a gliding partial may have been one frame before
_SMALLEST = 1e-30  # added to a product of spectra, so that where there is nothing the turn is one


class PhaseLock:
    """The rotations of one batch of signals, frame after frame.

    Both bands stand side by side in one row of bins, and zeros keep them apart:

        0 | low band | 0 | high band | 0

    No region crosses a zero. The first column is also where a peak that starts anew reads its rotation: it is one.

    Args:
        n_clips: clips.
        n_low: bins of the low band, counted from 0 Hz.
        n_high: bins of the high band, counted from 0 Hz.
        n_shared: high-band bins whose peaks follow the low band, counted from 0 Hz.
        ratio: low-band bins in one high-band bin; n_low > ratio * n_shared.
        like: a complex tensor of the wanted dtype and device.
    """

    def __init__(self, n_clips: int, n_low: int, n_high: int, n_shared: int, ratio: int, like: Tensor) -> None:
        self._low, self._high = slice(1, 1 + n_low), slice(2 + n_low, 2 + n_low + n_high)
        self._n_shared, self._ratio = n_shared, ratio
        self._rotations = like.new_ones(n_clips, 3 + n_low + n_high)
        columns = torch.arange(1, 2 + n_low + n_high, dtype=torch.int16, device=like.device)
        self._columns, self._columns_from_end = columns, columns.flip(0)

    @torch.no_grad()
    def advance(
        self, low: Complex[Tensor, "batch spectrum low_bin"], high: Complex[Tensor, "batch spectrum high_bin"]
    ) -> tuple[Complex[Tensor, "batch frame low_bin"], Complex[Tensor, "batch frame high_bin"]]:
        """Return the rotations of the next n frames.

        Args:
            low: of the low band, 1 + 2n spectra: the frame before, the n frames X[m], and X'[m] of each.
            high: of the high band, likewise; each band in the same units.
        """
        n_frames = high.shape[1] // 2
        row = self._rotations.shape[-1]
        powers = high.real.new_empty(len(high), 1 + n_frames, row)
        turns = high.new_empty(len(high), n_frames, row)
        for between in (0, self._high.start - 1, row - 1):
            powers[..., between], turns[..., between] = 0.0, 1.0
        for spectra, bins in ((low, self._low), (high, self._high)):
            now = spectra[:, : 1 + n_frames]
            torch.mul(now.real, now.real, out=powers[..., bins]).addcmul_(now.imag, now.imag)
            products = now[:, :-1] * spectra[:, 1 + n_frames :].conj()
            torch.sgn(products.add_(_SMALLEST), out=turns[..., bins])
        sources = self._sources(powers)
        turns = turns.gather(-1, sources)
        rotations = torch.empty_like(turns)
        for source, turn, rotation in zip(sources.unbind(1), turns.unbind(1), rotations.unbind(1), strict=True):
            torch.mul(self._rotations.gather(1, source), turn, out=rotation)
            self._rotations = rotation
        self._rotations = self._rotations.clone()  # lets go of all but the last
        return rotations[..., self._low], rotations[..., self._high]

    def _sources(self, powers: Float[Tensor, "batch spectrum column"]) -> Tensor:
        """For each bin of frames 1, 2, ... the column whose rotation it goes on from: its peak's, 0 for an onset."""
        peaks, onsets = self._peaks(powers)
        own = peaks * ~onsets
        sources = own.clone()
        # Columns 1, 2, ... of `powers` are entries 0, 1, ... here, and bin k of a band is column start + k.
        low, high = self._low.start, self._high.start
        end = self._n_shared * self._ratio
        # A region may reach beyond the end of the crossover, from either side.
        shared, beyond = slice(high - 1, high - 1 + 2 * self._n_shared), slice(low - 1 + end // 2, self._low.stop - 1)
        high_bins = peaks[..., shared] - high
        followed = own.gather(-1, (low - 1 + high_bins * self._ratio).clamp(0, self._low.stop - 2).long())
        # (A product with truth is several times as fast as `where` on 16-bit numbers.)
        sources[..., shared] += (followed - own[..., shared]) * (high_bins <= self._n_shared)
        # Which of the two leads is told by the high band's peak alone: two that followed each other would swap phases.
        low_bins = peaks[..., beyond] - low
        entries = (high - 1 + (low_bins + self._ratio // 2) // self._ratio).long()
        leads = (low_bins > end - self._ratio) & (peaks.gather(-1, entries) - high > self._n_shared)
        sources[..., beyond] += (own.gather(-1, entries) - own[..., beyond]) * leads
        return functional.pad(sources.long(), (1, 1))

    def _peaks(self, powers: Float[Tensor, "batch spectrum column"]) -> tuple[Int16[Tensor, "..."], Tensor]:
        """For each inner column of frames 1, 2, ... the column of its peak, and whether the peak is an onset.

        From any bin that is no peak, climb toward its larger neighbor: the way leads up to one peak, and down the
        other side is where its region ends. Peaks are numbered by their column, so the last one up to a bin is a
        running maximum, and the next one from it on is a running maximum from the other end. Twice the column plus
        one for an onset carries both facts in one number.
        """
        here = powers[:, 1:, 1:-1]
        left, right = powers[:, 1:, :-2], powers[:, 1:, 2:]
        is_peak = torch.maximum(left, right) <= here
        before = functional.max_pool1d(powers[:, :-1], 2 * _ONSET_BINS + 1, stride=1, padding=_ONSET_BINS)
        is_onset = here >= before[..., 1:-1] * _ONSET
        last = (2 * self._columns + is_onset).mul_(is_peak).cummax(-1).values
        next_from_end = (2 * self._columns_from_end + is_onset).mul_(is_peak).flip(-1).cummax(-1).values.flip(-1)
        onset_of_next = next_from_end.bitwise_and(1)
        # A column counted from the end is n + 1 - column.
        following = 2 * (len(self._columns) + 1) - next_from_end + 2 * onset_of_next
        codes = following + (last - following).mul_(left >= right)
        return codes >> 1, codes.bitwise_and(1).bool()

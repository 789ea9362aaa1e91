"""What decoding did to the sounds, counted, so that nothing happens to them unsaid."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from cohear.data.decoding import DecodedClip, StoreSettings
from cohear.data.wording import counted, some

_UNSAID_S = 0.01
"""Seconds of padding or cropping that come of rounding and go unsaid."""

_N_NAMED = 3
"""Silent clips that are named."""


@dataclass(frozen=True)
class DecodingReport:
    """Counts over the clips of a data set, each before it was cut into windows."""

    settings: StoreSettings
    n_decoded: int = 0
    """Clips that were decoded."""
    n_rows: int = 0
    """Clips of the store: a long recording gives several."""
    n_padded: int = 0
    """Clips filled up with silence."""
    n_repeated: int = 0
    """Clips filled up with themselves."""
    longest_fill_s: float = 0.0
    """The longest stretch filled up, seconds."""
    n_cropped: int = 0
    """Clips of which the middle was taken."""
    longest_crop_s: float = 0.0
    """The longest stretch cut off, seconds."""
    n_windowed: int = 0
    """Clips cut into windows."""
    n_windows: int = 0
    """The windows they gave."""
    n_mixed: int = 0
    """Clips whose channels were mixed."""
    n_silent: int = 0
    """Clips of the store that hold nothing but zeros."""
    silent: tuple[tuple[str, int], ...] = ()
    """Clips with such silence, and how many clips of the store it makes of each."""
    n_resampled_from: tuple[tuple[int, int], ...] = ()
    """Sample rates (Hz) other than the store's, and how many clips had them."""
    shortfalls: tuple[tuple[str, float], ...] = ()
    """Clips that are shorter than their files declare, and by how many seconds."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Clips that could not be decoded, and why."""

    def with_clip(self, clip_id: str, clip: DecodedClip) -> "DecodingReport":
        """Count one more clip."""
        beyond_s, n_rows = clip.duration_s - self.settings.clip_s, len(clip.waveforms)
        is_short, is_windowed = beyond_s < -_UNSAID_S, n_rows > 1
        is_cropped = beyond_s > _UNSAID_S and not is_windowed
        n_silent = int((~clip.waveforms.any(axis=1)).sum())
        resampled = dict(self.n_resampled_from)
        if clip.sample_rate != self.settings.sample_rate:
            resampled[clip.sample_rate] = resampled.get(clip.sample_rate, 0) + 1
        return dataclasses.replace(
            self,
            n_decoded=self.n_decoded + 1,
            n_rows=self.n_rows + n_rows,
            n_padded=self.n_padded + (is_short and self.settings.short == "pad"),
            n_repeated=self.n_repeated + (is_short and self.settings.short == "repeat"),
            longest_fill_s=max(self.longest_fill_s, -beyond_s if is_short else 0.0),
            n_cropped=self.n_cropped + is_cropped,
            longest_crop_s=max(self.longest_crop_s, beyond_s if is_cropped else 0.0),
            n_windowed=self.n_windowed + is_windowed,
            n_windows=self.n_windows + (n_rows if is_windowed else 0),
            n_mixed=self.n_mixed + (clip.n_channels > 1),
            n_silent=self.n_silent + n_silent,
            silent=(*self.silent, (clip_id, n_silent)) if n_silent else self.silent,
            n_resampled_from=tuple(sorted(resampled.items())),
            shortfalls=(*self.shortfalls, (clip_id, clip.shortfall_s)) if clip.shortfall_s else self.shortfalls,
        )

    def with_skipped(self, clip_id: str, reason: str) -> "DecodingReport":
        """Note a clip that could not be decoded."""
        return dataclasses.replace(self, skipped=(*self.skipped, (clip_id, reason)))

    @property
    def lines(self) -> tuple[str, ...]:
        """Say it in lines of text, one per thing that happened."""
        clip_s = self.settings.clip_s
        lines = [f"{counted(self.n_decoded, 'clip')} decoded to {clip_s:g} s at {self.settings.sample_rate} Hz"]
        if self.n_windowed:
            lines.append(
                f"{self.n_windowed} of them, longer than {1.5 * clip_s:g} s, cut into {self.n_windows} "
                f"windows, which makes {self.n_rows} clips; the windows of a file stay together"
            )
        if self.n_padded:
            lines.append(f"{self.n_padded} padded with silence (by up to {self.longest_fill_s:.2f} s)")
        if self.n_repeated:
            lines.append(f"{self.n_repeated} repeated to fill up to {self.longest_fill_s:.2f} s")
        if self.n_cropped:
            lines.append(f"{self.n_cropped} cropped to the middle (by up to {self.longest_crop_s:.2f} s)")
        lines += [f"{n_clips} resampled from {rate} Hz" for rate, n_clips in self.n_resampled_from]
        if self.n_mixed:
            lines.append(f"{self.n_mixed} mixed to mono")
        if self.n_silent:
            names = [clip_id for clip_id, _ in self.silent]  # none from stores of before they were noted
            named = f": {some(names, _N_NAMED)}" if names else ""
            lines.append(f"{self.n_silent} silent from end to end{named}")
        lines += [f"{clip_id} is {missing_s:.2f} s shorter than it declares" for clip_id, missing_s in self.shortfalls]
        lines += [f"skipped: {reason}" for _, reason in self.skipped]
        return tuple(lines)

    def to_json(self) -> dict[str, Any]:
        """Return plain values; `from_json(to_json())` gives an equal report."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "DecodingReport":
        """Read what `to_json` wrote."""
        pairs = {name: tuple(tuple(pair) for pair in value) for name, value in data.items() if isinstance(value, list)}
        return cls(**{**data, **pairs, "settings": StoreSettings(**data["settings"])})

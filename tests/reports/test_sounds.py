import io

import numpy as np
import pytest
import soundfile

from cohear.reports.sounds import mp3_bytes


def _tone(sample_rate, amplitude=0.5, frequency_hz=440.0):
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(2 * sample_rate) / sample_rate)


@pytest.mark.parametrize(("sample_rate", "played_at"), [(44100, 44100), (22050, 22050), (10000, 11025), (96000, 48000)])
def test_a_tone_keeps_its_pitch_and_level(sample_rate, played_at):
    content = mp3_bytes(_tone(sample_rate).astype(np.float32), sample_rate)
    decoded, rate = soundfile.read(io.BytesIO(content))
    assert soundfile.info(io.BytesIO(content)).format == "MP3"
    assert rate == played_at
    middle = decoded[rate // 2 : 3 * rate // 2]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(spectrum) * rate / len(middle) == pytest.approx(440, abs=1)
    assert middle.std() * np.sqrt(2) == pytest.approx(0.5, rel=0.03)


def test_a_sound_above_full_scale_is_turned_down_not_clipped():
    decoded, _ = soundfile.read(io.BytesIO(mp3_bytes(_tone(22050, amplitude=4.0), 22050)))
    middle = decoded[11025:33075]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    harmonic = spectrum[1310:1330].max() / spectrum.max()  # third harmonic, which clipping would raise
    assert harmonic < 1e-3
    assert np.abs(middle).max() < 1.05

"""The mathematics of signals: spectra, resampling, the phase vocoder, rooms. Plain functions on tensors."""

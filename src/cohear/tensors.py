"""What the axes mean: one legend for annotations and for the suffixes of names.

| axis in an annotation | suffix | meaning                                          |
|-----------------------|--------|--------------------------------------------------|
| `view`                | V      | versions of a clip; view 0 is the clean clip     |
| `batch`               | B      | clips                                            |
| `time`                | T      | time-domain samples                              |
| `tap`                 | R      | samples of an impulse response                   |
| `bin`                 | F      | frequency bins of a Fourier transform            |
| `band`                | M      | mel bands                                        |
| `frame`               | L      | frames of a short-time Fourier transform         |
| `label`               | K      | classes                                          |

Annotations are checked while the tests run (jaxtyping with beartype) and cost nothing elsewhere.
"""

from jaxtyping import Float
from torch import Tensor

Waveforms = Float[Tensor, "batch time"]
"""Waveforms of a batch, full scale is [-1, 1]."""

LogMels = Float[Tensor, "batch band frame"]
"""Log-mel spectrograms of a batch, dB."""

"""Axis letters, fixed for the whole code, and the array types that carry them.

| letter | axis | letter | axis |
|---|---|---|---|
| B | batch | K | slot, source |
| C | TDI channel | P | parameter |
| N | time sample | n | posterior sample |
| F | frequency bin | D | feature |
| T | STFT frame | G | gap |
| S | stem (separated source) | I | item of a file |

The aliases are `jaxtyping` annotations: free in production, checked at run time in the tests
(``pytest --jaxtyping-packages=gwiness,beartype.beartype``).
"""

from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Complex, Float

__all__ = [
    "ChannelSeries",
    "ChannelSpectrum",
    "GapIntervals",
    "SampleMask",
    "Series",
    "Spectrum",
    "Spectrogram",
]

Series: TypeAlias = Float[np.ndarray, " N"]
"""One real time series."""
ChannelSeries: TypeAlias = Float[np.ndarray, "C N"]
"""One time series for each TDI channel."""
Spectrum: TypeAlias = Float[np.ndarray, " F"]
"""One real value for each frequency bin, e.g. a PSD."""
ChannelSpectrum: TypeAlias = Float[np.ndarray, "C F"]
"""One spectrum for each TDI channel."""
Spectrogram: TypeAlias = Complex[np.ndarray, "C F T"]
"""Complex STFT of each channel."""
SampleMask: TypeAlias = Bool[np.ndarray, " N"]
"""True where a sample is valid."""
GapIntervals: TypeAlias = Float[np.ndarray, "G 2"]
"""Start and end of each gap [s]."""

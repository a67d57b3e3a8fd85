r"""Galactic binaries by gbgpu, as heterodyned Fourier blocks.

In the source frame, with $P = \phi_0 + 2\pi(f_0 t + \dot f t^2/2)$ and t from the grid's start,
$h_+ = \mathcal A(1+\cos^2\iota)\cos P$ and $h_\times = 2\mathcal A\cos\iota\sin P$.

gbgpu's block describes a signal that repeats after the segment. Here the block is made on a
longer grid, brought to the time domain, tapered outside the segment and transformed back; see
`gwiness.signal.heterodyne`.
"""

from typing import Any

import numpy as np
from jaxtyping import Complex, Int

from gwiness.core.catalogue import Catalogue, Source
from gwiness.core.grid import TimeGrid
from gwiness.core.tdi import TDI
from gwiness.signal.heterodyne import PAD_DAYS, padded_grid, sum_blocks
from gwiness.simulate.orbits import DAY, segment_orbits
from gwiness.simulate.waveform import CHANNELS, start_day

__all__ = ["GalacticBinaries"]

BLOCK_WIDTH = 128
"""Bins of a block: 4e-5 of the peak is lost (64 bins: 2e-4)."""


class GalacticBinaries:
    """Waveforms of galactic binaries on one grid.

    Arguments:
        grid: Segment; its start is a whole day, at least five days after the orbits' first.
        width: Bins W of a block.
        generation: TDI generation, 1.5 or 2.
    """

    kind = "gb"

    def __init__(self, grid: TimeGrid, width: int = BLOCK_WIDTH, generation: float = 1.5) -> None:
        from gbgpu.gbgpu import GBGPU

        self.grid = grid
        self.padded = padded_grid(grid)
        self.width = width
        self.generation = generation
        orbits = segment_orbits(start_day(grid) - PAD_DAYS)
        self._library: Any = GBGPU(orbits=orbits, force_backend="cpu")

    def blocks(
        self, catalogue: Catalogue
    ) -> tuple[Complex[np.ndarray, "K C W"], Int[np.ndarray, " K"]]:
        """Blocks (K, C, W) [TDI s] and their first bins (K,) on the padded grid."""
        lead = PAD_DAYS * DAY
        fdot = catalogue["frequency_derivative"]
        # The library's clock starts with the padding, the catalogue's with the segment.
        frequency = catalogue["frequency"] - fdot * lead
        phase = catalogue["initial_phase"] - 2 * np.pi * (frequency * lead + fdot * lead**2 / 2)
        self._library.run_wave(
            catalogue["amplitude"],
            frequency,
            fdot,
            np.zeros(len(catalogue)),
            phase,
            catalogue["inclination"],
            catalogue["polarisation"],
            catalogue["ecliptic_longitude"],
            catalogue["ecliptic_latitude"],
            N=self.width,
            T=self.padded.duration,
            dt=self.grid.dt,
            tdi2=self.generation == 2,
        )
        times = np.arange(self.width) * self.padded.duration / self.width
        envelope = np.fft.ifft(np.fft.ifftshift(self._library.AETf, axes=-1))
        tapered = np.fft.fft(envelope * self.padded.taper(times))
        blocks = np.fft.fftshift(tapered, axes=-1)
        return blocks, np.asarray(self._library.start_inds, dtype=np.int64)

    def __call__(self, source: Source) -> TDI:
        """TDI of one binary."""
        one = Catalogue(self.kind, source.space, source.theta[None])
        blocks, start_bins = self.blocks(one)
        data = sum_blocks(blocks, start_bins, np.ones(1), self.padded)
        return TDI(data, self.grid, CHANNELS)

r"""Refinement: joint least squares of all sources, and a vote of the evidence on their number.

From a proposal of frequencies, variable projection alternates the exact linear solution of all
complex amplitudes with a Gauss-Newton step of all frequencies. Around the optimum θ̂ the evidence
of K sources is (Laplace)

.. math:: \log p(d | K) ≈ \log p(d | θ̂) + \log p(θ̂ | K) + \tfrac{3K}{2} \log 2π
          - \tfrac12 \log\det Λ + \log m, \qquad Λ = \frac{N-1}{χ²} J^T J,

with m the share of the Gaussian inside the prior's bounds. A source is born at the largest peak of
the residual's periodogram, or dies if it is the weakest or half of the closest pair, while the
evidence grows by it.

References:
    The differentiation of pseudo-inverses and nonlinear least squares problems whose variables
    separate (Golub and Pereyra, 1973)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Complex, Float

from gwiness.infer.likelihood import SourcePrior, Streams, log_likelihood
from gwiness.infer.transforms import from_tone

__all__ = ["IMPLAUSIBLE", "Fit", "Refined", "fit_frequencies", "refine"]

_MAX_STEP_HZ = 1.5e-3
"""Largest step of a frequency: less than half the resolution 1/(300 s)."""
IMPLAUSIBLE = -20.0
"""Log share inside the prior [nat] below which a fit is no answer: six widths outside."""


@dataclass(frozen=True)
class Fit:
    """Least-squares optimum of K sources.

    Arguments:
        streams: The data.
        solver: (f, ψ, A) of each source (K, 3), by rising frequency.
        chi2: χ² there.
    """

    streams: Streams
    solver: Float[np.ndarray, "K 3"]
    chi2: float

    @cached_property
    def precision(self) -> Float[np.ndarray, "K3 K3"]:
        """Λ in (f, ψ, A) of source after source."""
        jacobian = polar_jacobian(self.streams, self.solver)
        scale = (self.streams.num - 1) / self.chi2
        return scale * self.streams.weigh(jacobian) @ jacobian.T

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Scale of each coordinate, and eigenvalues and eigenvectors of Λ in these scales."""
        scale = 1 / np.sqrt(np.diag(self.precision))
        values, vectors = np.linalg.eigh(self.precision * np.outer(scale, scale))
        # Two sources on one frequency are degenerate: their widths become huge, not undefined.
        return scale, np.maximum(values, 1e-10), vectors

    @cached_property
    def covariance(self) -> Float[np.ndarray, "K3 K3"]:
        """Λ⁻¹."""
        scale, values, vectors = self._spectrum
        return (vectors / values) @ vectors.T * np.outer(scale, scale)

    @property
    def log_det_precision(self) -> float:
        """Logarithm of det Λ."""
        scale, values, _ = self._spectrum
        return float(np.log(values).sum() - 2 * np.log(scale).sum())

    @property
    def noise_sigma(self) -> float:
        """Standard deviation of the noise at the optimum."""
        return float(np.sqrt(self.chi2 / (self.streams.num - 3 * len(self.solver))))

    def log_evidence(self, prior: SourcePrior) -> float:
        """Laplace evidence of these K sources [nat], without p(K)."""
        num = len(self.solver)
        evidence = float(log_likelihood(self.chi2, self.streams)) + prior.log_density(num)
        if num == 0:
            return evidence
        mass = prior.log_mass(self.solver, self.covariance)
        return evidence + 1.5 * num * np.log(2 * np.pi) - 0.5 * self.log_det_precision + mass


@dataclass(frozen=True)
class Refined:
    """Outcome of `refine`.

    Arguments:
        best: Fit of the most probable number of sources.
        log_evidence: Laplace evidence + log p(K) of every number that was looked at [nat].
    """

    best: Fit
    log_evidence: dict[int, float]


def polar_jacobian(
    streams: Streams, solver: Float[np.ndarray, "K 3"]
) -> Float[np.ndarray, "K3 Q"]:
    """∂s/∂(f, ψ, A) of each source, rows in that order, source after source."""
    unit = streams.phasors(solver[:, 0]) * np.exp(1j * solver[:, 1])[:, None]
    d_psi = solver[:, 2:] * unit.real
    rows = np.stack([2 * np.pi * streams.times * d_psi, d_psi, unit.imag], axis=1)
    return rows.reshape(-1, len(streams.data))


def _amplitudes(
    streams: Streams, wave: Complex[np.ndarray, "K Q"]
) -> tuple[Complex[np.ndarray, " K"], Float[np.ndarray, " Q"]]:
    """Least-squares complex amplitudes (K,) at given phasors, and the residual (N,)."""
    rows = np.concatenate([wave.imag, wave.real])
    weighted = streams.weigh(rows)
    gram = weighted @ rows.T
    # The ridge keeps two coinciding frequencies solvable; it is far below the noise.
    gram[np.diag_indices_from(gram)] *= 1 + 1e-10
    coefficients = np.linalg.solve(gram, weighted @ streams.data)
    num = len(wave)
    tone = coefficients[:num] + 1j * coefficients[num:]
    return tone, streams.data - coefficients @ rows


def _frequency_step(
    streams: Streams,
    wave: Complex[np.ndarray, "K Q"],
    tone: Complex[np.ndarray, " K"],
    residual: Float[np.ndarray, " Q"],
) -> Float[np.ndarray, " K"]:
    """Gauss-Newton step (K,) [Hz] of the frequencies, amplitudes free."""
    slope = 2 * np.pi * streams.times * (tone[:, None] * wave).real
    rows = np.concatenate([wave.imag, wave.real, slope])
    weighted = streams.weigh(rows)
    gram = weighted @ rows.T
    scale = 1 / np.sqrt(np.diag(gram))
    gram = gram * np.outer(scale, scale)
    gram[np.diag_indices_from(gram)] += 1e-9
    step = scale * np.linalg.solve(gram, scale * (weighted @ residual))
    return np.clip(step[2 * len(wave) :], -_MAX_STEP_HZ, _MAX_STEP_HZ)


def fit_frequencies(
    streams: Streams, frequency: Float[np.ndarray, " K"], max_steps: int = 12
) -> Fit:
    """Joint optimum of all sources near ``frequency`` (K,) [Hz].

    Stops when a step gains less than a thousandth of a nat.
    """
    if len(frequency) == 0:
        return Fit(streams, np.zeros((0, 3)), streams.power(streams.data))
    wave = streams.phasors(frequency)
    tone, residual = _amplitudes(streams, wave)
    chi2 = streams.power(residual)
    for _ in range(max_steps):
        step = _frequency_step(streams, wave, tone, residual)
        for _ in range(4):
            trial_wave = streams.phasors(frequency + step)
            trial_tone, trial_residual = _amplitudes(streams, trial_wave)
            trial_chi2 = streams.power(trial_residual)
            if trial_chi2 <= chi2:
                break
            step = step / 2
        else:
            break
        gain = (chi2 - trial_chi2) / chi2 * streams.num / 2
        frequency, wave, tone = frequency + step, trial_wave, trial_tone
        residual, chi2 = trial_residual, trial_chi2
        if gain < 1e-3:
            break
    order = np.argsort(frequency)
    return Fit(streams, from_tone(frequency[order], tone[order]), chi2)


def _birth(fit: Fit, band: tuple[float, float]) -> float:
    """Frequency [Hz] of the largest peak of the residual's periodogram (long stream)."""
    grid, streams = fit.streams.grid, fit.streams
    residual = streams.weight * streams.residual(fit.solver)[: grid.num]
    num_fft = 1 << int(np.ceil(np.log2(4 * grid.num)))
    freqs = np.fft.rfftfreq(num_fft, grid.dt)
    inside = (freqs >= band[0]) & (freqs <= band[1])
    power = np.abs(np.fft.rfft(residual, num_fft)[inside])
    return float(freqs[inside][np.argmax(power)])


def _deaths(fit: Fit) -> Iterator[int]:
    """Sources worth removing: the weakest in units of its error, one of the closest pair."""
    if len(fit.solver) == 0:
        return
    deviation = np.sqrt(np.diag(fit.covariance))[2::3]
    strength = fit.solver[:, 2] / deviation
    weakest = int(np.argmin(strength))
    yield weakest
    gaps = np.diff(fit.solver[:, 0])
    # Closer than one Fourier bin two lines may be one.
    if len(gaps) and gaps.min() < 1 / fit.streams.grid.duration:
        pair = int(np.argmin(gaps))
        other = pair if strength[pair] < strength[pair + 1] else pair + 1
        if other != weakest:
            yield other


def refine(
    streams: Streams, proposal: Float[np.ndarray, " K"], prior: SourcePrior, trust: int = 2
) -> Refined:
    """Fit a proposal and add or remove sources while the evidence grows.

    Arguments:
        streams: The data.
        proposal: Frequencies [Hz], e.g. the network's.
        prior: Prior of the sources.
        trust: Births and deaths after which the proposal counts as poor, as it does if it ends
            outside the prior; then the search starts once more from no source at all, and the
            better of the two wins.
    """
    first, moves = _climb(fit_frequencies(streams, proposal), prior)
    plausible = prior.log_mass(first.best.solver, first.best.covariance) > IMPLAUSIBLE
    if moves <= trust and plausible:
        return first
    second, _ = _climb(fit_frequencies(streams, np.zeros(0)), prior)
    seen = {
        num: max(each.log_evidence.get(num, -np.inf) for each in (first, second))
        for num in first.log_evidence | second.log_evidence
    }
    best = max(first, second, key=lambda each: each.log_evidence[len(each.best.solver)])
    return Refined(best.best, seen)


def _climb(best: Fit, prior: SourcePrior, max_moves: int = 24) -> tuple[Refined, int]:
    """Births and deaths from one fit, as long as one helps; also how many there were."""
    num = len(best.solver)
    seen = {num: best.log_evidence(prior) + prior.log_num(num)}
    for moves in range(max_moves):
        for trial in _neighbours(best, prior):
            num = len(trial.solver)
            evidence = trial.log_evidence(prior) + prior.log_num(num)
            better = evidence > seen[len(best.solver)]
            seen[num] = max(seen.get(num, -np.inf), evidence)
            if better:
                best = trial
                break
        else:
            return Refined(best, seen), moves
    return Refined(best, seen), max_moves


def _neighbours(fit: Fit, prior: SourcePrior) -> Iterator[Fit]:
    """Fits with one source more and with one less."""
    num = len(fit.solver)
    if num < prior.num[1]:
        born = np.append(fit.solver[:, 0], _birth(fit, prior.frequency))
        yield fit_frequencies(fit.streams, born)
    # A number that the prior forbids has no evidence and loses by itself.
    for index in _deaths(fit):
        yield fit_frequencies(fit.streams, np.delete(fit.solver[:, 0], index))

"""Coordinates of a sinusoid: as the file has them, and as a solver likes them.

A source is θ = (A, φ, f): amplitude, phase at t = 0 [rad], frequency [Hz]. Solver coordinates are
(f, ψ, A) with ψ = φ + 2π f t_ref, the phase at a reference time; the Jacobian is 1. At t_ref in
the middle of the data, phase and frequency are nearly independent.
"""

import numpy as np
from jaxtyping import Complex, Float

__all__ = ["from_solver", "from_tone", "to_solver", "to_tone", "wrap"]


def wrap(angle: Float[np.ndarray, "*batch"]) -> Float[np.ndarray, "*batch"]:
    """The same angle in [−π, π)."""
    return np.mod(angle + np.pi, 2 * np.pi) - np.pi


def to_solver(
    theta: Float[np.ndarray, "*batch 3"], time_ref: float
) -> Float[np.ndarray, "*batch 3"]:
    """(A, φ, f) → (f, ψ, A), ψ in [−π, π)."""
    amplitude, phase, frequency = np.moveaxis(theta, -1, 0)
    psi = wrap(phase + 2 * np.pi * frequency * time_ref)
    return np.stack([frequency, psi, amplitude], axis=-1)


def from_solver(
    solver: Float[np.ndarray, "*batch 3"], time_ref: float
) -> Float[np.ndarray, "*batch 3"]:
    """(f, ψ, A) → (A, φ, f), φ in [0, 2π)."""
    frequency, psi, amplitude = np.moveaxis(solver, -1, 0)
    phase = np.mod(psi - 2 * np.pi * frequency * time_ref, 2 * np.pi)
    return np.stack([amplitude, phase, frequency], axis=-1)


def to_tone(solver: Float[np.ndarray, "*batch 3"]) -> Complex[np.ndarray, "*batch"]:
    """Complex amplitude c = A e^{iψ} of x = Im(c e^{2πi f (t − t_ref)})."""
    return solver[..., 2] * np.exp(1j * solver[..., 1])


def from_tone(
    frequency: Float[np.ndarray, "*batch"], tone: Complex[np.ndarray, "*batch"]
) -> Float[np.ndarray, "*batch 3"]:
    """(f, ψ, A) from frequency and complex amplitude."""
    return np.stack([frequency, np.angle(tone), np.abs(tone)], axis=-1)

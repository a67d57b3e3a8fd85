r"""Compiled loops over sources: normal equations, bounded least squares, mass inside bounds.

Everything here works on the inner products of `gwiness.infer.overlaps`, so that its cost depends
on the number of sources K and not on the number of samples: ten sources cost 12 µs for χ² with all
its derivatives, and half a millisecond for their joint optimum.

Sources are (f, ψ, A), blocks of K each, or on the *ladder* y = (f_1, gaps f_{k+1} − f_k, ψ, A),
where the law's bounds on amplitudes and separations are bounds on single coordinates. The
objective is that of `gwiness.infer.likelihood.log_likelihood`, (N − 1)/2 log χ².

References:
    Gaussian probabilities and expectation propagation (Cunningham, Hennig and Lacoste-Julien,
    2011), https://arxiv.org/abs/1111.6832
"""

import math
from typing import Any, no_type_check

import numpy as np
from numba import njit

from gwiness.infer.overlaps import DATA_ORDER, LINE_ORDER

__all__ = [
    "chi2",
    "climb",
    "cut_off",
    "fill",
    "normal_equations",
    "on_ladder",
    "residual_overlap",
]

_RECIPROCALS = tuple(1 / (q + 1) for q in range(DATA_ORDER + 1))
_ROUGH_DATA, _ROUGH_LINE = 6, 4
"""Orders of the series that leave an error of 10⁻⁴ in χ², whose noise is 1 for a source."""
_ORDERS, _NARROW = LINE_ORDER + 3, 3e-4
"""Derivatives that all tables hold, and the distance [Hz] from a row at which they leave 10⁻⁹ of
the sum of weights."""
_FIRST_STEPS, _MAX_STEPS = 4, 40
_PATIENCE = 5.0
"""What an optimisation may still gain, in units of what its last step gained."""
_PIVOT = 1e-14
"""Smallest pivot of a matrix with a diagonal of ones that rounding leaves alone."""
_TAIL = 200.0
"""Standard deviations from the mean beyond which a bound cuts off an exponential."""
_MAX_FREQUENCY_STEP = 8e-4
"""Largest step of a frequency [Hz]: a quarter of the resolution 1/(300 s)."""


@njit(cache=True, inline="always")
@no_type_check
def _entry(table: Any, value: float, grid: Any, power: int, order: int) -> complex:
    """Inner product with (2πt)^power at ``value`` [Hz], by its Taylor series; NaN outside."""
    place = (value - grid[0]) / grid[1] + 0.5
    if not 0 <= place < table.shape[0]:
        return complex(np.nan, np.nan)
    row = int(place)
    shift = value - grid[0] - row * grid[1]
    real, imag, size = 0.0, 0.0, 1.0
    for q in range(order + 1):
        # Twice as fast as complex numbers are here.
        real += table[row, power + q].real * size
        imag += table[row, power + q].imag * size
        size *= shift * _RECIPROCALS[q]
    if power == 0:
        return complex(real, imag)
    return complex(imag, -real) if power == 1 else complex(-real, -imag)


@njit(cache=True, inline="always")
@no_type_check
def _pair(arrays: Any, f: float, other: float, power: int, order: int) -> tuple[complex, complex]:
    """⟨e_f, e_other⟩ and ⟨e_f, e_other*⟩, with (2πt)^power."""
    near = _entry(arrays[0], abs(f - other), arrays[3][0], power, order)
    far = _entry(arrays[1], f + other, arrays[3][1], power, order)
    return (near if f >= other else near.conjugate()), far


@njit(cache=True)
@no_type_check
def normal_equations(arrays: Any, f: Any, psi: Any, amplitude: Any) -> tuple[float, Any, Any]:
    """χ², JᵀWr (3K,) and JᵀWJ (3K, 3K) in blocks (f, ψ, A); χ² is NaN outside them.

    A row is 2πt A Re(e^{iψ}e_f), A Re(e^{iψ}e_f) or Im(e^{iψ}e_f), and Re x Re y is
    Re(xy + xy*)/2 and so on.
    """
    num = len(f)
    gradient = np.zeros(3 * num)
    matrix = np.zeros((3 * num, 3 * num))
    turn = np.exp(1j * psi)
    chi2 = arrays[4]
    for i in range(num):
        a = amplitude[i]
        data = _entry(arrays[2], f[i], arrays[3][2], 0, DATA_ORDER) * turn[i]
        later = _entry(arrays[2], f[i], arrays[3][2], 1, DATA_ORDER) * turn[i]
        gradient[i] += a * later.real
        gradient[num + i] += a * data.real
        gradient[2 * num + i] += data.imag
        chi2 -= 2 * a * data.imag
        for j in range(i + 1):
            b = amplitude[j]
            one, other = turn[i] * turn[j].conjugate(), turn[i] * turn[j]
            near0, far0 = _pair(arrays, f[i], f[j], 0, LINE_ORDER)
            near1, far1 = _pair(arrays, f[i], f[j], 1, LINE_ORDER)
            near2, far2 = _pair(arrays, f[i], f[j], 2, LINE_ORDER)
            near0, near1, near2 = near0 * one, near1 * one, near2 * one
            far0, far1, far2 = far0 * other, far1 * other, far2 * other
            ff = a * b * 0.5 * (near2 + far2).real
            fp = a * b * 0.5 * (near1 + far1).real
            pp = a * b * 0.5 * (near0 + far0).real
            aa = 0.5 * (near0 - far0).real
            # Re of the first with Im of the second, and the other way round
            fa, af = 0.5 * (far1 - near1).imag, 0.5 * (far1 + near1).imag
            pa, ap = 0.5 * (far0 - near0).imag, 0.5 * (far0 + near0).imag
            matrix[i, j] = matrix[j, i] = ff
            matrix[i, num + j] = matrix[num + j, i] = fp
            matrix[j, num + i] = matrix[num + i, j] = fp
            matrix[num + i, num + j] = matrix[num + j, num + i] = pp
            matrix[i, 2 * num + j] = matrix[2 * num + j, i] = a * fa
            matrix[j, 2 * num + i] = matrix[2 * num + i, j] = b * af
            matrix[num + i, 2 * num + j] = matrix[2 * num + j, num + i] = a * pa
            matrix[num + j, 2 * num + i] = matrix[2 * num + i, num + j] = b * ap
            matrix[2 * num + i, 2 * num + j] = matrix[2 * num + j, 2 * num + i] = aa
            gradient[i] -= a * fa * b
            gradient[num + i] -= a * pa * b
            gradient[2 * num + i] -= aa * b
            chi2 += a * b * aa
            if i != j:
                gradient[j] -= b * af * a
                gradient[num + j] -= b * ap * a
                gradient[2 * num + j] -= aa * a
                chi2 += a * b * aa
    return chi2, gradient, matrix


@njit(cache=True, fastmath={"contract"})
@no_type_check
def _series(table: Any, values: Any, grid: Any, order: int, out: Any) -> None:
    """Inner products (2, n), real and imaginary, at many ``values`` (n,) [Hz]; NaN outside.

    Draws of a source are near each other: one row serves all of them, and so the compiler works
    on several at once. Where they are not, each takes its own.
    """
    low, high = values.min(), values.max()
    place = ((low + high) / 2 - grid[0]) / grid[1] + 0.5
    row = int(place)
    centre = grid[0] + row * grid[1]
    if 0 <= place < table.shape[0] and max(high - centre, centre - low) < _NARROW:
        real, imag = np.empty(_ORDERS), np.empty(_ORDERS)
        factor = 1.0
        for q in range(_ORDERS):
            real[q], imag[q] = table[row, q].real * factor, table[row, q].imag * factor
            factor /= q + 1
        for n in range(len(values)):
            shift = values[n] - centre
            x, y = real[_ORDERS - 1], imag[_ORDERS - 1]
            for q in range(_ORDERS - 2, -1, -1):
                x = x * shift + real[q]
                y = y * shift + imag[q]
            out[0, n], out[1, n] = x, y
    else:
        for n in range(len(values)):
            one = _entry(table, values[n], grid, 0, order)
            out[0, n], out[1, n] = one.real, one.imag


@njit(cache=True, nogil=True)
@no_type_check
def chi2(arrays: Any, sources: Any) -> Any:
    """χ² (n,) of many sets of sources (n, K, 3) in (f, ψ, A), f rising; NaN outside the tables."""
    num, count = sources.shape[1], len(sources)
    out = np.full(count, arrays[4])
    columns = np.ascontiguousarray(sources.transpose(2, 1, 0))
    f, a = columns[0], columns[2]
    cos, sin = a * np.cos(columns[1]), a * np.sin(columns[1])
    near, far = np.empty((2, count)), np.empty((2, count))
    for i in range(num):
        _series(arrays[2], f[i], arrays[3][2], _ROUGH_DATA, near)
        for n in range(count):
            out[n] -= 2 * (near[0, n] * sin[i, n] + near[1, n] * cos[i, n])
        for j in range(i + 1):
            _series(arrays[0], f[i] - f[j], arrays[3][0], _ROUGH_LINE, near)
            _series(arrays[1], f[i] + f[j], arrays[3][1], _ROUGH_LINE, far)
            factor = 0.5 if i == j else 1.0
            for n in range(count):
                cc, ss = cos[i, n] * cos[j, n], sin[i, n] * sin[j, n]
                sc, cs = sin[i, n] * cos[j, n], cos[i, n] * sin[j, n]
                together = near[0, n] * (cc + ss) - near[1, n] * (sc - cs)
                apart = far[0, n] * (cc - ss) - far[1, n] * (sc + cs)
                out[n] += factor * (together - apart)
    return out


@njit(cache=True)
@no_type_check
def fill(arrays: Any, f: Any, ridge: float) -> tuple[Any, Any]:
    """Phases and amplitudes (K,) that fit best at given frequencies, a little shrunk.

    Arguments:
        arrays: `Overlaps.arrays`.
        f: Frequencies (K,) [Hz].
        ridge: What is added to the diagonal of the Gram matrix.
    """
    num = len(f)
    gram = np.zeros((2 * num, 2 * num))
    data = np.zeros(2 * num)
    for i in range(num):
        overlap = _entry(arrays[2], f[i], arrays[3][2], 0, DATA_ORDER)
        data[i], data[num + i] = overlap.imag, overlap.real
        for j in range(num):
            near, far = _pair(arrays, f[i], f[j], 0, LINE_ORDER)
            gram[i, j] = 0.5 * (near - far).real
            gram[num + i, num + j] = 0.5 * (near + far).real
            gram[num + i, j] = gram[j, num + i] = 0.5 * (far - near).imag
        gram[i, i] += ridge
        gram[num + i, num + i] += ridge
    parts = np.linalg.solve(gram, data)
    tone = parts[:num] + 1j * parts[num:]
    return np.angle(tone), np.abs(tone)


@njit(cache=True)
@no_type_check
def residual_overlap(arrays: Any, f: Any, psi: Any, amplitude: Any, stride: int) -> Any:
    """Σ w r e^{2πi g t} of the residual r on every ``stride``-th row of the data's table (F,)."""
    grid = arrays[3][2]
    out = arrays[2][::stride, 0].copy()
    # Im(c e_f) = (c e_f - c* e_f*) / 2i
    tone = amplitude * np.exp(1j * psi) / 2j
    for row in range(len(out)):
        at = grid[0] + row * stride * grid[1]
        for k in range(len(f)):
            near, far = _pair(arrays, at, f[k], 0, _ROUGH_LINE)
            out[row] -= tone[k] * far + tone[k].conjugate() * near
    return out


@njit(cache=True)
@no_type_check
def on_ladder(gradient: Any, matrix: Any) -> tuple[Any, Any]:
    """Gradient and matrix in ladder coordinates: f_k is the sum of the first k of them."""
    num = len(gradient) // 3
    gradient, matrix = gradient.copy(), matrix.copy()
    for k in range(num - 2, -1, -1):
        gradient[k] += gradient[k + 1]
        matrix[:, k] += matrix[:, k + 1]
    for k in range(num - 2, -1, -1):
        matrix[k] += matrix[k + 1]
    return gradient, matrix


@njit(cache=True, fastmath={"contract", "reassoc"})
@no_type_check
def _solve(matrix: Any, right: Any) -> None:
    """Solution in the place of ``right`` (D,); ``matrix`` (D, D), its lower half, is overwritten.

    By Cholesky, for a diagonal of ones: a pivot lost to rounding is lifted, not an error.
    """
    num = len(right)
    for i in range(num):
        for j in range(i):
            value = matrix[i, j]
            for k in range(j):
                value -= matrix[i, k] * matrix[j, k]
            matrix[i, j] = value / matrix[j, j]
        pivot = matrix[i, i]
        for k in range(i):
            pivot -= matrix[i, k] * matrix[i, k]
        matrix[i, i] = math.sqrt(max(pivot, _PIVOT))
    for i in range(num):
        value = right[i]
        for k in range(i):
            value -= matrix[i, k] * right[k]
        right[i] = value / matrix[i, i]
    for i in range(num - 1, -1, -1):
        right[i] /= matrix[i, i]
        for k in range(i):
            right[k] -= matrix[i, k] * right[i]


@njit(cache=True)
@no_type_check
def _bounded_step(y: Any, low: Any, high: Any, gradient: Any, matrix: Any, damping: float) -> Any:
    """Newton step (D,) of a quadratic model inside bounds, by an active set that only grows."""
    num = len(y)
    scale = np.empty(num)
    held = np.zeros(num, np.bool_)
    step = np.zeros(num)
    for k in range(num):
        scale[k] = 1 / math.sqrt(max(matrix[k, k], 1e-300))
        at_low, at_high = y[k] <= low[k], y[k] >= high[k]
        held[k] = (at_low and gradient[k] < 0) or (at_high and gradient[k] > 0)
    for _ in range(5):
        free = np.flatnonzero(~held)
        count = len(free)
        reduced = np.empty((count, count))
        right = np.empty(count)
        for a in range(count):
            i = free[a]
            value = gradient[i]
            for k in range(num):
                if held[k]:
                    value -= matrix[i, k] * step[k]
            right[a] = value * scale[i]
            for b in range(a + 1):
                reduced[a, b] = matrix[i, free[b]] * scale[i] * scale[free[b]]
            reduced[a, a] += damping
        _solve(reduced, right)
        inside = True
        for a in range(count):
            k = free[a]
            step[k] = right[a] * scale[k]
            wanted = y[k] + step[k]
            if wanted < low[k] or wanted > high[k]:
                step[k] = min(max(wanted, low[k]), high[k]) - y[k]
                held[k] = True
                inside = False
        if inside:
            break
    return step


@njit(cache=True)
@no_type_check
def climb(
    arrays: Any, y: Any, low: Any, high: Any, worth: float, goal: float, tolerance: float
) -> tuple[Any, float, Any, Any]:
    """Optimum on the ladder inside bounds (Levenberg-Marquardt with an active set).

    Arguments:
        arrays: `Overlaps.arrays`.
        y: Start (3K,).
        low: Lower bounds (3K,), −inf for none.
        high: Upper bounds (3K,).
        worth: χ² above which a start is given up after its first steps.
        goal: χ² that must stay in reach after them: once what is missing is several times what the
            last step gained, the start is given up.
        tolerance: Gain of the log likelihood [nat] below which it ends.

    Returns:
        Optimum (3K,), χ², and there the gradient (3K,) and the precision (3K, 3K) of the log
        likelihood on the ladder; χ² is NaN if the start lies outside the tables or was given up.
    """
    num = len(y) // 3
    half = (arrays[5] - 1) / 2
    y = np.minimum(np.maximum(y, low), high)
    chi2, gradient, matrix = normal_equations(
        arrays, np.cumsum(y[:num]), y[num : 2 * num], y[2 * num :]
    )
    gradient, matrix = on_ladder(gradient, matrix)
    damping = 1e-3
    for count in range(_MAX_STEPS):
        if not chi2 > 0:
            break
        if count == _FIRST_STEPS and chi2 > worth:
            return y, np.nan, gradient, matrix
        scale = 2 * half / chi2
        step = _bounded_step(y, low, high, scale * gradient, scale * matrix, damping)
        longest = 1.0
        shift = 0.0
        for k in range(num):
            shift += step[k]
            longest = max(longest, abs(shift) / _MAX_FREQUENCY_STEP, abs(step[num + k]))
        new = np.minimum(np.maximum(y + step / longest, low), high)
        new_chi2, new_gradient, new_matrix = normal_equations(
            arrays, np.cumsum(new[:num]), new[num : 2 * num], new[2 * num :]
        )
        if 0 < new_chi2 <= chi2:
            gain = half * math.log(chi2 / new_chi2)
            y, chi2 = new, new_chi2
            gradient, matrix = on_ladder(new_gradient, new_matrix)
            damping /= 5
            if gain < tolerance:
                break
            if count >= _FIRST_STEPS and half * math.log(chi2 / goal) > _PATIENCE * gain:
                return y, np.nan, gradient, matrix
        else:
            damping = max(10 * damping, 1e-4)
            if damping > 1e6:
                break
    scale = 2 * half / chi2
    return y, chi2, scale * gradient, scale * matrix


@njit(cache=True)
@no_type_check
def _log_ndtr(x: float) -> float:
    """Logarithm of the normal distribution function."""
    if x > -30:
        return math.log(0.5 * math.erfc(-x / math.sqrt(2.0)))
    # Asymptotic series, to rounding from here on.
    small = 1 / (x * x)
    series = 1 - small * (1 - small * (3 - small * (15 - small * (105 - small * 945))))
    return -0.5 * x * x - math.log(-x * math.sqrt(2 * math.pi)) + math.log(series)


@njit(cache=True)
@no_type_check
def _moments(low: float, high: float) -> tuple[float, float, float]:
    """Log mass, mean and variance of a standard normal between two bounds."""
    flip = low > 0
    if flip:
        low, high = -high, -low
    upper = _log_ndtr(high) if high < np.inf else 0.0
    lower = _log_ndtr(low) if low > -np.inf else -np.inf
    mass = upper + math.log1p(-math.exp(min(lower - upper, -1e-14)))
    if high < -_TAIL:
        # The sums below would lose all digits; so far out the density falls exponentially.
        rate = -high
        span = min(max(rate * (high - low), 1e-6), 700.0)
        rest = math.exp(-span)
        mean = high - (1 - span * rest / (1 - rest)) / rate
        variance = max((1 - span * span * rest / (1 - rest) ** 2) / rate**2, 1e-12)
        return mass, (-mean if flip else mean), variance
    mean = 0.0
    variance = 1.0
    if low > -np.inf:
        density = math.exp(-0.5 * low * low - mass) / math.sqrt(2 * math.pi)
        mean += density
        variance += low * density
    if high < np.inf:
        density = math.exp(-0.5 * high * high - mass) / math.sqrt(2 * math.pi)
        mean -= density
        variance -= high * density
    return mass, (-mean if flip else mean), max(variance - mean * mean, 1e-12)


@njit(cache=True)
@no_type_check
def cut_off(mean: Any, covariance: Any, low: Any, high: Any) -> tuple[float, Any, Any]:
    """What a box leaves of a Gaussian, by expectation propagation.

    Arguments:
        mean: Mean (D,); it may lie outside.
        covariance: Covariance (D, D).
        low: Lower bounds (D,), −inf for none.
        high: Upper bounds (D,).

    Returns:
        Log of the share inside [nat], mean (D,) and covariance (D, D) of that part.
    """
    num = len(mean)
    precision, shift = np.zeros(num), np.zeros(num)
    moment, spread = mean.copy(), covariance.copy()
    for _ in range(30):
        change = 0.0
        for i in range(num):
            own = spread[i, i]
            cavity = 1 / own - precision[i]
            if cavity <= 0:
                continue
            centre = (moment[i] / own - shift[i]) / cavity
            width = 1 / math.sqrt(cavity)
            _, tilted, narrow = _moments((low[i] - centre) / width, (high[i] - centre) / width)
            target = centre + width * tilted
            new = max(cavity / narrow - cavity, 0.0)
            new_shift = target * (cavity + new) - centre * cavity
            more, further = new - precision[i], new_shift - shift[i]
            change = max(change, abs(target - moment[i]) / math.sqrt(covariance[i, i]))
            precision[i], shift[i] = new, new_shift
            factor = 1 / (1 + more * own)
            column = spread[:, i].copy()
            moment += column * ((further - more * moment[i]) * factor)
            for r in range(num):
                for c in range(num):
                    spread[r, c] -= more * factor * column[r] * column[c]
        if change < 1e-4:
            break
    total = 0.0
    for i in range(num):
        cavity = 1 / spread[i, i] - precision[i]
        centre = (moment[i] / spread[i, i] - shift[i]) / cavity
        width = 1 / math.sqrt(cavity)
        mass, _, _ = _moments((low[i] - centre) / width, (high[i] - centre) / width)
        pull = centre * cavity * (centre * precision[i] - 2 * shift[i]) - shift[i] ** 2
        total += mass + 0.5 * math.log1p(precision[i] / cavity)
        total += 0.5 * pull / (cavity + precision[i])
    sites = np.eye(num) + covariance * precision
    _, log_det = np.linalg.slogdet(sites)
    force = shift - precision * mean
    total += 0.5 * (force @ (spread @ force)) - 0.5 * log_det
    total += shift @ mean - 0.5 * np.sum(precision * mean * mean)
    return total, moment, spread

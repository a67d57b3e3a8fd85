import numpy as np
import pytest

from gwiness.separate.consistency import by_chunks, chunk_starts, fade_weights


@pytest.mark.parametrize("num", [64, 65, 96, 100, 128, 250])
def test_weights_sum_to_one_everywhere(num):
    total = np.zeros(max(num, 64))
    for start, weight in zip(chunk_starts(num, 64), fade_weights(num, 64), strict=True):
        total[start : start + 64] += weight
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


@pytest.mark.parametrize("num", [40, 64, 100, 250])
def test_an_identity_comes_back(num):
    data = np.random.default_rng(0).standard_normal((2, num))
    sizes = []

    def identity(chunk: np.ndarray) -> np.ndarray:
        sizes.append(chunk.shape[1])
        return np.stack([chunk, -2 * chunk])

    stems = by_chunks(data, 64, identity)
    np.testing.assert_allclose(stems, np.stack([data, -2 * data]), atol=1e-12)
    assert set(sizes) == {64}


def test_progress_counts_chunks():
    seen = []
    by_chunks(np.zeros((1, 200)), 64, lambda x: x[None], lambda f, text: seen.append((f, text)))
    assert seen[0] == (0.0, f"chunk 1 of {len(seen)}")
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)

"""The batched response against gbgpu, its gradients, its sums."""

import numpy as np
import pytest
import torch

from gwiness.core.catalogue import SPACES, Catalogue
from gwiness.core.grid import TimeGrid
from gwiness.evaluate.response import broad_prior, compare_blocks
from gwiness.infer.galactic.response import GalacticResponse
from gwiness.signal.heterodyne import sum_blocks
from gwiness.simulate.galactic import GalacticBinaries

SPACE = SPACES["gb"]
GRID = TimeGrid(30 * 86400.0, 10.0, 2**18)
YEAR = TimeGrid(30 * 86400.0, 10.0, 365 * 8640)


def drawn(num: int, highest: float = 0.015) -> np.ndarray:
    return broad_prior(np.random.default_rng(7), num, highest)


NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=NO_GPU)])
@pytest.mark.parametrize("generation", [1.5, 2.0])
@pytest.mark.parametrize("grid", [GRID, YEAR], ids=["30 days", "a year"])
def test_agrees_with_gbgpu(grid, generation, device):
    theta = drawn(60, highest=0.019)
    response = GalacticResponse(grid, generation, device=device)
    library = GalacticBinaries(grid, response.width, generation)
    expected = library.blocks(Catalogue("gb", SPACE, theta))
    with torch.no_grad():
        blocks, first = response.blocks(torch.as_tensor(theta, device=device))
    for channels in compare_blocks(expected, (blocks.cpu().numpy(), first.cpu().numpy())).values():
        assert channels["mismatch"] < 1e-6
        assert channels["snr_error"] < 1e-3


def test_gradients_are_those_of_differences():
    response = GalacticResponse(GRID)
    theta = torch.as_tensor(drawn(3)).requires_grad_()
    target = torch.as_tensor(response.blocks(theta)[0].detach().numpy()) * (1 + 0.2j)

    def distance(at: torch.Tensor) -> torch.Tensor:
        return (response.blocks(at)[0] / 1e-18 - target / 1e-18).abs().square().sum()

    (gradient,) = torch.autograd.grad(distance(theta), theta)
    steps = {"amplitude": 1e-26, "frequency": 1e-11, "frequency_derivative": 1e-18}
    with torch.no_grad():
        for column, name in enumerate(SPACE.names):
            step = torch.zeros_like(theta)
            step[:, column] = steps.get(name, 1e-6)
            change = (distance(theta + step) - distance(theta - step)) / 2
            slope = float((gradient * step).sum())
            assert float(change) == pytest.approx(slope, rel=1e-3, abs=1e-9 * abs(slope) + 1e-12)


def test_series_is_the_sum_of_its_binaries():
    theta = drawn(5)
    response = GalacticResponse(GRID)
    library = GalacticBinaries(GRID, response.width)
    blocks, first = library.blocks(Catalogue("gb", SPACE, theta))
    expected = sum_blocks(blocks, first, np.ones(5), library.padded)
    found = response.series(theta)
    assert found.shape == (3, GRID.num)
    error = np.linalg.norm(found[:2] - expected[:2]) / np.linalg.norm(expected[:2])
    assert error < 1e-6


def test_another_generation_is_refused():
    with pytest.raises(ValueError, match="generation"):
        GalacticResponse(GRID, 3.0)

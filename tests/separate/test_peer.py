import sys

import numpy as np
import pytest
import torch
from peer_checkout import write_checkout
from separator_bank import NUM, TINY

from gwiness.config.separator import SeparatorConfig
from gwiness.core.errors import FileProblem, ScopeProblem
from gwiness.core.grid import TimeGrid
from gwiness.core.item import Item
from gwiness.core.tdi import TDI
from gwiness.nn.cascade import Cascade
from gwiness.separate.peer import PeerSeparator, load_peer
from gwiness.separate.separator import Separator
from gwiness.separate.throughput import batch_throughput, by_passes

KINDS = ("mbhb", "emri", "gb")


@pytest.fixture
def config():
    return SeparatorConfig.build(TINY)


@pytest.fixture
def item():
    rng = np.random.default_rng(0)
    return Item(TDI(1e-20 * rng.standard_normal((3, NUM)), TimeGrid(0.0, 10.0, NUM)))


def test_checkout_is_imported_under_a_private_name(tmp_path):
    before = set(sys.modules)
    network = load_peer(write_checkout(tmp_path), KINDS, 2)
    assert network(torch.zeros(1, 2, 50)).shape == (1, 3, 2, 50)
    assert all(name.startswith("_gwiness_peer_") for name in set(sys.modules) - before)


def test_two_checkouts_do_not_mix(tmp_path):
    load_peer(write_checkout(tmp_path / "one"), KINDS, 2)
    other = write_checkout(tmp_path / "two")
    source = other / "scnet/separation.py"
    source.write_text(source.read_text().replace("0.5", "0.0"))
    assert load_peer(other, KINDS, 2)(torch.ones(1, 2, 50)).abs().max() == 0


@pytest.mark.parametrize("text", [None, "from .nowhere import x", "def broken(:", "x = 1"])
def test_a_folder_without_the_network_is_one_sentence(tmp_path, text):
    if text is not None:
        write_checkout(tmp_path)
        (tmp_path / "scnet/SCNet.py").write_text(text)
    with pytest.raises(FileProblem, match="SCNet"):
        load_peer(tmp_path, KINDS, 2)


def test_separates_any_length_whitened_as_ours(tmp_path, config, item):
    peer = PeerSeparator(load_peer(write_checkout(tmp_path), config.kinds, 2), config, "peer")
    ours = Separator(Cascade(**config.network()), config, "ours")
    mixture = peer.prepare(item)
    np.testing.assert_array_equal(mixture.data, ours.prepare(item).data)
    result = peer.separate(mixture)  # residual + stems = mixture is checked by `Separation`
    assert tuple(result.estimates) == config.kinds
    assert result.model == "peer"
    with pytest.raises(ScopeProblem, match="E is missing"):
        peer.prepare(Item(item.mixture.select(("A",))))


def test_weights_come_back(tmp_path, config):
    folder = write_checkout(tmp_path)
    state = load_peer(folder, config.kinds, 2).state_dict()
    peer = PeerSeparator.from_checkpoint(folder, config, state, "peer")
    assert all(torch.equal(state[key], value) for key, value in peer.network.state_dict().items())
    with pytest.raises(FileProblem, match="do not fit"):
        PeerSeparator.from_checkpoint(folder, config, {}, "peer")


def test_every_number_of_passes_shares_the_weights(config):
    ours = Separator(Cascade(**config.network()), config, "ours v1", half=False)
    variants = by_passes(ours)
    assert {passes: variant.name for passes, variant in variants.items()} == {
        1: "ours v1, 1 pass",
        2: "ours v1, 2 passes",
    }
    assert variants[1].network is ours.network
    batch = torch.randn(1, 2, NUM)
    one, two = (variants[passes].stems(batch) for passes in (1, 2))
    assert not torch.equal(one, two)
    assert torch.equal(two, ours.network(batch, passes=2))


def test_throughput_counts_items_and_stops_where_memory_ends(tmp_path, config):
    peer = PeerSeparator(load_peer(write_checkout(tmp_path), config.kinds, 2), config, "peer")
    seen = []

    def measured(call):
        seen.append(call().shape[0])
        if seen[-1] == 4:
            raise torch.OutOfMemoryError
        return 0.5

    assert batch_throughput(peer, measured, (1, 2, 4, 8)) == {1: 2.0, 2: 4.0}
    assert seen == [1, 1, 2, 2, 4]

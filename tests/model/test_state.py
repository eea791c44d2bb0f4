"""How rows ask the memory of their sentence."""

import pytest
import torch
from networks import ARRANGEMENTS, padded, random_network, random_sentences

from seq2seq.model.state import attend

COVERING = ARRANGEMENTS[5]


@pytest.mark.parametrize("beam", [1, 2])
@torch.no_grad()
def test_coverage_is_the_sum_of_the_weights_so_far(beam):
    network = random_network(COVERING, 1)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(3 * beam, 4, COVERING.decoder.size, dtype=torch.float64)
    coverage = state.coverage_NS.repeat_interleave(beam, 0)
    found = attend(network.decoder.attention, queries, memory.attended, coverage)
    assert found.weights_NTS.shape == (3 * beam, 4, 6)
    torch.testing.assert_close(found.coverage_NS, found.weights_NTS.sum(1))
    first = attend(network.decoder.attention, queries[:, :3], memory.attended, coverage)
    last = attend(network.decoder.attention, queries[:, 3:], memory.attended, first.coverage_NS)
    torch.testing.assert_close(last.weights_NTS[:, 0], found.weights_NTS[:, 3])
    blind = attend(network.decoder.attention, queries[:, 3:], memory.attended, coverage)
    assert not torch.allclose(blind.weights_NTS, last.weights_NTS, atol=1e-3)


@torch.no_grad()
def test_a_row_asks_its_own_sentence():
    network = random_network(ARRANGEMENTS[1], 1)
    memory, _ = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(6, 3, ARRANGEMENTS[1].decoder.size, dtype=torch.float64)
    found = attend(network.decoder.attention, queries, memory.attended, None)
    assert found.coverage_NS is None
    for row in range(6):
        own = memory.attended.select(torch.tensor([row // 2]))
        alone = attend(network.decoder.attention, queries[row : row + 1], own, None)
        torch.testing.assert_close(found.context_NTD[row], alone.context_NTD[0])
        torch.testing.assert_close(found.weights_NTS[row], alone.weights_NTS[0])


def test_a_later_query_teaches_an_earlier_one_through_coverage():
    network = random_network(COVERING, 1)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(3, 4, COVERING.decoder.size, dtype=torch.float64, requires_grad=True)
    found = attend(network.decoder.attention, queries, memory.attended, state.coverage_NS)
    first, *_ = found.weights_NTS[:, 3].unbind(1)
    [gradient] = torch.autograd.grad(first.sum(), queries)
    assert (gradient.abs().amax(2) > 0).all()

"""How rows ask the memory of their sentence."""

import pytest
import torch
from networks import ARRANGEMENTS, padded, random_network, random_sentences

COVERING = ARRANGEMENTS[5]


@pytest.mark.parametrize("beam", [1, 2])
@torch.no_grad()
def test_coverage_is_the_sum_of_the_weights_so_far(beam):
    network = random_network(COVERING, 1)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(3 * beam, 4, COVERING.decoder.size, dtype=torch.float64)
    coverage = state.coverage_NS.repeat_interleave(beam, 0)
    found = network.decoder.attention.attend(queries, memory.attention, coverage)
    assert found[1].shape == (3 * beam, 4, 6)
    torch.testing.assert_close(found[2], found[1].sum(1))
    first = network.decoder.attention.attend(queries[:, :3], memory.attention, coverage)
    last = network.decoder.attention.attend(queries[:, 3:], memory.attention, first[2])
    torch.testing.assert_close(last[1][:, 0], found[1][:, 3])
    blind = network.decoder.attention.attend(queries[:, 3:], memory.attention, coverage)
    assert not torch.allclose(blind[1], last[1], atol=1e-3)


@torch.no_grad()
def test_a_row_asks_its_own_sentence():
    network = random_network(ARRANGEMENTS[1], 1)
    memory, _ = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(6, 3, ARRANGEMENTS[1].decoder.size, dtype=torch.float64)
    found = network.decoder.attention.attend(queries, memory.attention, None)
    assert found[2] is None
    for row in range(6):
        own = memory.attention.select(torch.tensor([row // 2]))
        alone = network.decoder.attention.attend(queries[row : row + 1], own, None)
        torch.testing.assert_close(found[0][row], alone[0][0])
        torch.testing.assert_close(found[1][row], alone[1][0])


def test_a_later_query_teaches_an_earlier_one_through_coverage():
    network = random_network(COVERING, 1)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    queries = torch.randn(3, 4, COVERING.decoder.size, dtype=torch.float64, requires_grad=True)
    found = network.decoder.attention.attend(queries, memory.attention, state.coverage_NS)
    first, *_ = found[1][:, 3].unbind(1)
    [gradient] = torch.autograd.grad(first.sum(), queries)
    assert (gradient.abs().amax(2) > 0).all()

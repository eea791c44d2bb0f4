"""Any decoder, stepped by its own code; `test_stepper` holds that it is the network's."""

import pytest
import torch
from networks import EVERY, padded, random_network, random_sentences

from seq2seq.inference.prepared_decoder import PackedDecoder, PlainDecoder, PreparedState, can_pack
from seq2seq.inference.products import InferencePrecision


@pytest.mark.parametrize("config", [config for config in EVERY if can_pack(config)])
@torch.no_grad()
def test_what_can_be_packed_can_be_stepped_plainly_too(config):
    network = random_network(config, 2)
    memory, state = network.encode(*padded(random_sentences(1, [4, 2, 6])))
    inputs = torch.randn(3, config.embedding_size, dtype=torch.float64)
    both = PlainDecoder(network), PackedDecoder(network, InferencePrecision.float32, 1.0)
    rows = PreparedState.of(state)
    for _ in range(2):
        (plain, rows), (packed, other) = (steps.step(inputs, steps.memory(memory), rows) for steps in both)
        torch.testing.assert_close(plain, packed)
        torch.testing.assert_close(rows.states_ZNH, other.states_ZNH)


def test_it_is_a_copy_that_drops_nothing():
    network = random_network(EVERY[-1], 2).train()
    decoder = PlainDecoder(network).decoder
    assert not decoder.training
    assert network.decoder.training
    assert all(one is not other for one, other in zip(decoder.parameters(), network.decoder.parameters(), strict=True))

"""What is said to lie in [-1, 1] does, whatever the weights; what is said to know no bound leaves it."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import BOS, EVERY, model_configs, padded, random_network, random_sentences

from seq2seq.inference.products import context_bounded, features_bounded, outputs_bounded, start_bounded
from seq2seq.model import AttentionKind

TARGETS = torch.tensor([[BOS, 5, 3, 6], [BOS, 4, 7, 3]])
LIMIT = 1 + 1e-6


def within(part: torch.Tensor) -> bool:
    return part.numel() == 0 or bool(part.abs().max() <= LIMIT)


@given(model_configs() | st.sampled_from(EVERY), st.integers(0, 10_000))
@torch.no_grad()
def test_what_is_bounded_is(config, seed):
    network = random_network(config, seed, spread=4.0)
    memory, state = network.encode(*padded(random_sentences(seed, [3, 5])))
    mixed: list[tuple[torch.Tensor, ...]] = []
    if network.decoder.readout is not None:
        network.decoder.readout.register_forward_pre_hook(lambda _, inputs: mixed.append(inputs))
    features = network.decoder(network.target_embedding(TARGETS), memory, state).features_NTF
    assert within(state.hidden_LNH) or not start_bounded(config)
    assert within(features) or not features_bounded(config)
    size, width = config.decoder.size, config.encoder.width
    for inputs, *constant in mixed:
        assert within(inputs[..., :size]) or not outputs_bounded(config)
        if config.attention is not AttentionKind.none:
            assert within(inputs[..., size : size + width]) or not context_bounded(config)
        if config.decoder.feed_context:
            assert within(constant[0]) or not context_bounded(config)


def test_the_samples_meet_both():
    for bounded in (outputs_bounded, context_bounded, start_bounded, features_bounded):
        assert {bounded(config) for config in EVERY} == {True, False}, bounded.__name__

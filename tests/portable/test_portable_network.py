"""The network in numpy against the network in PyTorch: log-probabilities, attention, and the order of rows."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import ARRANGEMENTS, BOS, COPIES, EOS, EVERY, VOCABULARY, model_configs, random_network, random_sentences
from torch import Tensor

from seq2seq.export.config_json import nested_architecture
from seq2seq.model import ModelConfig, Network
from seq2seq.portable.network import NumpyEngine

TARGETS = [[5, 3, 7], [4, 7, 7], [6, 6, 3]]
"""Three hypotheses of the same sentence."""


def numpy_engine(network: Network) -> NumpyEngine:
    weights = {name: weight.detach().float().numpy() for name, weight in network.named_parameters()}
    return NumpyEngine(nested_architecture(network.config), weights, COPIES)


@torch.no_grad()
def expected(network: Network, source: list[int], target: list[int]) -> tuple[Tensor, Tensor | None]:
    """Log-probabilities (T, V) after each token of BOS and the target, and attention weights (T, S)."""
    source_1S, lengths, target_1T = torch.tensor([source]), torch.tensor([len(source)]), torch.tensor([[BOS, *target]])
    logits_TV = network(source_1S, lengths, target_1T, torch.arange(len(target) + 1))
    weights_1TS = network.attention_weights(source_1S, lengths, target_1T)
    return logits_TV.log_softmax(1), None if weights_1TS is None else weights_1TS[0]


def check_equal(network: Network, source: list[int]) -> None:
    """Compare three hypotheses of a sentence, whose rows change places at every step."""
    engine = numpy_engine(network)
    memory, state = engine.encode(source)
    wanted = [expected(network, source, target) for target in TARGETS]
    order, tokens = [0], [BOS]
    for position in range(len(TARGETS[0]) + 1):
        log_probability_NV, state, weights_NS = engine.step(np.array(tokens), memory, state)
        assert log_probability_NV.dtype == np.float32
        for row, number in enumerate(order):
            close(log_probability_NV[row], wanted[number][0][position])
            if wanted[number][1] is None:
                assert weights_NS is None
            else:
                close(weights_NS[row], wanted[number][1][position])
        if position < len(TARGETS[0]):
            rows = [0, 0, 0] if position == 0 else [2, 0, 1]
            order = [0, 1, 2] if position == 0 else [order[row] for row in rows]
            state = engine.select(state, np.array(rows))
            tokens = [TARGETS[number][position] for number in order]


def close(actual: np.ndarray, wanted: Tensor) -> None:
    np.testing.assert_allclose(actual, wanted.numpy(), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("config", EVERY)
def test_numpy_computes_what_torch_does(config):
    network = random_network(config, 1, spread=0.7)
    for sentence in random_sentences(2, [1, 5]):
        check_equal(network, [*sentence, EOS])


@given(model_configs().filter(lambda config: config.encoder.layers > 0), st.integers(0, 9), st.integers(1, 6))
def test_numpy_computes_what_torch_does_for_any_model(config: ModelConfig, seed: int, length: int):
    check_equal(random_network(config, seed, spread=0.5), [*random_sentences(seed, [length])[0], EOS])


def test_a_step_changes_neither_memory_nor_state():
    """A caller may step several times from one state."""
    engine = numpy_engine(random_network(ARRANGEMENTS[3], 1))
    memory, state = engine.encode([5, 4, EOS])
    first = engine.step(np.array([BOS]), memory, state)[0]
    engine.step(np.array([VOCABULARY - 1]), memory, state)
    np.testing.assert_array_equal(engine.step(np.array([BOS]), memory, state)[0], first)

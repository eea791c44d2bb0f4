"""Initial weights."""

import math

import pytest
import torch
from torch import nn

from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, Initialization, ModelConfig, Network, Tying

RANGE = 0.3


def fresh(initialization: Initialization, forget_bias: float = 1.0, tying: Tying = Tying.output) -> Network:
    """A network with every kind of matrix there is."""
    torch.manual_seed(1)
    config = ModelConfig(
        embedding_size=12,
        encoder=EncoderConfig(layers=2, size=10),
        decoder=DecoderConfig(layers=2, size=16),
        attention=AttentionKind.additive,
        tying=tying,
        initialization=initialization,
        initial_range=RANGE,
        forget_bias=forget_bias,
    )
    return Network(config, 50, 60, joint=False)


def matrices(network: Network) -> dict[str, list[torch.Tensor]]:
    """All matrices but the embeddings by name, those of an LSTM cut into its four gates."""
    lstms = {
        f"{name}.{part}"
        for name, module in network.named_modules()
        if isinstance(module, nn.LSTM)
        for part, _ in module.named_parameters()
    }
    return {
        name: list(parameter.detach().chunk(4)) if name in lstms else [parameter.detach()]
        for name, parameter in network.named_parameters()
        if parameter.dim() == 2 and "embedding" not in name
    }


def fills(numbers: torch.Tensor, bound: float) -> bool:
    """Within [-bound, bound], and near both ends and evenly spread as far as their count can show."""
    inside = numbers.abs().max().item() <= bound
    deviation = bound / math.sqrt(3)
    slack = 5 / math.sqrt(numbers.numel())
    return (
        inside
        and numbers.abs().max().item() > bound * (1 - 10 / numbers.numel())
        and abs(numbers.mean().item()) < deviation * slack
        and abs(numbers.std().item() / deviation - 1) < slack
    )


def test_uniform_fills_its_range():
    network = fresh(Initialization.uniform)
    for name, parameter in network.named_parameters():
        if parameter.dim() == 2:
            assert fills(parameter.detach(), RANGE), name


def test_xavier_fills_the_bounds_of_every_gate():
    found = matrices(fresh(Initialization.xavier))
    assert len(found) > 12
    for name, parts in found.items():
        for part in parts:
            assert fills(part, math.sqrt(6 / sum(part.shape))), name


def test_orthogonal_makes_every_gate_orthogonal():
    for name, parts in matrices(fresh(Initialization.orthogonal)).items():
        for part in parts:
            rows, columns = part.shape
            product = part @ part.T if rows <= columns else part.T @ part
            torch.testing.assert_close(product, torch.eye(min(rows, columns)), atol=1e-5, rtol=0, msg=name)
        if len(parts) == 4:
            assert not torch.allclose(parts[0], parts[1], atol=0.01)


@pytest.mark.parametrize("initialization", Initialization)
@pytest.mark.parametrize("tying", [Tying.none, Tying.output])
def test_embeddings_are_uniform_in_every_case(initialization, tying):
    network = fresh(initialization, tying=tying)
    assert fills(network.source_embedding.weight.detach(), RANGE)
    assert fills(network.target_embedding.weight.detach(), RANGE)


@pytest.mark.parametrize("initialization", Initialization)
@pytest.mark.parametrize("forget_bias", [1.0, -0.5])
def test_forget_gates_alone_have_a_bias_and_once(initialization, forget_bias):
    network = fresh(initialization, forget_bias)
    lstms = {name: module for name, module in network.named_modules() if isinstance(module, nn.LSTM)}
    assert len(lstms) == 6
    for lstm in lstms.values():
        admit, forget, candidate, show = (lstm.bias_ih_l0 + lstm.bias_hh_l0).chunk(4)
        assert set(forget.tolist()) == {forget_bias}
        assert set(torch.cat([admit, candidate, show]).tolist()) == {0.0}
    others = {
        name: parameter
        for name, parameter in network.named_parameters()
        if parameter.dim() == 1 and not any(name.startswith(lstm) for lstm in lstms)
    }
    assert "output.bias" in others
    assert all(not parameter.any() for parameter in others.values())


def test_the_same_seed_draws_the_same_weights():
    first, second = fresh(Initialization.xavier).state_dict(), fresh(Initialization.xavier).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)

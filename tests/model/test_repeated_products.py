"""Gradients of weights that are read at one position after another, in bfloat16 beside float64."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from abilities import needs_bfloat16
from networks import random_network, random_sentences
from torch import Tensor, nn

from seq2seq.data.batch import make_batch
from seq2seq.model import AttentionKind, AttentionOrder, DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.model.cell import LSTM, CellState
from seq2seq.model.cells import make_cell
from seq2seq.model.choices import CellKind
from seq2seq.model.repeated_products import repeated_products

pytestmark = needs_bfloat16
POSITIONS = 300
"""Enough for a sum in bfloat16 to stop growing."""
BY_POSITION = [CellKind.gru, CellKind.rnn_tanh, CellKind.slstm]
SIZES = {"embedding_size": 8, "encoder": EncoderConfig(size=8), "dropout": 0.0}
FED = DecoderConfig(size=8, input_feeding=True, cell=CellKind.gru)
SEQUENTIAL = [
    ModelConfig(
        **SIZES,
        decoder=DecoderConfig(size=8),
        attention=AttentionKind.additive,
        attention_order=AttentionOrder.bahdanau,
    ),
    ModelConfig(**SIZES, decoder=FED, attention=AttentionKind.general, attention_order=AttentionOrder.luong),
    ModelConfig(**SIZES, decoder=DecoderConfig(size=8), attention=AttentionKind.additive, coverage=True),
]


def errors(module: nn.Module, loss: Callable[[], Tensor]) -> list[float]:
    """Return the relative error of each parameter's gradient in bfloat16."""
    gradients = []
    for dtype, reduced in ((torch.float64, False), (torch.float32, True)):
        module.to(dtype).zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            value = loss()
        value.backward()
        gradients.append([parameter.grad.double() for parameter in module.parameters()])
    return [float((found - exact).norm() / exact.norm()) for exact, found in zip(*gradients, strict=True)]


@pytest.mark.parametrize("kind", BY_POSITION)
def test_gradients_of_a_cell_are_as_exact_for_many_positions_as_for_few(kind):
    torch.manual_seed(0)
    cell, inputs, slopes = make_cell(kind, 8, 16), torch.randn(4, POSITIONS, 8), torch.randn(4, POSITIONS, 16)
    slopes += 1  # without a mean, the sum would not grow with the positions

    def loss() -> Tensor:
        states, _ = cell.run(inputs.to(next(cell.parameters()).dtype))
        return (states.double() * slopes).mean()

    assert max(errors(cell, loss)) < 0.01


@pytest.mark.parametrize("config", SEQUENTIAL, ids=["bahdanau", "input feeding", "coverage"])
def test_gradients_of_a_sequential_decoder_are_as_exact_for_many_positions_as_for_few(config):
    network = random_network(config, seed=1, spread=0.4)
    batch = make_batch(random_sentences(2, [5] * 4), random_sentences(3, [POSITIONS] * 4))

    def loss() -> Tensor:
        logits_PV = network(*batch[:-1]).double()
        return logits_PV.mean() + logits_PV.square().mean()

    for name, error in zip(dict(network.named_parameters()), errors(network, loss), strict=True):
        assert error < 0.06, (name, error)


@pytest.mark.parametrize("bias", [False, True])
def test_weights_have_the_gradient_of_all_their_uses_and_inputs_that_of_their_own(bias):
    torch.manual_seed(0)
    layer, inputs = nn.Linear(2, 3, bias=bias), torch.randn(3, 4, 2).bfloat16().float().requires_grad_()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(parameter.bfloat16())
    slopes = torch.randn(3, 4, 3).bfloat16().float()
    wanted = torch.autograd.grad((layer(inputs) * slopes).sum(), [inputs, *layer.parameters()])
    with torch.autocast("cpu", torch.bfloat16), repeated_products(inputs.device):
        outputs = torch.stack([layer(part) for part in inputs])
        unused = layer(inputs[0])
    assert outputs.dtype is unused.dtype is torch.bfloat16
    for _ in range(2):  # the sums of one backward pass do not reach the next
        found = torch.autograd.grad((outputs.float() * slopes).sum(), [inputs, *layer.parameters()], retain_graph=True)
        assert all(float((one - other).norm() / other.norm()) < 0.01 for one, other in zip(found, wanted, strict=True))


def test_without_autocast_or_gradients_nothing_changes():
    for gradients, reduced in ((True, False), (False, True)):
        with torch.set_grad_enabled(gradients), torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            assert type(repeated_products(torch.device("cpu"))) is nullcontext


def test_a_cell_state_counts_in_small_steps():
    """A sum in bfloat16 would end at 4, and a forget gate in bfloat16 is never between 0.996 and 1."""
    cell = LSTM(1, 1)
    with torch.no_grad():
        for weight in cell.weights():
            weight.zero_()
        cell.weights()[2].copy_(torch.tensor([20.0, 6.2, 0.02, 20.0]))  # f = 0.998
    state = CellState(torch.zeros(1, 1), torch.zeros(1, 1).bfloat16())
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for _ in range(1000):
            state, _ = cell.step(torch.zeros(1, 1), state)
    assert float(state.cell_NH) == pytest.approx(8.5, rel=0.05)

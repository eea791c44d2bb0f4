"""Kernels for sequences: torch's under autocast, the padding flag, and the LSTM with its own backward pass."""

from unittest import mock

import pytest
import torch
from test_cell import INPUTS, UNITS, assert_close, gradients, random_cell, random_inputs, random_state, stepped, tensors
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from seq2seq.model import cell as cells
from seq2seq.model.cell import CellState
from seq2seq.model.cells import make_cell
from seq2seq.model.choices import CellKind
from seq2seq.model.encoder import padding_mask
from seq2seq.model.kernels import faster_than_torch, run_lstm

ROWS, STEPS, WIDTH, SIZE = 2, 3, 6, 4
FUSED = [CellKind.lstm, CellKind.gru, CellKind.rnn_tanh, CellKind.rnn_relu]


class Kernel:
    """Records the types of its tensors, and whether autocast would cast them."""

    def __init__(self) -> None:
        self.types: set[torch.dtype] = set()
        self.cast: list[bool] = []

    def __call__(self, inputs, initial, weights, *settings):
        states = [*initial] if isinstance(initial, tuple) else [initial]
        self.types |= {one.dtype for one in (inputs, *states, *weights)}
        self.cast.append(torch.is_autocast_enabled("cuda"))
        return (inputs.new_empty(ROWS, STEPS, SIZE), *states)


def run_on_fake_gpu(kind: CellKind, kernel: Kernel, dtype: torch.dtype | None) -> torch.Tensor:
    """Run a sequence on a fake GPU under autocast to this type."""
    with (
        mock.patch("torch.cuda.amp.common.amp_definitely_not_available", return_value=False),
        mock.patch("torch.cuda.is_bf16_supported", return_value=True),
        mock.patch("torch.lstm", kernel),
        FakeTensorMode(),
        torch.no_grad(),
    ):
        cell = make_cell(kind, WIDTH, SIZE)
        for name, parameter in list(cell.named_parameters()):
            setattr(cell, name, torch.nn.Parameter(torch.empty(parameter.shape, device="cuda:0")))
        cell.kernel = kernel
        inputs_NTI = torch.empty(ROWS, STEPS, WIDTH, device="cuda:0")
        padding_NT = padding_mask(torch.empty(ROWS, dtype=torch.int64, device="cuda:0"), STEPS)
        with torch.autocast("cuda", dtype, enabled=dtype is not None):
            return cell.run(inputs_NTI, None, padding_NT)[0]


@pytest.mark.parametrize("takes_bfloat16", [True, False])
@pytest.mark.parametrize("kind", FUSED)
def test_a_kernel_receives_bfloat16_if_supported_and_never_float16_instead(kind, takes_bfloat16, monkeypatch):
    """PyTorch's autocast would pass float16 instead of bfloat16."""
    monkeypatch.setattr("seq2seq.system.capability.runs_recurrent_bfloat16", lambda device: takes_bfloat16)
    kernel, expected = Kernel(), torch.bfloat16 if takes_bfloat16 else torch.float32
    states = run_on_fake_gpu(kind, kernel, torch.bfloat16)
    assert (kernel.types, kernel.cast) == ({expected}, [False])
    assert (states.dtype, states.device.type) == (expected, "cuda")


@pytest.mark.parametrize("kind", FUSED)
def test_a_kernel_receives_float16_if_requested(kind):
    kernel = Kernel()
    states = run_on_fake_gpu(kind, kernel, torch.float16)
    assert (kernel.types, kernel.cast, states.dtype) == ({torch.float16}, [False], torch.float16)


def test_without_autocast_a_kernel_receives_the_inputs_unchanged():
    kernel = Kernel()
    run_on_fake_gpu(CellKind.lstm, kernel, None)
    assert (kernel.types, kernel.cast) == ({torch.float32}, [False])


LENGTHS = [3, 1, 4]
CONSTANT = 2


def random_arguments(seed: int = 1) -> tuple[Tensor, ...]:
    """Return inputs, constant part of the gates, initial states and weights in float64, all with gradients."""
    generator = torch.Generator().manual_seed(seed)
    rows, gates = len(LENGTHS), 4 * UNITS
    shapes = [(rows, 4, INPUTS), (rows, gates), (rows, UNITS), (rows, UNITS), (gates, INPUTS), (gates, UNITS)]
    return tuple(torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes)


@pytest.mark.parametrize("padded", [True, False])
def test_gradients_match_finite_differences(padded):
    _, _, padding_NT = random_inputs(1, LENGTHS)

    def run(*parts: Tensor) -> tuple[Tensor, ...]:
        states, hidden, cell = run_lstm(*parts, padding_NT if padded else None)
        if padded:  # hidden states at padding are undefined
            return states.masked_fill(padding_NT.unsqueeze(2), 0), cell
        return states, hidden, cell

    assert torch.autograd.gradcheck(run, random_arguments())


@pytest.mark.parametrize("kind", CellKind)
@pytest.mark.parametrize("own", [True, False])
def test_constant_inputs_equal_inputs_at_every_position(kind, own, monkeypatch):
    monkeypatch.setattr(cells, "faster_than_torch", lambda *_: own)
    cell = random_cell(kind, 1)
    inputs_NTI, _, _ = random_inputs(2, [5, 5])
    varying_NTX, constant_NX = inputs_NTI[..., :-CONSTANT], inputs_NTI[:, 0, -CONSTANT:].clone()
    repeated_NTI = torch.cat([varying_NTX, constant_NX.unsqueeze(1).expand(-1, 5, -1)], 2)
    state = random_state(kind, 2)
    leaves = [varying_NTX.requires_grad_(), constant_NX.requires_grad_()]
    repeated_NTI = torch.cat([varying_NTX, constant_NX.unsqueeze(1).expand(-1, 5, -1)], 2)
    actual = tensors(cell.run(varying_NTX, state, None, None, constant_NX))
    expected = tensors(stepped(cell, repeated_NTI, [5, 5], state))
    assert_close(actual, expected)
    assert_close(gradients(cell, leaves, actual), gradients(cell, leaves, expected))


@pytest.mark.parametrize("begun", [True, False])
def test_the_results_equal_those_of_the_torch_kernel(begun, monkeypatch):
    """Including padding, recurrent dropout and an initial state."""
    cell = random_cell(CellKind.lstm, 3, rate=0.5).train()
    inputs_NTI, _, padding_NT = random_inputs(4, [5, 1, 7], more=2)
    inputs_NTI.requires_grad_()
    state = random_state(CellKind.lstm, 3) if begun else None
    result = []
    for own in (True, False):
        monkeypatch.setattr(cells, "faster_than_torch", lambda *_, own=own: own)
        torch.manual_seed(5)
        outcome = tensors(cell.run(inputs_NTI, state, padding_NT))
        result.append([*outcome, *gradients(cell, [inputs_NTI], outcome)])
    assert_close(*result)


def test_in_bfloat16_only_products_are_rounded():
    """Outputs and gradients are as close to float32 as those of torch's kernel."""
    cell = random_cell(CellKind.lstm, 6, torch.float32)
    inputs_NTI, _, _ = random_inputs(6, [8, 8, 8], torch.float32)
    constant_NX = inputs_NTI[:, 0, -CONSTANT:]
    state = CellState(*(part.float() for part in random_state(CellKind.lstm, 3)))
    run = (inputs_NTI[..., :-CONSTANT], state, None, None, constant_NX)
    expected = tensors(cell.run(*run))
    with torch.autocast("cpu", torch.bfloat16):
        actual = tensors(cell.run(*run))
    assert [part.dtype for part in actual] == [torch.bfloat16, torch.bfloat16, torch.float32]
    slopes = gradients(cell, [], [part.float() for part in actual])
    for one, other in zip([*actual, *slopes], [*expected, *gradients(cell, [], expected)], strict=True):
        scale = 1 + other.abs().max().item()
        torch.testing.assert_close(one.float(), other, rtol=0, atol=0.02 * scale)


def test_the_kernel_is_used_where_it_was_measured_to_be_faster():
    inputs_NTI = torch.zeros(1, 1, 1)
    assert faster_than_torch(inputs_NTI, has_constant=False)
    with torch.no_grad():
        assert not faster_than_torch(inputs_NTI, has_constant=False)
        assert faster_than_torch(inputs_NTI, has_constant=True)
    with torch.autocast("cpu", torch.bfloat16):
        assert not faster_than_torch(inputs_NTI, has_constant=False)
        assert faster_than_torch(inputs_NTI, has_constant=True)
    assert not faster_than_torch(inputs_NTI.to("meta"), has_constant=True)

"""What the fused kernels are handed under autocast on a GPU, of which there is none: its tensors are fake."""

from unittest import mock

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from seq2seq.model.cell import make_cell
from seq2seq.model.choices import CellKind
from seq2seq.model.encoder import padding_mask

ROWS, STEPS, INPUTS, UNITS = 2, 3, 6, 4
FUSED = [kind for kind in CellKind if kind is not CellKind.layer_norm_lstm]


class Kernel:
    """Notes the types of its tensors, and whether autocast would cast them to another."""

    def __init__(self) -> None:
        self.types: set[torch.dtype] = set()
        self.cast: list[bool] = []

    def __call__(self, inputs, initial, weights, *settings):
        states = [*initial] if isinstance(initial, tuple) else [initial]
        self.types |= {one.dtype for one in (inputs, *states, *weights)}
        self.cast.append(torch.is_autocast_enabled("cuda"))
        return (inputs.new_empty(ROWS, STEPS, UNITS), *states)


def run(kind: CellKind, kernel: Kernel, dtype: torch.dtype | None) -> torch.Tensor:
    """A sequence's states on a fake GPU, under autocast to this type."""
    with (
        mock.patch("torch.cuda.amp.common.amp_definitely_not_available", return_value=False),
        mock.patch("torch.cuda.is_bf16_supported", return_value=True),
        mock.patch("torch.lstm", kernel),
        FakeTensorMode(),
        torch.no_grad(),
    ):
        cell = make_cell(kind, INPUTS, UNITS)
        for name, parameter in list(cell.named_parameters()):
            setattr(cell, name, torch.nn.Parameter(torch.empty(parameter.shape, device="cuda:0")))
        cell.kernel = kernel
        inputs_NTI = torch.empty(ROWS, STEPS, INPUTS, device="cuda:0")
        padding_NT = padding_mask(torch.empty(ROWS, dtype=torch.int64, device="cuda:0"), STEPS)
        with torch.autocast("cuda", dtype, enabled=dtype is not None):
            return cell.run(inputs_NTI, None, padding_NT)[0]


@pytest.mark.parametrize("takes_bfloat16", [True, False])
@pytest.mark.parametrize("kind", FUSED)
def test_a_kernel_gets_bfloat16_where_it_takes_it_and_never_float16_in_its_place(kind, takes_bfloat16, monkeypatch):
    """PyTorch's own autocast would hand it float16 for bfloat16."""
    monkeypatch.setattr("seq2seq.system.capability.runs_recurrent_bfloat16", lambda device: takes_bfloat16)
    kernel, wanted = Kernel(), torch.bfloat16 if takes_bfloat16 else torch.float32
    states = run(kind, kernel, torch.bfloat16)
    assert (kernel.types, kernel.cast) == ({wanted}, [False])
    assert (states.dtype, states.device.type) == (wanted, "cuda")


@pytest.mark.parametrize("kind", FUSED)
def test_a_kernel_gets_float16_where_it_is_asked_for(kind):
    kernel = Kernel()
    states = run(kind, kernel, torch.float16)
    assert (kernel.types, kernel.cast, states.dtype) == ({torch.float16}, [False], torch.float16)


def test_without_autocast_a_kernel_gets_what_is_there():
    kernel = Kernel()
    run(CellKind.lstm, kernel, None)
    assert (kernel.types, kernel.cast) == ({torch.float32}, [False])

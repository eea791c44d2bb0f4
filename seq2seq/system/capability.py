"""What this machine can compute, and how fast: found out by trying it, once per process and device.

A processor's flags are not enough. Libraries have kernels for some instruction sets only, look at settings of their own
(`ONEDNN_MAX_CPU_ISA`), or are missing from a build of PyTorch altogether. So each question is answered by a small
product: does it run, is it right, is it faster than float32?
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seq2seq.system.integer import KERNELS, IntegerKernel
from seq2seq.system.torch_private import pack_linear, packed_linear

CLEARLY = 1.25
"""How many times as fast as float32 another form must be to be chosen by itself.

Forms differ by less than this, or by much more (2 to 10 times with instructions for them): the choice, on which results
depend to the last bit, is the same each time on one machine, in spite of a noisy clock.
"""


@cache
def runs_bfloat16(device: torch.device) -> bool:
    """Whether a recurrent network trains in bfloat16 here, at whatever speed."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # older GPUs emulate it
    return _works(_bfloat16_update)


@cache
def runs_float16(device: torch.device) -> bool:
    """Whether products in float16 run here with their gradients, at whatever speed."""
    return _works(lambda: _float16_update(device), device)


def runs_tf32(device: torch.device) -> bool:
    """Whether this is a GPU that multiplies in TF32."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


@cache
def prefers_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run here and are clearly faster than float32 ones."""
    if not runs_bfloat16(device):
        return False
    return device.type == "cuda" or _is_faster(_linear(torch.bfloat16), _linear(torch.float32))


@cache
def runs_recurrent_bfloat16(device: torch.device) -> bool:
    """Whether cuDNN's recurrent layers take bfloat16 on this GPU; not all its versions do."""
    return _works(lambda: _recurrent_bfloat16(device), device)


def recurrent_dtype(device: torch.device, wanted: torch.dtype) -> torch.dtype:
    """The type in which recurrent layers run on a GPU where ``wanted`` is that of other products.

    float32 in place of a bfloat16 that cuDNN does not take. PyTorch's own kernels would take it: one position at a
    time, and several times as slow. float16 stays float16: every version of cuDNN takes it.
    """
    return torch.float32 if wanted is torch.bfloat16 and not runs_recurrent_bfloat16(device) else wanted


@cache
def packs(dtype: torch.dtype) -> bool:
    """Whether oneDNN takes weights of this type in its own layout: for few rows several times faster."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and dtype in (torch.float32, torch.bfloat16) and _works(lambda: _packed_product(dtype))


@cache
def integer_kernel() -> type[IntegerKernel] | None:
    """The first kernel of 8-bit integer weights whose sums are right here; None where there is none."""
    return next((kernel for kernel in KERNELS if _works(partial(_integer_product, kernel))), None)


def runs_int8(device: torch.device) -> bool:
    """Whether there are exact products of 8-bit integer weights on this device."""
    return device.type == "cpu" and integer_kernel() is not None


@cache
def prefers_int8(device: torch.device) -> bool:
    """Whether integer products run on this device and are clearly faster than float32 ones."""
    kernel = integer_kernel()
    if device.type != "cpu" or kernel is None:
        return False
    codes_OI = torch.full((OUTPUTS, INPUTS), 3, dtype=torch.int8)
    integers = kernel(codes_OI, torch.ones(OUTPUTS), torch.zeros(OUTPUTS))
    inputs_NI = torch.zeros(ROWS, INPUTS)
    return _is_faster(lambda: integers(inputs_NI), _linear(torch.float32))


ROWS, INPUTS, OUTPUTS = 32, 512, 2048
"""Of the products that are timed: a layer of a decoder of 512 units, over a few sentences."""


CPU = torch.device("cpu")


@contextmanager
def _plain(device: torch.device = CPU) -> Iterator[None]:
    """Gradients on and nothing cast: an answer is remembered, so it must not depend on who asks first, and where."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        yield


def _works(trial: Callable[[], None], device: torch.device = CPU) -> bool:
    try:
        with _plain(device):
            trial()
    except (RuntimeError, NotImplementedError, AttributeError):  # what torch raises for a kernel that is not there
        return False
    return True


def _bfloat16_update() -> None:
    inputs, lstm = torch.ones(2, 3, 4), torch.nn.LSTM(4, 5, batch_first=True)
    output = torch.nn.Linear(5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        loss = output(lstm(inputs)[0]).float().sum()
    loss.backward()


def _float16_update(device: torch.device) -> None:
    """A product and its gradient under autocast. No random numbers: it may first be tried in the middle of training."""
    weight = torch.full((4, 6), 0.5, device=device, requires_grad=True)
    with torch.autocast(device.type, torch.float16):
        outputs = torch.ones(2, 4, device=device) @ weight
    outputs.float().sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    if outputs.dtype is not torch.float16:
        raise RuntimeError("autocast has no float16 here")
    _demand(outputs.float(), torch.full_like(outputs, 2.0, dtype=torch.float32))
    _demand(weight.grad, torch.full_like(weight, 2.0))


def _recurrent_bfloat16(device: torch.device) -> None:
    """An LSTM's outputs and gradients, which cuDNN must have computed. No random numbers: training goes on after it."""
    found, wanted = _lstm(device, torch.bfloat16), _lstm(device, torch.float32)
    for one, other in zip(found, wanted, strict=True):
        if not torch.allclose(one, other, rtol=0.05, atol=0.05):
            raise RuntimeError("this kernel computes something else here")


def _lstm(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """Outputs of an LSTM of 16 inputs and units, and the gradients of its weights, by cuDNN; float32."""
    shapes = (2, 3, 16), (64, 16), (64, 16), (64,), (64,)
    inputs, *weights = (
        torch.linspace(-0.5, 0.5, math.prod(shape), device=device).view(shape).to(dtype).requires_grad_()
        for shape in shapes
    )
    zeros = inputs.new_zeros(1, 2, 16)
    with Operations() as called:
        outputs, *_ = torch.lstm(inputs, (zeros, zeros), weights, True, 1, 0.0, True, False, True)
    if not any("cudnn" in name for name in called.names):
        raise RuntimeError("cuDNN has no kernel for this type here")
    gradients = torch.autograd.grad(outputs.float().sum(), weights)
    return [one.float() for one in (outputs, *gradients)]


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While this is open, notes the names of PyTorch's operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(
        self, operation: Any, types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Note one, and run it."""
        self.names.append(operation.name())
        return operation(*args, **(kwargs or {}))


def _packed_product(dtype: torch.dtype) -> None:
    packed = pack_linear(torch.ones(8, 4, dtype=dtype))
    outputs = packed_linear(torch.ones(3, 4, dtype=dtype), packed, torch.ones(8, dtype=dtype))
    _demand(outputs.float(), torch.full((3, 8), 5.0))


def _integer_product(kernel: type[IntegerKernel]) -> None:
    """The largest codes throughout, and both signs: sums that saturate, wrap or lose a digit show themselves."""
    inputs = 64
    signs_I = torch.ones(inputs)
    signs_I[inputs // 2 :] = -1
    codes_OI = torch.stack([torch.full((inputs,), 127.0), 127 * signs_I, torch.arange(float(inputs))]).to(torch.int8)
    inputs_NI = torch.stack([torch.ones(inputs), -torch.ones(inputs), signs_I])
    outputs = kernel(codes_OI, torch.ones(3), torch.zeros(3))(inputs_NI)
    _demand(outputs, inputs_NI @ codes_OI.float().T)


def _demand(found: Tensor, wanted: Tensor) -> None:
    if not torch.allclose(found, wanted, rtol=1e-5, atol=1e-3):
        raise RuntimeError("this kernel computes something else here")


def _linear(dtype: torch.dtype) -> Callable[[], object]:
    inputs_NI, weight_OI = torch.zeros(ROWS, INPUTS, dtype=dtype), torch.zeros(OUTPUTS, INPUTS, dtype=dtype)
    return lambda: torch.nn.functional.linear(inputs_NI, weight_OI)


def _is_faster(product: Callable[[], object], other: Callable[[], object], rounds: int = 9) -> bool:
    """Whether the best time of a product is clearly below that of another; both in turn, for the machine may drift."""
    best = [float("inf"), float("inf")]
    with _plain():
        for _ in range(rounds):
            for number, each in enumerate((product, other)):
                started = time.perf_counter()
                each()
                best[number] = min(best[number], time.perf_counter() - started)
    return best[0] * CLEARLY <= best[1]

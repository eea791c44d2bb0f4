"""The arithmetic that this machine supports, and whether it is fast: tested by running it, once per process and device.

A processor's flags are not sufficient. Libraries have kernels for some instruction sets only, read their own settings
(`ONEDNN_MAX_CPU_ISA`), or are missing in a build of PyTorch. Small trials decide instead: does it run, is the result
correct, and is it faster than float32?
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

MINIMUM_SPEEDUP = 1.25
"""Speed relative to float32 from which ``auto`` chooses another form.

Forms differ by less than this, or by much more (2 to 10 times with special instructions). So the choice, on which the
bits of results depend, is the same each time on one machine in spite of noisy measurements.
"""


@cache
def runs_bfloat16(device: torch.device) -> bool:
    """Whether a recurrent network can be trained in bfloat16, at any speed."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # older GPUs emulate it
    return _works(_bfloat16_update)


@cache
def runs_float16(device: torch.device) -> bool:
    """Whether products in float16 run with their gradients, at any speed."""
    return _works(lambda: _float16_update(device), device)


def runs_tf32(device: torch.device) -> bool:
    """Whether the device is a GPU with TF32 products."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)


@cache
def prefers_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 products run and are clearly faster than float32 products."""
    if not runs_bfloat16(device):
        return False
    return device.type == "cuda" or _is_faster(_linear(torch.bfloat16), _linear(torch.float32))


@cache
def runs_recurrent_bfloat16(device: torch.device) -> bool:
    """Whether cuDNN's recurrent layers support bfloat16 on this GPU; some versions of cuDNN do not."""
    return _works(lambda: _recurrent_bfloat16(device), device)


def recurrent_dtype(device: torch.device, wanted: torch.dtype) -> torch.dtype:
    """The type of recurrent layers on a GPU where ``wanted`` is the type of other products.

    float32 replaces a bfloat16 that cuDNN does not support: PyTorch's own kernels support it, but process one position
    at a time and are several times slower. Every version of cuDNN supports float16.
    """
    return torch.float32 if wanted is torch.bfloat16 and not runs_recurrent_bfloat16(device) else wanted


@cache
def packs(dtype: torch.dtype) -> bool:
    """Whether oneDNN supports packed weights of this type, which are several times faster for few rows."""
    available = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return available and dtype in (torch.float32, torch.bfloat16) and _works(lambda: _packed_product(dtype))


@cache
def integer_kernel() -> type[IntegerKernel] | None:
    """The first kernel of 8-bit integer weights with correct sums on this machine; None without any."""
    return next((kernel for kernel in KERNELS if _works(partial(_integer_product, kernel))), None)


def runs_int8(device: torch.device) -> bool:
    """Whether the device has exact products of 8-bit integer weights."""
    return device.type == "cpu" and integer_kernel() is not None


@cache
def prefers_int8(device: torch.device) -> bool:
    """Whether integer products run and are clearly faster than float32 products."""
    kernel = integer_kernel()
    if device.type != "cpu" or kernel is None:
        return False
    codes_OI = torch.full((OUTPUTS, INPUTS), 3, dtype=torch.int8)
    integers = kernel(codes_OI, torch.ones(OUTPUTS), torch.zeros(OUTPUTS))
    inputs_NI = torch.zeros(ROWS, INPUTS)
    return _is_faster(lambda: integers(inputs_NI), _linear(torch.float32))


ROWS, INPUTS, OUTPUTS = 32, 512, 2048
"""Sizes of the products that are timed: a decoder layer of 512 units, for a few sentences."""


CPU = torch.device("cpu")


@contextmanager
def _default_modes(device: torch.device = CPU) -> Iterator[None]:
    """Gradients on and autocast off: results are cached, so they must not depend on the context of the first caller."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
        yield


def _works(trial: Callable[[], bool], device: torch.device = CPU) -> bool:
    """Whether a trial runs and returns True; torch raises an error for a missing kernel."""
    try:
        with _default_modes(device):
            return trial()
    except (RuntimeError, NotImplementedError, AttributeError):
        return False


def _are_close(results: Sequence[Tensor], expected: Sequence[Tensor], rtol: float = 1e-5, atol: float = 1e-3) -> bool:
    """Whether each result is that of a correct kernel."""
    return all(torch.allclose(*pair, rtol=rtol, atol=atol) for pair in zip(results, expected, strict=True))


def _bfloat16_update() -> bool:
    """An LSTM, a linear layer and their gradients under autocast."""
    inputs, lstm = torch.ones(2, 3, 4), torch.nn.LSTM(4, 5, batch_first=True)
    output = torch.nn.Linear(5, 6)
    with torch.autocast("cpu", torch.bfloat16):
        loss = output(lstm(inputs)[0]).float().sum()
    loss.backward()
    return True


def _float16_update(device: torch.device) -> bool:
    """A product and its gradient under autocast. It draws no random numbers, because training may be running."""
    weight = torch.full((4, 6), 0.5, device=device, requires_grad=True)
    with torch.autocast(device.type, torch.float16):
        outputs = torch.ones(2, 4, device=device) @ weight
    outputs.float().sum().backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    expected = torch.full_like(outputs, 2.0, dtype=torch.float32), torch.full_like(weight, 2.0)
    return outputs.dtype is torch.float16 and _are_close((outputs.float(), weight.grad), expected)


def _recurrent_bfloat16(device: torch.device) -> bool:
    """Outputs and gradients of an LSTM by cuDNN. It draws no random numbers, because training may be running."""
    with Operations() as operations:
        results = _lstm(device, torch.bfloat16)
    by_cudnn = any("cudnn" in name for name in operations.names)
    return by_cudnn and _are_close(results, _lstm(device, torch.float32), rtol=0.05, atol=0.05)


def _lstm(device: torch.device, dtype: torch.dtype) -> list[Tensor]:
    """Outputs of an LSTM of 16 inputs and units and the gradients of its weights, converted to float32."""
    shapes = (2, 3, 16), (64, 16), (64, 16), (64,), (64,)
    inputs, *weights = (
        torch.linspace(-0.5, 0.5, math.prod(shape), device=device).view(shape).to(dtype).requires_grad_()
        for shape in shapes
    )
    zeros = inputs.new_zeros(1, 2, 16)
    outputs, *_ = torch.lstm(inputs, (zeros, zeros), weights, True, 1, 0.0, True, False, True)
    gradients = torch.autograd.grad(outputs.float().sum(), weights)
    return [tensor.float() for tensor in (outputs, *gradients)]


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A context that records the names of PyTorch's operations."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names: list[str] = []

    def __torch_dispatch__(
        self, operation: Any, types: Sequence[type], args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Record an operation and run it."""
        self.names.append(operation.name())
        return operation(*args, **(kwargs or {}))


def _packed_product(dtype: torch.dtype) -> bool:
    """A product with packed weights."""
    packed = pack_linear(torch.ones(8, 4, dtype=dtype))
    outputs = packed_linear(torch.ones(3, 4, dtype=dtype), packed, torch.ones(8, dtype=dtype))
    return _are_close([outputs.float()], [torch.full((3, 8), 5.0)])


def _integer_product(kernel: type[IntegerKernel]) -> bool:
    """A product of the largest codes of both signs, which is wrong if sums saturate, overflow or lose a digit."""
    inputs = 64
    signs_I = torch.ones(inputs)
    signs_I[inputs // 2 :] = -1
    codes_OI = torch.stack([torch.full((inputs,), 127.0), 127 * signs_I, torch.arange(float(inputs))]).to(torch.int8)
    inputs_NI = torch.stack([torch.ones(inputs), -torch.ones(inputs), signs_I])
    outputs = kernel(codes_OI, torch.ones(3), torch.zeros(3))(inputs_NI)
    return _are_close([outputs], [inputs_NI @ codes_OI.float().T])


def _linear(dtype: torch.dtype) -> Callable[[], object]:
    inputs_NI, weight_OI = torch.zeros(ROWS, INPUTS, dtype=dtype), torch.zeros(OUTPUTS, INPUTS, dtype=dtype)
    return lambda: torch.nn.functional.linear(inputs_NI, weight_OI)


def _is_faster(product: Callable[[], object], other: Callable[[], object], rounds: int = 9) -> bool:
    """Whether the best time of a product is clearly below that of another. They alternate, because speed may drift."""
    best = [float("inf"), float("inf")]
    with _default_modes():
        for _ in range(rounds):
            for number, each in enumerate((product, other)):
                start = time.perf_counter()
                each()
                best[number] = min(best[number], time.perf_counter() - start)
    return best[0] * MINIMUM_SPEEDUP <= best[1]

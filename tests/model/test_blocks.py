import pytest
import torch
from torch.nn.functional import linear
from torch.utils._python_dispatch import TorchDispatchMode

from seq2seq.model.blocks import BLOCK, LinearOfRows, blocks, linear_of_rows

EPSILON = 2.0**-8
"""Of bfloat16."""


class Products(TorchDispatchMode):
    """Records the numbers of rows of matrix products."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: set[int] = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.addmm):
            self.rows.add(args[-2].size(0))
        return function(*args, **(kwargs or {}))


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(len(shape) + shape[0]))


@pytest.mark.parametrize("rows", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 200])
def test_blocks_cover_all_rows_and_have_one_size(rows):
    found = list(blocks(rows))
    assert sorted({row for block in found for row in range(rows)[block]}) == list(range(rows))
    assert {block.stop - block.start for block in found} <= {min(rows, BLOCK)}


@pytest.mark.parametrize("rows", [0, 5, BLOCK, BLOCK + 1, 700])
@pytest.mark.parametrize("bias", [True, False])
def test_values_and_gradients_are_those_of_the_map_in_float64(rows, bias):
    given, weight, shift = drawn(rows, 24), drawn(40, 24), drawn(40) if bias else None
    ours = [given.requires_grad_(), weight.requires_grad_(), *([shift.requires_grad_()] if bias else [])]
    exact = [tensor.detach().bfloat16().double().requires_grad_() for tensor in ours]
    with torch.autocast("cpu", torch.bfloat16):
        found = linear_of_rows(*ours)
    expected = linear(*exact)
    direction = drawn(rows, 40).bfloat16()
    (found * direction).sum().backward()
    (expected * direction).sum().backward()
    assert found.dtype == torch.bfloat16
    assert torch.allclose(found.double(), expected, rtol=EPSILON, atol=EPSILON)
    for one, other in zip(ours, exact, strict=True):
        assert one.grad.dtype == torch.float32
        scale = other.grad.abs().max().item() if other.grad.numel() else 1.0
        assert torch.allclose(one.grad.double(), other.grad, rtol=EPSILON, atol=EPSILON * scale)


def test_products_of_batches_of_all_sizes_have_one_number_of_rows():
    layer = LinearOfRows(24, 40)
    with Products() as products, torch.autocast("cpu", torch.bfloat16):
        for length in (BLOCK // 8, BLOCK // 4 + 1, 71, 99):
            layer(drawn(8, length, 24).requires_grad_()).float().sum().backward()
    assert products.rows == {BLOCK, 40}  # 40: the gradient of the weights


def test_without_gradients_and_in_float32_it_is_the_plain_map():
    layer, given = LinearOfRows(24, 40), drawn(700, 24)
    assert torch.equal(layer(given), linear(given, layer.weight, layer.bias))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16), Products() as products:
        layer(given)
    assert products.rows == {700}

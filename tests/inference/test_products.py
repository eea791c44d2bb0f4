"""Matrix products of search, and which of their inputs are bounded."""

import pytest
import torch
from abilities import PRECISIONS, needs_bfloat16, needs_int8
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import BOS, EVERY, model_configs, padded, random_network, random_sentences
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.products import (
    FloatProduct,
    IntegerProduct,
    context_bounded,
    features_bounded,
    make_output_product,
    make_product,
    outputs_bounded,
    start_bounded,
)
from seq2seq.model import AttentionKind
from seq2seq.model.weights import LEVELS, Quantized, quantize
from seq2seq.system import capability, integer
from seq2seq.system.capability import packs
from seq2seq.system.integer import KERNELS, FbgemmKernel, OneDnnKernel, QnnpackKernel, two_digits

CPU = torch.device("cpu")
sizes = st.tuples(st.integers(1, 40), st.integers(1, 70), st.integers(1, 50))
seeds = st.integers(0, 10_000)


def world(seed: int, rows: int, inputs: int, outputs: int, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Return inputs in [-1, 1], weights whose rows differ in scale by up to a thousand, and biases."""
    generator = torch.Generator().manual_seed(seed)
    inputs_NI = torch.rand(rows, inputs, generator=generator) * 2 - 1
    weight_OI = torch.randn(outputs, inputs, generator=generator) * 10 ** (
        3 * torch.rand(outputs, 1, generator=generator) - 2
    )
    return [part.to(dtype) for part in (inputs_NI, weight_OI, torch.randn(outputs, generator=generator))]


def exact(inputs_NI: Tensor, weight_OI: Tensor, bias_O: Tensor) -> Tensor:
    """Return the product in float64."""
    return inputs_NI.double() @ weight_OI.double().T + bias_O.double()


def size(inputs_NI: Tensor, weight_OI: Tensor, bias_O: Tensor) -> Tensor:
    """Return the sum of absolute terms, the scale of rounding errors."""
    return exact(inputs_NI.abs(), weight_OI.abs(), bias_O.abs())


@pytest.fixture(params=["packed", "plain"])
def packed(request, monkeypatch) -> bool:
    """With and without oneDNN's layout, where available."""
    if request.param == "plain":
        monkeypatch.setattr("seq2seq.inference.products.packs", lambda dtype: False)
    return request.param == "packed"


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 64, 33), (7, 5, 300), (130, 48, 64)])
@pytest.mark.parametrize(("dtype", "unit"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
def test_a_product_of_floats(packed, shape, dtype, unit):
    parts = world(1, *shape, dtype)
    product = make_product(*parts[1:], InferencePrecision.float32)
    assert isinstance(product, FloatProduct)
    assert (product.packed is not None) == (packed and packs(dtype))
    found_NO = product(parts[0])
    assert found_NO.dtype is dtype
    assert ((found_NO - exact(*parts)).abs() <= unit * size(*parts)).all()


@needs_bfloat16
@pytest.mark.parametrize("shape", [(1, 64, 33), (7, 5, 300), (130, 48, 64)])
def test_in_bfloat16_each_number_is_rounded_once(packed, shape):
    parts = world(2, *shape)
    found_NO = make_product(*parts[1:], InferencePrecision.bfloat16)(parts[0])
    assert found_NO.dtype is torch.float32
    rounded = [part.bfloat16() for part in parts]
    wanted_NO = exact(*rounded)
    assert ((found_NO - wanted_NO).abs() <= 2**-8 * wanted_NO.abs() + 1e-5 * size(*rounded)).all()
    assert (found_NO != exact(*parts)).any()


@pytest.mark.parametrize("shape", [(1, 64, 33), (7, 5, 300), (130, 48, 64)])
def test_scores_in_bfloat16_have_rounded_inputs_and_weights_and_float32_sums(packed, shape):
    parts = world(2, *shape)
    scores = make_output_product(*parts[1:], InferencePrecision.bfloat16)
    found_NO = scores(parts[0])
    rounded = [parts[0].bfloat16(), parts[1].bfloat16(), parts[2]]
    assert found_NO.dtype is torch.float32
    assert ((found_NO - exact(*rounded)).abs() <= 2e-6 * size(*rounded)).all()
    assert torch.allclose(scores.select(torch.tensor([4, 0]))(parts[0]), found_NO[:, [4, 0]], rtol=1e-5)
    plain = (make(*parts[1:], InferencePrecision.float32)(parts[0]) for make in (make_output_product, make_product))
    assert torch.equal(*plain)


@needs_int8
@given(seeds, sizes)
def test_the_error_of_an_integer_product_is_the_rounding_of_inputs_and_weights(seed, shape):
    parts = inputs_NI, weight_OI, bias_O = world(seed, *shape)
    found_NO = make_product(weight_OI, bias_O, InferencePrecision.int8)(inputs_NI)
    assert found_NO.dtype is torch.float32
    step = 1 / (2 * LEVELS)  # maximum rounding error of an input
    scales_O = weight_OI.double().abs().amax(1) / LEVELS
    of_weights_NO = (inputs_NI.double().abs().sum(1, keepdim=True) + step * shape[1]) * scales_O / 2
    of_inputs_O = step * weight_OI.double().abs().sum(1)
    bound_NO = 1.001 * (of_weights_NO + of_inputs_O) + 1e-6 * size(*parts)
    assert ((found_NO - exact(*parts)).abs() <= bound_NO).all()


@needs_int8
def test_the_limits_of_the_range_and_zero_are_exact():
    weight = quantize(torch.randn(20, 37, generator=torch.Generator().manual_seed(3)))
    inputs_NI = torch.tensor([-1.0, 0.0, 1.0])[torch.arange(37 * 9).view(9, 37) % 7 % 3]
    inputs_NI[:3] = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1)
    bias_O = torch.linspace(-2, 2, 20)
    found_NO = IntegerProduct(weight, bias_O)(inputs_NI)
    wanted_NO = exact(inputs_NI, weight.dequantize(), bias_O)
    assert ((found_NO - wanted_NO).abs() <= 2e-6 * size(inputs_NI, weight.dequantize(), bias_O)).all()
    assert torch.equal(found_NO[1], bias_O)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_selection_of_outputs_in_another_order(precision):
    inputs_NI, weight_OI, bias_O = world(4, 6, 30, 50)
    product = make_product(weight_OI, bias_O, InferencePrecision(precision))
    chosen_U = torch.tensor([49, 0, 7, 7, 21])
    found_NU = product.select(chosen_U)(inputs_NI)
    torch.testing.assert_close(
        found_NU, product(inputs_NI)[:, chosen_U], rtol=1e-2 if precision == "bfloat16" else 1e-5, atol=1e-5
    )
    # Selections can be nested.
    assert torch.equal(
        product.select(chosen_U).select(torch.tensor([2]))(inputs_NI), product.select(chosen_U[2:3])(inputs_NI)
    )


@pytest.mark.parametrize("precision", PRECISIONS)
def test_without_a_bias(precision):
    inputs_NI, weight_OI, bias_O = world(5, 3, 8, 4)
    found_NO = make_product(weight_OI, None, InferencePrecision(precision))(inputs_NI)
    wanted_NO = make_product(weight_OI, torch.zeros_like(bias_O), InferencePrecision(precision))(inputs_NI)
    assert torch.equal(found_NO, wanted_NO)
    assert torch.equal(make_product(weight_OI, None, InferencePrecision(precision))(0 * inputs_NI), torch.zeros(3, 4))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_product_has_its_own_copy_of_the_weights(precision, dtype):
    if precision == "int8" and dtype is torch.float64:
        pytest.skip("integer products give float32")
    inputs_NI, weight_OI, bias_O = world(6, 3, 8, 4, dtype)
    product = make_product(weight_OI, bias_O, InferencePrecision(precision))
    part = torch.tensor([1, 3])
    before, part_before = product(inputs_NI), product.select(part)(inputs_NI)
    weight_OI.zero_()
    bias_O.zero_()
    assert torch.equal(product(inputs_NI), before)
    assert torch.equal(product.select(part)(inputs_NI), part_before)


@given(seeds, st.integers(1, 20), st.integers(1, 40), st.floats(-30, 30))
def test_codes_are_the_nearest_and_codes_of_codes_are_the_same(seed, outputs, inputs, magnitude):
    _, weight_OI, _ = world(seed, 1, inputs, outputs)
    weight_OI = weight_OI * 10**magnitude
    once = quantize(weight_OI)
    assert once.codes_OI.dtype is torch.int8
    assert torch.equal(once.codes_OI.abs().amax(1), torch.full((outputs,), LEVELS, dtype=torch.int8))
    error_OI = (once.dequantize().double() - weight_OI.double()).abs()
    assert (error_OI <= 0.50001 * once.scales_O.double().unsqueeze(1)).all()
    again = quantize(once.dequantize())
    assert torch.equal(again.codes_OI, once.codes_OI)
    assert torch.equal(again.scales_O, once.scales_O)


def test_rows_of_zeros_and_tiny_numbers_are_preserved():
    weight_OI = torch.tensor([[0.0, 0.0, 0.0], [1e-42, 0.0, -1e-45], [0.5, -0.25, 0.0]])
    quantized = quantize(weight_OI)
    assert isinstance(quantized, Quantized)
    assert quantized.codes_OI[0].tolist() == [0, 0, 0]
    assert torch.equal(quantized.dequantize()[0], weight_OI[0])
    torch.testing.assert_close(quantized.dequantize(), weight_OI, rtol=0, atol=0.5 / LEVELS)
    assert torch.equal(quantize(quantized.dequantize()).codes_OI, quantized.codes_OI)


@needs_int8
def test_an_output_without_weights_is_its_bias():
    weight_OI = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    found_NO = make_product(weight_OI, torch.tensor([0.3, 0.4]), InferencePrecision.int8)(torch.ones(1, 2))
    torch.testing.assert_close(found_NO, torch.tensor([[0.3, 2.4]]))


def test_without_an_integer_kernel_the_error_names_the_available_precisions(monkeypatch):
    monkeypatch.setattr("seq2seq.inference.products.integer_kernel", lambda: None)
    with pytest.raises(ConfigError, match=r"^int8 does not run on this processor: use precision=float32$"):
        make_product(torch.ones(2, 2), None, InferencePrecision.int8)


# Integer kernels


@pytest.fixture(params=KERNELS, ids=lambda kernel: kernel.__name__)
def kernel(request):
    if not capability._works(lambda: capability._integer_product(request.param)):
        pytest.skip("this processor lacks it")
    return request.param


INPUT_STEP = {OneDnnKernel: 1 / 127, FbgemmKernel: 1 / 8127, QnnpackKernel: 1 / 8127}
"""Return the quantization step of the inputs."""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=seeds, shape=sizes)
def test_the_error_of_a_kernel_is_the_rounding_of_its_inputs(kernel, seed, shape):
    inputs_NI, weight_OI, bias_O = world(seed, *shape)
    weight = quantize(weight_OI)
    plain_OI = weight.dequantize()
    found_NO = kernel(weight.codes_OI, weight.scales_O, bias_O)(inputs_NI)
    bound_NO = 0.5001 * INPUT_STEP[kernel] * plain_OI.double().abs().sum(1) + 1e-6 * size(inputs_NI, plain_OI, bias_O)
    assert found_NO.dtype is torch.float32
    assert ((found_NO - exact(inputs_NI, plain_OI, bias_O)).abs() <= bound_NO).all()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=seeds, shape=sizes, data=st.data())
def test_the_result_of_a_row_does_not_depend_on_the_batch(kernel, seed, shape, data):
    """Results are equal to the last bit: a difference would grow to 1/127 when the next step quantizes it."""
    inputs_NI, weight_OI, bias_O = world(seed, *shape)
    weight = quantize(weight_OI)
    multiply = kernel(weight.codes_OI, weight.scales_O, bias_O)
    together_NO = multiply(inputs_NI)
    rows = data.draw(st.lists(st.integers(0, shape[0] - 1), min_size=1, max_size=5))
    for some in (rows, rows[:1]):
        assert torch.equal(multiply(inputs_NI[some]), together_NO[some])


@pytest.mark.parametrize(("inputs", "outputs"), [(36, 80), (20, 37), (52, 20), (512, 512)])
def test_the_result_of_a_row_is_the_same_alone_and_in_a_large_batch(kernel, inputs, outputs):
    """oneDNN has special kernels for few rows, and their scaling rounds differently."""
    inputs_NI, weight_OI, bias_O = world(1, 70, inputs, outputs)
    weight = quantize(weight_OI)
    multiply = kernel(weight.codes_OI, weight.scales_O, bias_O)
    together_NO = multiply(inputs_NI)
    for rows in (1, 2, 3, 5, 9, 16, 17, 33):
        for first in range(0, 70 - rows, 7):
            assert torch.equal(multiply(inputs_NI[first : first + rows]), together_NO[first : first + rows])


@pytest.mark.parametrize("inputs", [1, 64, 4096])
def test_the_largest_codes_do_not_overflow(kernel, inputs):
    codes_OI = torch.full((3, inputs), 127, dtype=torch.int8)
    codes_OI[1] = -127
    found_NO = kernel(codes_OI, torch.ones(3), torch.zeros(3))(torch.ones(2, inputs))
    torch.testing.assert_close(found_NO, 127.0 * inputs * torch.tensor([[1.0, -1.0, 1.0]] * 2), rtol=1e-6, atol=0)


def test_two_digits_represent_every_code_and_fit_seven_bits():
    codes = torch.arange(-integer.LEVELS, integer.LEVELS + 1)
    high, low = two_digits((codes / integer.LEVELS).unsqueeze(1)).chunk(2)
    assert torch.equal((128 * high + low).squeeze(1).long(), codes)
    for digit in (high, low):
        assert digit.min() >= -64
        assert digit.max() <= 63


def test_packing_restores_the_quantized_engine():
    before = torch.backends.quantized.engine
    QnnpackKernel(torch.ones(2, 2, dtype=torch.int8), torch.ones(2), torch.zeros(2))
    assert torch.backends.quantized.engine == before


TARGETS = torch.tensor([[BOS, 5, 3, 6], [BOS, 4, 7, 3]])
LIMIT = 1 + 1e-6


def within(part: torch.Tensor) -> bool:
    return part.numel() == 0 or bool(part.abs().max() <= LIMIT)


@given(model_configs() | st.sampled_from(EVERY), st.integers(0, 10_000))
@torch.no_grad()
def test_bounded_inputs_are_within_the_bounds(config, seed):
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


def test_the_sample_configs_include_bounded_and_unbounded_inputs():
    for bounded in (outputs_bounded, context_bounded, start_bounded, features_bounded):
        assert {bounded(config) for config in EVERY} == {True, False}, bounded.__name__

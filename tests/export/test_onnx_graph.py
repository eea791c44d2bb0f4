"""The ONNX graphs compute what the network computes; onnxruntime runs them and torch is the reference."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from networks import ARRANGEMENTS, BOS, COPIES, EOS, EVERY, model_configs, random_network, random_sentences

from seq2seq.errors import ConfigError
from seq2seq.export.config_json import nested_architecture
from seq2seq.export.onnx_builder import GraphBuilder, Part, stored_tensors
from seq2seq.export.onnx_graph import IR_VERSION, OPSET, write_graphs
from seq2seq.model import (
    AttentionKind,
    BridgeKind,
    CellKind,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    Network,
    Readout,
)
from seq2seq.model.weights import dequantized, load_weights, save_quantized, save_tensors, save_weights, set_weights
from seq2seq.portable.folder import read_weights
from seq2seq.portable.network import NumpyEngine
from seq2seq.portable.onnx_engine import OnnxEngine
from seq2seq.system.integer import LEVELS

ROWS = [[BOS, 3, 4, 5, 7], [BOS, 5, 5, 7, 2], [BOS, 6, 3, 3, 4]]
"""Target tokens of three rows of a sentence."""
SMALL = ModelConfig(
    embedding_size=5,
    encoder=EncoderConfig(layers=2, size=3),
    decoder=DecoderConfig(layers=2, size=6),
    attention=AttentionKind.general,
)


def exported(config, folder, precision="float32", seed=3):
    """Write weights and graphs of a random network; return it, with the weights of the folder."""
    network = random_network(config, seed, spread=0.5, dtype=torch.float32)
    weights = folder / "model.safetensors"
    (save_quantized if precision == "int8" else save_weights)(network, weights)
    set_weights(network, dequantized(load_weights(weights), weights), weights)
    write_graphs(config, folder, COPIES)
    return network


@torch.no_grad()
def expected(network: Network, source, rows):
    """Return log-probabilities (N, T, V) and attention weights (N, T, S) of torch under teacher forcing."""
    batch = torch.tensor([source] * len(rows)), torch.full((len(rows),), len(source)), torch.tensor(rows)
    logits = network(*batch, torch.arange(batch[2].numel()))
    weights = network.attention_weights(*batch)
    return logits.log_softmax(1).view(*batch[2].shape, -1).numpy(), None if weights is None else weights.numpy()


def actual(engine, source, rows):
    """Return the same from an engine, one token per row and step."""
    memory, state = engine.encode(source)
    state = engine.select(state, np.zeros(len(rows), np.int64))
    steps = []
    for tokens_N in np.array(rows).T:
        log_probability_NV, state, weights_NS = engine.step(tokens_N, memory, state)
        steps.append((log_probability_NV, weights_NS))
    log_probabilities, weights = zip(*steps, strict=True)
    return np.stack(log_probabilities, 1), None if weights[0] is None else np.stack(weights, 1)


def assert_equal(config, folder, precision, lengths, seed=3):
    network = exported(config, folder, precision, seed)
    engine = OnnxEngine(folder)
    tolerance = 1e-5 if precision == "float32" else 2e-3  # inputs of int8 products are rounded to 1/8127
    for length in lengths:
        source = [*random_sentences(length, [length])[0], EOS]
        reference, computed = expected(network, source, ROWS), actual(engine, source, ROWS)
        np.testing.assert_allclose(computed[0], reference[0], rtol=0, atol=tolerance)
        assert (computed[1] is None) == (reference[1] is None)
        if reference[1] is not None:
            np.testing.assert_allclose(computed[1], reference[1], rtol=0, atol=tolerance)


@pytest.mark.grid(n=1)
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("sample", [number for number, config in enumerate(EVERY) if config.encoder.layers])
def test_every_kind_of_network_gives_the_log_probabilities_and_attention_of_torch(sample, precision, tmp_path):
    assert_equal(EVERY[sample], tmp_path, precision, [0, 6])


@pytest.mark.slow  # the samples above cover every setting
@given(config=model_configs(), seed=st.integers(0, 99))
def test_any_network_gives_the_log_probabilities_of_torch(config, seed, tmp_path_factory):
    config = replace(config, encoder=replace(config.encoder, layers=max(1, config.encoder.layers)))
    try:
        config.check()
    except ConfigError:
        return  # a language model that makes no translator
    for precision in ("float32", "int8"):
        assert_equal(config, tmp_path_factory.mktemp("export"), precision, [3], seed)


def test_rows_are_selected_and_do_not_depend_on_each_other(tmp_path):
    config = ARRANGEMENTS[3]
    assert config.coverage, "the state should have all that it can have"
    assert config.decoder.input_feeding
    exported(config, tmp_path)
    engine = OnnxEngine(tmp_path)
    memory, state = engine.encode([3, 4, 5, EOS])
    before = {name: array.copy() for name, array in state.items()}
    _, state_2, _ = engine.step(np.array([3, 6]), memory, engine.select(state, np.array([0, 0])))
    both, _, _ = engine.step(np.array([4, 5, 4]), memory, engine.select(state_2, np.array([1, 0, 1])))
    for first, second, row in ((6, 4, 0), (3, 5, 1), (6, 4, 2)):
        _, after, _ = engine.step(np.array([first]), memory, state)
        alone, _, _ = engine.step(np.array([second]), memory, after)
        np.testing.assert_allclose(both[row], alone[0], rtol=0, atol=1e-6)
    assert all((before[name] == array).all() for name, array in state.items()), "arguments were changed"


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_graphs_are_valid_and_hold_no_weights(precision, tmp_path):
    exported(SMALL, tmp_path, precision)
    for name in ("encoder.onnx", "step.onnx"):
        onnx.checker.check_model(str(tmp_path / name), full_check=True)
        model = onnx.load(tmp_path / name, load_external_data=False)
        assert [entry.version for entry in model.opset_import] == [OPSET]
        assert model.ir_version == IR_VERSION
        parameters = {tensor.name for tensor in model.graph.initializer if tensor.external_data}
        assert parameters <= stored_tensors(tmp_path / "model.safetensors").keys()
        inside = [tensor for tensor in model.graph.initializer if not tensor.external_data]
        assert sum(tensor.ByteSize() for tensor in inside) < 2000
        named = [node.name for node in model.graph.node if not node.name.startswith("output/")]
        modules = ("source_embedding", "encoder.layers.", "bridge", "decoder", "target_embedding", "output")
        assert all(name.startswith(modules) for name in named)


def test_both_graphs_together_read_every_parameter(tmp_path):
    exported(SMALL, tmp_path)
    models = [onnx.load(tmp_path / name, load_external_data=False) for name in ("encoder.onnx", "step.onnx")]
    read = {tensor.name for model in models for tensor in model.graph.initializer if tensor.external_data}
    assert read == stored_tensors(tmp_path / "model.safetensors").keys()


def test_a_language_model_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"model\.encoder\.layers=0"):
        write_graphs(ModelConfig(encoder=EncoderConfig(layers=0)), tmp_path)


# Products of integers.


class RoundedInputs(NumpyEngine):
    """The numpy network on the same weights, whose bounded inputs are rounded to 14 bits; embeddings are not."""

    def _products(self, cell, inputs_NX):
        return super()._products(cell, rounded(inputs_NX) if cell == "decoder.layers.1" else inputs_NX)

    def _advance(self, kind, cell, products_NG, hidden_NH, cell_NH):
        hidden_NH = rounded(hidden_NH) if cell.startswith("decoder") else hidden_NH
        return super()._advance(kind, cell, products_NG, hidden_NH, cell_NH)

    def _linear(self, name, inputs_NX):
        return super()._linear(name, rounded(inputs_NX) if name == "decoder.readout" else inputs_NX)

    def _features(self, outputs_NX, context_NX, embedded_NX):
        return rounded(super()._features(outputs_NX, context_NX, embedded_NX))


def rounded(values):
    return np.rint(values * np.float32(LEVELS)) / np.float32(LEVELS)


def test_int8_is_float32_with_inputs_rounded_to_two_digits(tmp_path):
    """So the two differ by rounding of float32 only, far less than the digits themselves."""
    exported(SMALL, tmp_path, "int8")
    source = [3, 6, 4, EOS]
    weights, model = read_weights(tmp_path / "model.safetensors"), nested_architecture(SMALL)
    reference, _ = actual(RoundedInputs(model, weights, COPIES), source, ROWS)
    plain, _ = actual(NumpyEngine(model, weights, COPIES), source, ROWS)
    computed, _ = actual(OnnxEngine(tmp_path), source, ROWS)
    assert abs(computed - reference).max() < 2e-6
    assert abs(computed - plain).max() > 2e-5


def codes_and_scales(outputs, inputs, seed):
    """Return 8-bit weights with rows of extreme codes."""
    random = np.random.default_rng(seed)
    codes_OI = random.integers(-127, 128, (outputs, inputs), dtype=np.int8)
    codes_OI[0], codes_OI[1] = 127, -127
    codes_OI[2] = np.where(np.arange(inputs) % 2, 127, -127)
    return codes_OI, random.uniform(1e-3, 1e-2, outputs).astype(np.float32)


def product(folder, codes_OI, scales_O, values_NI, row_scales_N1=None):
    """Run a product; return it, the integer sums (2, N, O), and the digits (2, N, I) as they are stored."""
    weights = {"weight": torch.from_numpy(codes_OI), "weight.scales": torch.from_numpy(scales_O)}
    save_tensors(weights, folder / "model.safetensors")
    (outputs, inputs), float32 = codes_OI.shape, onnx.TensorProto.FLOAT
    graph = GraphBuilder(stored_tensors(folder / "model.safetensors"))
    part = Part(graph.input("values", float32, ["N", inputs]), inputs, bounded=True)
    feed = {"values": values_NI}
    if row_scales_N1 is not None:
        part = part._replace(scale_N1=graph.input("scales", float32, ["N", 1]))
        feed["scales"] = row_scales_N1
    graph.output(graph.linear("weight", [part]), "product", float32, ["N", outputs])
    graph.output("weight/product/sums", "sums", onnx.TensorProto.INT32, ["X", outputs])
    graph.output("values/digits", "digits", onnx.TensorProto.UINT8, ["X", inputs])
    opset = [onnx.helper.make_opsetid("", OPSET)]
    onnx.save(
        onnx.helper.make_model(graph.graph("product"), opset_imports=opset, ir_version=IR_VERSION), folder / "p.onnx"
    )
    results = onnxruntime.InferenceSession(folder / "p.onnx").run(None, feed)
    return results[0], *(result.reshape(2, len(values_NI), -1) for result in results[1:])


@pytest.mark.parametrize("inputs", [1, 7, 512, 2500])  # 14-bit sums of 2,500 inputs would overflow int32
def test_integer_sums_are_exact_for_extreme_weights_and_inputs(inputs, tmp_path):
    codes_OI, scales_O = codes_and_scales(9, inputs, seed=inputs)
    values_NI = np.random.default_rng(1).uniform(-1, 1, (5, inputs)).astype(np.float32)
    values_NI[0], values_NI[1], values_NI[2] = 1, -1, np.where(np.arange(inputs) % 2, 1, -1)
    result, sums_2NO, stored_2NI = product(tmp_path, codes_OI, scales_O, values_NI)
    digits_2NI = stored_2NI.astype(np.int64) - 64
    inputs_NI = np.rint(values_NI * np.float32(LEVELS)).astype(np.int64)
    assert (128 * digits_2NI[0] + digits_2NI[1] == inputs_NI).all()
    assert (sums_2NO == digits_2NI @ codes_OI.T.astype(np.int64)).all()
    exact_NO = (inputs_NI @ codes_OI.T.astype(np.int64)) * scales_O.astype(np.float64) / LEVELS
    np.testing.assert_allclose(result, exact_NO, rtol=1e-6, atol=inputs * 1e-8)


def test_two_products_of_bytes_never_exceed_16_bits(tmp_path):
    """onnxruntime on AVX2 saturates there; this test sees it on any processor, because it looks at the digits."""
    codes_OI, scales_O = codes_and_scales(3, 64, seed=1)
    values_NI = np.linspace(-1, 1, 64 * 400, dtype=np.float32).reshape(400, 64)
    _, _, stored_2NI = product(tmp_path, codes_OI, scales_O, values_NI)
    assert stored_2NI.dtype == np.uint8
    assert 2 * int(stored_2NI.max()) * 127 < 2**15


def test_codes_with_scales_are_multiplied_without_rounding(tmp_path):
    """Embeddings are such codes: only the scales round."""
    codes_OI, scales_O = codes_and_scales(6, 40, seed=2)
    values_NI, rows_N1 = np.arange(-127, 113).reshape(6, 40), np.full((6, 1), 0.25, np.float32)
    result, sums_2NO, _ = product(tmp_path, codes_OI, scales_O, values_NI.astype(np.float32), rows_N1)
    exact_NO = values_NI @ codes_OI.T.astype(np.int64)
    assert (128 * sums_2NO[0].astype(np.int64) + sums_2NO[1] == exact_NO).all()
    np.testing.assert_allclose(result, exact_NO * scales_O.astype(np.float64) * 0.25, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "integer"),
    [
        (
            {},
            {
                "layers.0.weight_ih",
                "layers.0.weight_hh",
                "layers.1.weight_ih",
                "layers.1.weight_hh",
                "readout",
                "output",
            },
        ),
        ({"bridge": BridgeKind.linear}, {"layers.0.weight_ih", "layers.1.weight_ih", "readout", "output"}),
        ({"decoder": DecoderConfig(cell=CellKind.rnn_relu, size=6)}, {"layers.0.weight_ih", "readout", "output"}),
        (
            {"decoder": DecoderConfig(layers=1, size=6, readout=Readout.maxout)},
            {"layers.0.weight_ih", "layers.0.weight_hh", "readout"},
        ),
    ],
    ids=["bounded", "unbounded start", "unbounded states", "unbounded features"],
)
def test_inputs_without_bounds_are_multiplied_in_float32(changes, integer, tmp_path):
    exported(replace(SMALL, **changes), tmp_path, "int8")
    model = onnx.load(tmp_path / "step.onnx", load_external_data=False)
    weights = {node.input[1] for node in model.graph.node if node.op_type == "MatMulInteger"}
    names = {name.split("[")[0].split("/")[0].removeprefix("decoder.") for name in weights}
    names = {name.removesuffix("_l0").removesuffix(".weight") for name in names}
    assert {"output" if name == "target_embedding" else name for name in names} == integer
    encoder = onnx.load(tmp_path / "encoder.onnx", load_external_data=False)
    assert not [node for node in encoder.graph.node if node.op_type == "MatMulInteger"]

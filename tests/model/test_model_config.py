"""Settings of the network (seq2seq/model/config.py)."""

import pytest
from omegaconf import OmegaConf

from seq2seq.errors import ConfigError
from seq2seq.model import AttentionKind, BridgeKind, DecoderConfig, Direction, EncoderConfig, ModelConfig, Tying
from seq2seq.model.choices import CellKind
from seq2seq.settings import validate, walk


def config(
    bridge: BridgeKind, attention: AttentionKind, decoder_size: int, *, feed_context: bool = False
) -> ModelConfig:
    """With an encoder of width 6."""
    return ModelConfig(
        encoder=EncoderConfig(size=3, direction=Direction.bidirectional),
        decoder=DecoderConfig(size=decoder_size, feed_context=feed_context),
        bridge=bridge,
        attention=attention,
    )


def test_the_encoder_width_is_the_sum_of_its_directions():
    one = {direction: EncoderConfig(size=5, direction=direction).width for direction in Direction}
    narrow = dict.fromkeys([Direction.forward, Direction.reversed, Direction.alternating], 5)
    assert one == {**narrow, Direction.bidirectional: 10, Direction.gnmt: 10}
    two = {direction: EncoderConfig(size=5, direction=direction, layers=2).width for direction in Direction}
    assert two == {**narrow, Direction.bidirectional: 10, Direction.gnmt: 5}


def test_the_defaults_are_valid():
    validate(ModelConfig())
    ModelConfig().check()


@pytest.mark.parametrize("bridge", BridgeKind)
@pytest.mark.parametrize("attention", AttentionKind)
@pytest.mark.parametrize("decoder_size", [3, 6, 12])
def test_only_a_copy_bridge_and_dot_attention_require_equal_widths(bridge, attention, decoder_size):
    if bridge is BridgeKind.zero and attention is AttentionKind.none:
        return  # the source would have no effect: tests/model/test_bridge.py
    expected = decoder_size == 6 or (bridge is not BridgeKind.copy and attention is not AttentionKind.dot)
    if expected:
        config(bridge, attention, decoder_size).check()
        return
    with pytest.raises(
        ConfigError, match=rf"set model\.decoder\.size=6 or .* \(model\.decoder\.size is {decoder_size}\)"
    ):
        config(bridge, attention, decoder_size).check()


@pytest.mark.parametrize("attention", AttentionKind)
def test_the_context_can_only_be_fed_without_attention(attention):
    fed = config(BridgeKind.tanh, attention, 6, feed_context=True)
    if attention is AttentionKind.none:
        fed.check()
        return
    with pytest.raises(
        ConfigError, match=r"^model\.decoder\.feed_context=true feeds .* set it to false, or model\.attention=none$"
    ):
        fed.check()


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_layer_normalisation_needs_more_than_one_unit(part):
    model = ModelConfig()
    chosen = getattr(model, part)
    chosen.cell = CellKind.layer_norm_lstm
    model.check()
    chosen.size = 1
    with pytest.raises(ConfigError, match=rf"^model\.{part}\.cell=layer_norm_lstm .* set model\.{part}\.size to 2"):
        model.check()


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_residual_connections_start_within_the_stack(part):
    model = ModelConfig()
    chosen = getattr(model, part)
    chosen.layers, chosen.residual_from = 3, 3
    model.check()
    chosen.residual_from = 4
    with pytest.raises(ConfigError) as caught:
        model.check()
    assert str(caught.value) == (
        f"model.{part}.residual_from=4 is above the top layer: set model.{part}.residual_from=null, or "
        f"model.{part}.layers to 4 or more (it is 3)"
    )


@pytest.mark.parametrize("tying", [Tying.output, Tying.all])
def test_a_tied_output_matrix_excludes_a_readout_size(tying):
    model = ModelConfig(embedding_size=5, decoder=DecoderConfig(readout_size=4), tying=tying)
    with pytest.raises(
        ConfigError, match=rf"^model\.tying={tying} .*\(5\): set model\.tying=none, or .*readout_size=null \(it is 4\)$"
    ):
        model.check()
    model.tying = Tying.none
    model.check()


def test_a_language_model_ignores_encoder_and_bridge_settings():
    for bridge in BridgeKind:
        encoder = EncoderConfig(layers=0, size=3, direction=Direction.gnmt, residual_from=2)
        ModelConfig(encoder=encoder, bridge=bridge).check()


def test_a_config_is_restored_from_yaml():
    before = config(BridgeKind.linear, AttentionKind.additive, 9)
    text = OmegaConf.to_yaml(OmegaConf.structured(before))
    after = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(ModelConfig), OmegaConf.create(text)))
    assert after == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dropout": 1.0}, "dropout must be in [0, 1), got 1"),
        ({"dropout": -0.1}, "dropout must be in [0, 1), got -0.1"),
        ({"embedding_size": 0}, "embedding_size must be at least 1, got 0"),
        ({"initial_range": 0.0}, "initial_range must be in (0, 1000], got 0"),
        ({"embedding_range": 0.0}, "embedding_range must be in (0, 1000], got 0"),
        ({"encoder": EncoderConfig(layers=-1)}, "encoder.layers must be in [0, 8], got -1"),
        ({"encoder": EncoderConfig(layers=9)}, "encoder.layers must be in [0, 8], got 9"),
        ({"decoder": DecoderConfig(residual_from=1)}, "decoder.residual_from must be at least 2, got 1"),
        ({"decoder": DecoderConfig(size=-5)}, "decoder.size must be at least 1, got -5"),
    ],
)
def test_numbers_have_ranges(change, message):
    with pytest.raises(ConfigError) as caught:
        validate(ModelConfig(**change))
    assert str(caught.value) == message


def test_every_setting_has_a_help_text():
    assert [path for path, item, _ in walk(ModelConfig()) if not item.metadata["help"]] == []


SIDE = {"encoder": EncoderConfig(size=3), "decoder": DecoderConfig(size=8)}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"attention_heads": 2}, r"^model\.attention_heads=2 needs attention: set model\.attention=additive"),
        ({"attention_window": 5}, r"^model\.attention_window=5 needs attention"),
        ({"coverage": True}, r"^model\.coverage=true needs attention"),
        ({"attention_size": 4}, r"^model\.attention_size=4 needs attention"),
        ({"decoder": DecoderConfig(size=8, input_feeding=True)}, r"^model\.decoder\.input_feeding=true needs att"),
        (
            {"attention": AttentionKind.general, "attention_size": 4},
            r"model\.attention=general .* leave model\.attention_size out",
        ),
        ({"attention": AttentionKind.additive, "attention_heads": 4}, r"attention_heads=4 must divide .* 8 and 6: set"),
        (
            {"attention": AttentionKind.general, "attention_heads": 4},
            r"attention_heads=4 must divide .* set model\.decoder\.size and model\.encoder\.size",
        ),
        (
            {"attention": AttentionKind.additive, "attention_heads": 3, "attention_size": 8},
            r"attention_heads=3 must divide .* 8 and 6: set",
        ),
        ({"attention": AttentionKind.scaled_dot, "coverage": True}, r"set model\.attention=additive, not scaled_dot$"),
        (
            {"encoder": EncoderConfig(layers=0), "attention": AttentionKind.general},
            r"layers=0 is a language model.* set model\.attention=none$",
        ),
        (
            {"encoder": EncoderConfig(layers=0), "decoder": DecoderConfig(feed_context=True)},
            r"layers=0 is a language model.* set model\.decoder\.feed_context=false$",
        ),
    ],
)
def test_invalid_attention_settings_are_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        ModelConfig(**(SIDE | settings)).check()


@pytest.mark.parametrize(
    "settings",
    [
        {"attention": AttentionKind.additive, "attention_heads": 2, "coverage": True, "attention_window": 3},
        {"attention": AttentionKind.general, "attention_heads": 2},
        {"attention": AttentionKind.scaled_dot, "attention_heads": 3, "attention_size": 12},
        {"encoder": EncoderConfig(layers=0), "bridge": BridgeKind.copy},
    ],
)
def test_valid_attention_settings_are_accepted(settings):
    ModelConfig(**(SIDE | settings)).check()


def test_keys_have_the_decoder_width_by_default():
    assert ModelConfig(decoder=DecoderConfig(size=7)).key_size == 7
    assert ModelConfig(attention_size=5).key_size == 5

"""Fixtures for model tests: tiny random networks and sentences of random tokens.

Token 0 is padding, 1 is BOS, 2 is EOS; 3 .. VOCABULARY - 1 are the others.
"""

import math
from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

from seq2seq.model import (
    AttentionKind,
    AttentionOrder,
    BridgeKind,
    CopyKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    ModelConfig,
    Network,
    Readout,
    Summary,
    Tying,
)
from seq2seq.model.cell import RNN
from seq2seq.model.choices import CellKind

PAD, BOS, EOS, VOCABULARY = 0, 1, 2, 8
COPIES = [-1, -1, -1, 3, 4, 6, 5, -1]
"""The target token that each source token copies in networks with a copy mechanism."""


def random_network(config: ModelConfig, seed: int, spread: float = 1.5, dtype: torch.dtype = torch.float64) -> Network:
    """Return a network in evaluation mode with weights uniform in [-spread, spread], those of the output layer times 3.

    Its output is peaked and differs between sentences, unlike that of a freshly initialized network.
    """
    network = Network(config, VOCABULARY, VOCABULARY, joint=True, copies=COPIES).to(dtype).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-spread, spread, generator=generator)
        for module in network.modules():
            if isinstance(module, RNN) and module.relu:  # Its states are unbounded; small weights keep them finite.
                module.weight_hh_l0.mul_(0.2 / spread)
        network.output.weight.mul_(3)
    return network


def random_sentences(seed: int, lengths: Sequence[int]) -> list[list[int]]:
    """Return sentences with these numbers of tokens."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]


def padded(sentences: Sequence[Sequence[int]], padding: int = PAD, more: int = 0) -> tuple[Tensor, Tensor]:
    """Return the right-padded matrix, with ``more`` additional columns, and the lengths."""
    width = max(map(len, sentences)) + more
    rows = [[*sentence, *[padding] * (width - len(sentence))] for sentence in sentences]
    return torch.tensor(rows), torch.tensor([len(sentence) for sentence in sentences])


@st.composite
def model_configs(draw: st.DrawFn) -> ModelConfig:
    """Any valid tiny model without dropout."""
    direction, cells = draw(st.sampled_from(Direction)), st.sampled_from(CellKind)
    layers, decoder_layers = draw(st.integers(0, 3)), draw(st.integers(1, 3))
    encoder = EncoderConfig(
        cell=draw(cells),
        layers=layers,
        size=draw(st.integers(2, 4)),
        direction=direction,
        residual_from=draw(st.sampled_from([None, *range(3 if direction is Direction.gnmt else 2, layers + 1)])),
    )
    bridge, attention = draw(st.sampled_from(BridgeKind)), draw(st.sampled_from(AttentionKind))
    if encoder.layers == 0:
        attention = AttentionKind.none
    attends = attention is not AttentionKind.none
    feeds = encoder.layers > 0 and not attends
    copies = bridge is BridgeKind.copy
    uneven = copies and direction is Direction.gnmt
    same = copies or attention is AttentionKind.dot
    decoder_cell, input_feeding = draw(cells), attends and draw(st.booleans())
    # An unbounded cell with input feeding would overflow.
    grows = not decoder_cell.traits.bounded and input_feeding
    decoder = DecoderConfig(
        cell=decoder_cell,
        layers=decoder_layers,
        size=encoder.width if same else draw(st.integers(3, 6)),
        residual_from=draw(st.sampled_from([None, *range(2, decoder_layers + 1)])),
        feed_context=feeds and (bridge is BridgeKind.zero or draw(st.booleans())),
        readout=Readout.tanh if grows else draw(st.sampled_from(Readout)),
        readout_sees_input=draw(st.booleans()),
        input_feeding=input_feeding,
    )
    tying = draw(st.sampled_from(Tying))
    decoder.readout_size = draw(st.sampled_from([None, 2, 7])) if tying is Tying.none else None
    maps_queries = attention in (AttentionKind.additive, AttentionKind.scaled_dot)
    attention_size = draw(st.sampled_from([None, 2, 4, 6])) if maps_queries else None
    gcd = math.gcd(encoder.width, attention_size or decoder.size)
    return ModelConfig(
        embedding_size=draw(st.integers(3, 8)),
        encoder=encoder,
        summary=draw(st.sampled_from([kind for kind in Summary if not (copies and kind is Summary.max_mean)])),
        bridge=bridge,
        bridge_shared=uneven or draw(st.booleans()),
        decoder=decoder,
        attention=attention,
        attention_order=draw(st.sampled_from(AttentionOrder)),
        attention_heads=draw(st.sampled_from([heads for heads in (1, 2, 3) if gcd % heads == 0])) if attends else 1,
        attention_size=attention_size,
        attention_window=draw(st.sampled_from([None, 1, 2])) if attends else None,
        coverage=attention is AttentionKind.additive and draw(st.booleans()),
        copy=draw(st.sampled_from(CopyKind)) if attends else CopyKind.none,
        tying=tying,
        dropout=0.0,
    )


# These cover every cell, direction, kind of attention, feeding, tying, bridge and unequal depth and width once.
SAMPLES = [
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(layers=1, size=3, direction=Direction.forward),
        decoder=DecoderConfig(layers=2, size=4),
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=2, size=3, direction=Direction.bidirectional),
        summary=Summary.max_mean,
        decoder=DecoderConfig(layers=1, size=5, feed_context=True),
        tying=Tying.all,
    ),
    ModelConfig(
        embedding_size=6,
        encoder=EncoderConfig(layers=3, size=2, direction=Direction.reversed),
        summary=Summary.mean,
        bridge=BridgeKind.linear,
        decoder=DecoderConfig(layers=2, size=3, feed_context=True),
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(layers=2, size=2, direction=Direction.bidirectional),
        bridge=BridgeKind.copy,
        decoder=DecoderConfig(layers=3, size=4),
        attention=AttentionKind.dot,
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=1, size=3, direction=Direction.bidirectional),
        decoder=DecoderConfig(layers=2, size=5),
        attention=AttentionKind.general,
        tying=Tying.output,
    ),
    ModelConfig(
        embedding_size=3,
        encoder=EncoderConfig(layers=2, size=4, direction=Direction.forward),
        decoder=DecoderConfig(layers=1, size=5),
        attention=AttentionKind.additive,
        tying=Tying.all,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(cell=CellKind.gru, layers=3, size=3, direction=Direction.gnmt, residual_from=3),
        bridge_shared=True,
        decoder=DecoderConfig(cell=CellKind.layer_norm_lstm, layers=2, size=4),
        attention=AttentionKind.scaled_dot,
    ),
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(
            cell=CellKind.layer_norm_lstm, layers=3, size=4, direction=Direction.alternating, residual_from=2
        ),
        bridge=BridgeKind.zero,
        decoder=DecoderConfig(cell=CellKind.gru, layers=2, size=6, feed_context=True),
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=3,
        encoder=EncoderConfig(cell=CellKind.rnn_tanh, layers=2, size=3, direction=Direction.alternating),
        decoder=DecoderConfig(cell=CellKind.rnn_relu, layers=2, size=4),
    ),
    ModelConfig(
        embedding_size=3,
        encoder=EncoderConfig(cell=CellKind.rnn_relu, layers=2, size=3, direction=Direction.gnmt),
        bridge=BridgeKind.linear,
        decoder=DecoderConfig(cell=CellKind.rnn_tanh, layers=3, size=4),
    ),
    ModelConfig(  # model=sutskever: all that the decoder knows of the source is where it starts
        embedding_size=4,
        encoder=EncoderConfig(layers=1, size=3),
        bridge=BridgeKind.linear,
        decoder=DecoderConfig(layers=1, size=5),
    ),
]

# These cover every order, several heads, local attention, coverage, input feeding, residuals, readouts and copying.
ARRANGEMENTS = [
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(layers=2, size=3, direction=Direction.forward),
        decoder=DecoderConfig(layers=2, size=4, readout_size=6, input_feeding=True),
        attention=AttentionKind.general,
        attention_order=AttentionOrder.luong,
        attention_window=2,
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=1, size=3),
        decoder=DecoderConfig(layers=3, size=5, residual_from=2, readout_sees_input=True),
        attention=AttentionKind.scaled_dot,
        attention_order=AttentionOrder.luong,
        attention_heads=3,
        attention_size=6,
    ),
    ModelConfig(
        embedding_size=3,
        encoder=EncoderConfig(cell=CellKind.gru, layers=1, size=3),
        decoder=DecoderConfig(cell=CellKind.gru, size=4, readout=Readout.maxout, readout_sees_input=True),
        attention=AttentionKind.additive,
        attention_order=AttentionOrder.bahdanau,
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=1, size=4),
        decoder=DecoderConfig(layers=2, size=4, input_feeding=True),
        attention=AttentionKind.additive,
        attention_order=AttentionOrder.bahdanau,
        attention_heads=2,
        coverage=True,
        attention_window=1,
    ),
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(layers=1, size=2),
        decoder=DecoderConfig(layers=3, size=4, input_feeding=True, residual_from=3),
        attention=AttentionKind.additive,
        attention_heads=2,
        tying=Tying.all,
    ),
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(layers=1, size=3),
        decoder=DecoderConfig(layers=2, size=4),
        attention=AttentionKind.additive,
        attention_size=3,
        coverage=True,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=1, size=2),
        decoder=DecoderConfig(layers=2, size=4, readout=Readout.maxout, readout_size=3),
        attention=AttentionKind.dot,
        attention_order=AttentionOrder.luong,
        attention_heads=2,
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=1, size=3),
        decoder=DecoderConfig(layers=2, size=4),
        attention=AttentionKind.general,
        copy=CopyKind.pointer,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(layers=1, size=2),
        decoder=DecoderConfig(layers=1, size=4),
        attention=AttentionKind.additive,
        attention_order=AttentionOrder.bahdanau,
        attention_heads=2,
        attention_window=2,
        coverage=True,
        copy=CopyKind.pointer,
        tying=Tying.none,
    ),
]

# These have every cell of seq2seq.model.cells once on each side.
RECENT = [
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(cell=CellKind.ssru, layers=3, size=4, direction=Direction.gnmt, residual_from=3),
        decoder=DecoderConfig(cell=CellKind.mlstm, layers=2, size=6),
        attention=AttentionKind.general,
    ),
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(cell=CellKind.min_lstm, layers=2, size=4, direction=Direction.alternating),
        decoder=DecoderConfig(cell=CellKind.ssru, layers=3, size=5, residual_from=2),
        attention=AttentionKind.additive,
        tying=Tying.none,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(cell=CellKind.mlstm, layers=2, size=6),
        summary=Summary.max_mean,
        decoder=DecoderConfig(cell=CellKind.slstm, layers=2, size=5, feed_context=True),
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(cell=CellKind.slstm, layers=1, size=3, direction=Direction.reversed),
        decoder=DecoderConfig(cell=CellKind.sru, layers=2, size=4),
        attention=AttentionKind.scaled_dot,
        attention_order=AttentionOrder.bahdanau,
    ),
    ModelConfig(
        embedding_size=5,
        encoder=EncoderConfig(cell=CellKind.sru, layers=2, size=3, residual_from=2),
        bridge=BridgeKind.zero,
        decoder=DecoderConfig(cell=CellKind.min_gru, layers=2, size=6, feed_context=True, readout_sees_input=True),
        tying=Tying.all,
    ),
    ModelConfig(
        embedding_size=4,
        encoder=EncoderConfig(cell=CellKind.min_gru, layers=1, size=4, direction=Direction.forward),
        bridge=BridgeKind.copy,
        decoder=DecoderConfig(cell=CellKind.min_lstm, layers=1, size=4, readout=Readout.maxout),
        attention=AttentionKind.general,
        attention_order=AttentionOrder.luong,
        copy=CopyKind.pointer,
    ),
]

EVERY = [*SAMPLES, *ARRANGEMENTS, *RECENT]

"""A world for the tests of the model: tiny random networks and sentences of random pieces.

Piece 0 pads, 1 begins a sentence, 2 ends it; 3 .. VOCABULARY - 1 stand for the rest.
"""

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from torch import Tensor

from seq2seq.model import (
    AttentionKind,
    BridgeKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    ModelConfig,
    Network,
    Summary,
    Tying,
)

PAD, BOS, EOS, VOCABULARY = 0, 1, 2, 8


def random_network(config: ModelConfig, seed: int, spread: float = 1.5, dtype: torch.dtype = torch.float64) -> Network:
    """A network in evaluation mode, every number drawn from [-spread, spread], the output layer's thrice as wide.

    So the output is peaked and differs from sentence to sentence, which that of a fresh network hardly does.
    """
    network = Network(config, VOCABULARY, VOCABULARY, joint=True).to(dtype).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-spread, spread, generator=generator)
        network.output.weight.mul_(3)
    return network


def random_sentences(seed: int, lengths: Sequence[int]) -> list[list[int]]:
    """Sentences of those many pieces."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(3, VOCABULARY, (length,), generator=generator).tolist() for length in lengths]


def padded(sentences: Sequence[Sequence[int]], padding: int = PAD, more: int = 0) -> tuple[Tensor, Tensor]:
    """Right-padded matrix and lengths, with ``more`` columns than the longest sentence needs."""
    width = max(map(len, sentences)) + more
    rows = [[*sentence, *[padding] * (width - len(sentence))] for sentence in sentences]
    return torch.tensor(rows), torch.tensor([len(sentence) for sentence in sentences])


@st.composite
def model_configs(draw: st.DrawFn) -> ModelConfig:
    """Every choice of the model that is allowed, tiny, without dropout."""
    direction = draw(st.sampled_from(Direction))
    encoder = EncoderConfig(layers=draw(st.integers(1, 3)), size=draw(st.integers(2, 4)), direction=direction)
    bridge, attention = draw(st.sampled_from(BridgeKind)), draw(st.sampled_from(AttentionKind))
    same = bridge is BridgeKind.copy or attention is AttentionKind.dot
    decoder = DecoderConfig(
        layers=draw(st.integers(1, 3)),
        size=encoder.width if same else draw(st.integers(3, 6)),
        feed_context=attention is AttentionKind.none and draw(st.booleans()),
    )
    return ModelConfig(
        embedding_size=draw(st.integers(3, 8)),
        encoder=encoder,
        summary=draw(st.sampled_from(Summary)),
        bridge=bridge,
        decoder=decoder,
        attention=attention,
        tying=draw(st.sampled_from(Tying)),
        dropout=0.0,
    )


# Enough to meet every kind of attention, feeding, tying, bridge and unequal depth and width once.
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
        summary=Summary.max,
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
]

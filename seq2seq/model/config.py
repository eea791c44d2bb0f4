"""Settings of the network: numbers and words only, so that a model folder's YAML can bring it back."""

from dataclasses import dataclass
from enum import StrEnum

from seq2seq.errors import ConfigError
from seq2seq.settings import setting


class Direction(StrEnum):
    """How the encoder reads: left to right, right to left (Sutskever et al. 2014), or both ways."""

    forward = "forward"
    reversed = "reversed"
    bidirectional = "bidirectional"


class Summary(StrEnum):
    """What becomes of the encoder's states: the last one, their mean or their maximum over time."""

    last = "last"
    mean = "mean"
    max = "max"


class BridgeKind(StrEnum):
    """How the context reaches the decoder's initial state."""

    copy = "copy"
    linear = "linear"
    tanh = "tanh"


class AttentionKind(StrEnum):
    """Score of a decoder state against an encoder state: Luong et al. 2015 (dot, general), Bahdanau et al. 2015."""

    none = "none"
    dot = "dot"
    general = "general"
    additive = "additive"


class Tying(StrEnum):
    """Which embeddings share their weights: none, target with output layer, or these and the source's too."""

    none = "none"
    output = "output"
    all = "all"


class Initialization(StrEnum):
    """Distribution of the initial weight matrices."""

    uniform = "uniform"
    xavier = "xavier"
    orthogonal = "orthogonal"


@dataclass(kw_only=True)
class EncoderConfig:
    """The encoder LSTM."""

    layers: int = setting(1, "stacked LSTM layers", at_least=1)
    size: int = setting(256, "units of each direction", at_least=1)
    direction: Direction = setting(Direction.bidirectional, "reads forward, reversed or bidirectional")

    @property
    def width(self) -> int:
        """Width D of an encoder state, both directions side by side."""
        return self.size * (2 if self.direction is Direction.bidirectional else 1)


@dataclass(kw_only=True)
class DecoderConfig:
    """The decoder LSTM."""

    layers: int = setting(1, "stacked LSTM layers", at_least=1)
    size: int = setting(512, "units", at_least=1)
    feed_context: bool = setting(False, "give the context vector to every step too (Cho et al. 2014)")


@dataclass(kw_only=True)
class ModelConfig:
    """Encoder, context, decoder."""

    embedding_size: int = setting(256, "width of source and target embeddings", at_least=1)
    encoder: EncoderConfig = setting(factory=EncoderConfig)
    summary: Summary = setting(Summary.last, "the context vector: last, mean or max of the encoder's states")
    bridge: BridgeKind = setting(BridgeKind.tanh, "from context to the decoder's initial state: copy, linear or tanh")
    decoder: DecoderConfig = setting(factory=DecoderConfig)
    attention: AttentionKind = setting(AttentionKind.none, "none, dot, general or additive")
    tying: Tying = setting(Tying.output, "shared embeddings: none, output (target and output layer) or all three")
    dropout: float = setting(0.2, "share of units silenced in training", at_least=0, below=1)
    dropout_shared_over_time: bool = setting(True, "one mask per sentence (Gal & Ghahramani 2016), not one per step")
    initialization: Initialization = setting(Initialization.uniform, "uniform, xavier or orthogonal")
    initial_range: float = setting(0.1, "uniform initialisation draws from [-x, x]", above=0)
    forget_bias: float = setting(1.0, "initial bias of the forget gates (Jozefowicz et al. 2015)")

    def check(self) -> None:
        """Hold what one setting demands of another.

        Raises:
            ConfigError: names the settings that contradict each other.
        """
        if self.bridge is BridgeKind.copy and self.encoder.width != self.decoder.size:
            raise ConfigError(
                f"model.bridge=copy needs a decoder as wide as an encoder state: set model.decoder.size="
                f"{self.encoder.width} or model.bridge=tanh (model.decoder.size is {self.decoder.size})"
            )
        if self.attention is AttentionKind.dot and self.encoder.width != self.decoder.size:
            raise ConfigError(
                f"model.attention=dot needs a decoder as wide as an encoder state: set model.decoder.size="
                f"{self.encoder.width} or model.attention=general (model.decoder.size is {self.decoder.size})"
            )
        if self.attention is not AttentionKind.none and self.decoder.feed_context:
            raise ConfigError(
                "model.decoder.feed_context feeds the fixed context vector: it needs model.attention=none"
            )

"""Settings of the network: numbers and words only, so that a model folder's YAML can bring it back."""

from dataclasses import dataclass

from seq2seq.errors import ConfigError
from seq2seq.model.choices import (
    AttentionKind,
    AttentionOrder,
    BridgeKind,
    CellKind,
    Direction,
    Initialization,
    Readout,
    Summary,
    Tying,
)
from seq2seq.settings import Settings, setting


@dataclass(kw_only=True)
class EncoderConfig(Settings):
    """The encoder. Without layers there is none: the network is then a language model of the target."""

    cell: CellKind = setting(CellKind.lstm, "lstm, gru, rnn_tanh, rnn_relu or layer_norm_lstm")
    layers: int = setting(1, "stacked layers; 0: no encoder, a language model of the target", at_least=0, at_most=8)
    size: int = setting(256, "units of each direction", at_least=1)
    direction: Direction = setting(
        Direction.bidirectional, "reads forward, reversed, bidirectional, alternating or gnmt (lowest both ways)"
    )
    residual_from: int | None = setting(
        None, "from this layer on (the lowest is 1) a layer's input is added to its output; null: never", at_least=2
    )

    def both_ways(self, layer: int) -> bool:
        """Whether this layer (the lowest is 0) reads both ways."""
        return self.direction is Direction.bidirectional or (self.direction is Direction.gnmt and layer == 0)

    def layer_width(self, layer: int) -> int:
        """Width of the states of this layer (the lowest is 0), both directions side by side."""
        return self.size * (2 if self.both_ways(layer) else 1)

    @property
    def width(self) -> int:
        """Width D of the top layer's states, and of what attention gives the decoder."""
        return self.layer_width(max(0, self.layers - 1))


@dataclass(kw_only=True)
class DecoderConfig(Settings):
    """The decoder."""

    cell: CellKind = setting(CellKind.lstm, "lstm, gru, rnn_tanh, rnn_relu or layer_norm_lstm")
    layers: int = setting(1, "stacked layers", at_least=1, at_most=8)
    size: int = setting(512, "units", at_least=1)
    residual_from: int | None = setting(
        None, "from this layer on (the lowest is 1) a layer's input is added to its output; null: never", at_least=2
    )
    feed_context: bool = setting(False, "give the context vector to every step too (Cho et al. 2014)")
    readout: Readout = setting(Readout.tanh, "what mixes state and context before the output layer: tanh or maxout")
    readout_size: int | None = setting(
        None, "width of the readout, if no shared embedding settles it; null: the decoder's size", at_least=1
    )
    readout_sees_input: bool = setting(False, "the readout mixes in the embedding of the piece just read too")
    input_feeding: bool = setting(
        False, "what attention led to feeds the next step (Luong et al. 2015): one position at a time, so slower"
    )


@dataclass(kw_only=True)
class ModelConfig(Settings):
    """Encoder, context, decoder."""

    embedding_size: int = setting(256, "width of source and target embeddings", at_least=1)
    encoder: EncoderConfig = setting(factory=EncoderConfig)
    summary: Summary = setting(Summary.last, "the context vector: last, mean, max or max_mean of the encoder's states")
    bridge: BridgeKind = setting(
        BridgeKind.tanh, "from context to the decoder's initial state: copy, linear, tanh or zero"
    )
    bridge_shared: bool = setting(False, "one bridge, from the encoder's top layer, to every decoder layer")
    decoder: DecoderConfig = setting(factory=DecoderConfig)
    attention: AttentionKind = setting(AttentionKind.none, "none, dot, general, scaled_dot or additive")
    attention_order: AttentionOrder = setting(
        AttentionOrder.gnmt, "which state asks, which layers hear: gnmt, luong, bahdanau"
    )
    attention_heads: int = setting(1, "heads side by side, each over a share of the width (RNMT+)", at_least=1)
    attention_size: int | None = setting(None, "width of its keys, all heads; null: the decoder's size", at_least=1)
    attention_window: int | None = setting(
        None,
        "local-p attention: source pieces either side of a predicted place (Luong et al. 2015); null: all",
        at_least=1,
    )
    coverage: bool = setting(
        False, "the score sees how much attention a source piece has had (Tu et al. 2016, See et al. 2017)"
    )
    tying: Tying = setting(Tying.output, "shared embeddings: none, output (target and output layer) or all three")
    dropout: float = setting(0.2, "share of units silenced in training", at_least=0, below=1)
    dropout_shared_over_time: bool = setting(True, "one mask per sentence (Gal & Ghahramani 2016), not one per step")
    recurrent_dropout: float = setting(
        0.0, "share of recurrent weights silenced in training (Merity et al. 2018)", at_least=0, below=1
    )
    word_dropout: float = setting(
        0.0, "share of source and target-input words whose embedding is silenced in training", at_least=0, below=1
    )
    initialization: Initialization = setting(Initialization.uniform, "uniform, xavier or orthogonal")
    initial_range: float = setting(0.1, "uniform initialisation draws from [-x, x]", above=0, at_most=1000)
    embedding_range: float | None = setting(
        None, "the same for embeddings, whatever initialization says; null: initial_range", above=0, at_most=1000
    )
    forget_bias: float = setting(1.0, "initial bias of the forget gates (Jozefowicz et al. 2015)")

    def summary_width(self, layer: int) -> int:
        """Width of the summary of an encoder layer's hidden states (the lowest is 0)."""
        return self.encoder.layer_width(layer) * (2 if self.summary is Summary.max_mean else 1)

    @property
    def context_width(self) -> int:
        """Width of the context vector, the summary of the encoder's top layer."""
        return self.summary_width(max(0, self.encoder.layers - 1))

    @property
    def key_size(self) -> int:
        """Width A of attention's keys, all heads."""
        return self.attention_size or self.decoder.size

    @property
    def bridged_layers(self) -> list[int]:
        """The encoder layer (the lowest is 0) from which each decoder layer's initial state comes.

        Stacks of different depth are aligned at the top: the decoder's top layer hears the encoder's top layer, and a
        deeper decoder repeats the encoder's lowest layer below that. A shared bridge knows the top layer alone.
        """
        encoder, decoder = self.encoder.layers, self.decoder.layers
        if self.bridge_shared:
            return [encoder - 1] * decoder
        return [max(0, encoder - decoder + layer) for layer in range(decoder)]

    def check(self) -> None:
        """Hold what one setting demands of another.

        Raises:
            ConfigError: names the settings that contradict each other.
        """
        self._check_cells()
        self._check_depths()
        self._check_readout()
        if self.encoder.layers > 0:
            self._check_residuals()
            self._check_bridge()
        if self.attention is AttentionKind.none:
            self._check_without_attention()
        else:
            self._check_attention()

    def _check_cells(self) -> None:
        for name, part in (("encoder", self.encoder), ("decoder", self.decoder)):
            if part.cell is CellKind.layer_norm_lstm and part.size == 1:
                raise ConfigError(
                    f"model.{name}.cell=layer_norm_lstm has nothing to normalise in one unit: set model.{name}.size to "
                    f"2 or more, or model.{name}.cell=lstm"
                )

    def _check_depths(self) -> None:
        for name, part in (("encoder", self.encoder), ("decoder", self.decoder)):
            if part.residual_from is not None and 0 < part.layers < part.residual_from:
                raise ConfigError(
                    f"model.{name}.residual_from={part.residual_from} begins above the top layer: set "
                    f"model.{name}.residual_from=null, or model.{name}.layers to {part.residual_from} or more "
                    f"(it is {part.layers})"
                )

    def _check_readout(self) -> None:
        size = self.decoder.readout_size
        if size not in (None, self.embedding_size) and self.tying is not Tying.none:
            raise ConfigError(
                f"model.tying={self.tying} has a readout as wide as the embeddings, {self.embedding_size}: set "
                f"model.tying=none, or model.decoder.readout_size=null (it is {size})"
            )

    def _check_residuals(self) -> None:
        encoder = self.encoder
        for layer in range((encoder.residual_from or encoder.layers + 1) - 1, encoder.layers):
            below, width = encoder.layer_width(layer - 1), encoder.layer_width(layer)
            if below != width:
                instead = layer + 2 if layer + 2 <= encoder.layers else "null"
                raise ConfigError(
                    f"model.encoder.residual_from={encoder.residual_from} adds layer {layer}, which is {below} wide, "
                    f"to layer {layer + 1}, which is {width}: set model.encoder.residual_from={instead}"
                )

    def _check_bridge(self) -> None:
        widths = [self.encoder.layer_width(layer) for layer in self.bridged_layers]
        if self.bridge is BridgeKind.copy and len(set(widths)) > 1:
            raise ConfigError(
                f"model.bridge=copy needs encoder layers of one width: set model.bridge_shared=true or "
                f"model.bridge=tanh (the decoder's layers would start from layers of {', '.join(map(str, widths))})"
            )
        if self.bridge is BridgeKind.copy and widths[0] != self.decoder.size:
            raise ConfigError(
                f"model.bridge=copy needs a decoder as wide as an encoder state: set model.decoder.size="
                f"{widths[0]} or model.bridge=tanh (model.decoder.size is {self.decoder.size})"
            )
        if self.bridge is BridgeKind.copy and self.summary is Summary.max_mean:
            raise ConfigError(
                "model.summary=max_mean is twice as wide as an encoder state, so model.bridge=copy cannot hand it on: "
                "set model.bridge=tanh, or model.summary=max"
            )
        hears = self.attention is not AttentionKind.none or self.decoder.feed_context
        if self.bridge is BridgeKind.zero and not hears:
            raise ConfigError(
                "model.bridge=zero tells the decoder nothing of the source: set model.bridge=tanh, "
                "model.decoder.feed_context=true or model.attention=additive"
            )

    def _check_without_attention(self) -> None:
        asked = {
            f"model.attention_heads={self.attention_heads}": self.attention_heads > 1,
            f"model.attention_size={self.attention_size}": self.attention_size is not None,
            f"model.attention_window={self.attention_window}": self.attention_window is not None,
            "model.coverage=true": self.coverage,
            "model.decoder.input_feeding=true": self.decoder.input_feeding,
        }
        for name, is_asked in asked.items():
            if is_asked:
                raise ConfigError(f"{name} says how attention works: set model.attention=additive, or leave it out")
        if self.encoder.layers == 0 and self.decoder.feed_context:
            raise ConfigError(
                "model.encoder.layers=0 is a language model, which has no context to feed: "
                "set model.decoder.feed_context=false"
            )

    def _check_attention(self) -> None:
        width, heads = self.encoder.width, self.attention_heads
        if self.encoder.layers == 0:
            raise ConfigError(
                "model.encoder.layers=0 is a language model, which has no source to attend to: set model.attention=none"
            )
        if self.attention is AttentionKind.dot and width != self.decoder.size:
            raise ConfigError(
                f"model.attention=dot needs a decoder as wide as an encoder state: set model.decoder.size="
                f"{width} or model.attention=general (model.decoder.size is {self.decoder.size})"
            )
        if self.decoder.feed_context:
            raise ConfigError(
                "model.decoder.feed_context feeds the fixed context vector: it needs model.attention=none"
            )
        if self.attention_size is not None and self.attention in (AttentionKind.dot, AttentionKind.general):
            raise ConfigError(
                f"model.attention={self.attention} compares keys with the decoder's states as they are: "
                f"leave model.attention_size out, or set model.attention=scaled_dot or additive"
            )
        if self.key_size % heads or width % heads:
            own_keys = self.attention in (AttentionKind.scaled_dot, AttentionKind.additive)
            raise ConfigError(
                f"model.attention_heads={heads} must divide the width of keys and of encoder states, which are "
                f"{self.key_size} and {width}: set model.{'attention_size' if own_keys else 'decoder.size'} "
                f"and model.encoder.size to multiples of it"
            )
        if self.coverage and self.attention is not AttentionKind.additive:
            raise ConfigError(
                f"model.coverage is a term of the additive score: set model.attention=additive, not {self.attention}"
            )

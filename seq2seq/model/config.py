"""Settings of the network: only numbers and words, so that a model folder can store them as YAML."""

from dataclasses import dataclass

from seq2seq.errors import ConfigError
from seq2seq.model.choices import (
    CELL_NAMES,
    AttentionKind,
    AttentionOrder,
    BridgeKind,
    CellKind,
    CopyKind,
    Direction,
    Initialization,
    Readout,
    Summary,
    Tying,
)
from seq2seq.settings import Settings, setting


@dataclass(kw_only=True)
class EncoderConfig(Settings):
    """Settings of the encoder. Without layers the network is a language model of the target."""

    cell: CellKind = setting(CellKind.lstm, CELL_NAMES)
    layers: int = setting(1, "stacked layers; 0: no encoder, a language model of the target", at_least=0, at_most=8)
    size: int = setting(256, "units per direction", at_least=1)
    direction: Direction = setting(
        Direction.bidirectional, "forward, reversed, bidirectional, alternating or gnmt (bidirectional lowest layer)"
    )
    residual_from: int | None = setting(
        None,
        "first layer (counted from 1) whose input is added to its output; null: no residual connections",
        at_least=2,
    )

    def is_bidirectional(self, layer: int) -> bool:
        """Whether this layer (the lowest is 0) reads in both directions."""
        return all(self.direction.reads(layer))

    def layer_width(self, layer: int) -> int:
        """Width of the states of this layer (the lowest is 0), both directions concatenated."""
        return self.size * (2 if self.is_bidirectional(layer) else 1)

    @property
    def width(self) -> int:
        """Width D of the top layer's states, and of the contexts of attention."""
        return self.layer_width(max(0, self.layers - 1))


@dataclass(kw_only=True)
class DecoderConfig(Settings):
    """Settings of the decoder."""

    cell: CellKind = setting(CellKind.lstm, CELL_NAMES)
    layers: int = setting(1, "stacked layers", at_least=1, at_most=8)
    size: int = setting(512, "units", at_least=1)
    residual_from: int | None = setting(
        None,
        "first layer (counted from 1) whose input is added to its output; null: no residual connections",
        at_least=2,
    )
    feed_context: bool = setting(False, "feed the context vector to every step as well (Cho et al. 2014)")
    readout: Readout = setting(
        Readout.tanh, "nonlinearity of the readout, which mixes state and context: tanh or maxout"
    )
    readout_size: int | None = setting(
        None, "width of the readout, with model.tying=none; null: the decoder's size", at_least=1
    )
    readout_sees_input: bool = setting(False, "the readout also mixes in the embedding of the input token")
    input_feeding: bool = setting(
        False, "feed the attention result to the next step (Luong et al. 2015); slower: one position at a time"
    )


@dataclass(kw_only=True)
class ModelConfig(Settings):
    """Settings of the network: encoder, context, attention and decoder."""

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
        AttentionOrder.gnmt, "which state is the query, which layers receive the context: gnmt, luong or bahdanau"
    )
    attention_heads: int = setting(1, "attention heads, each over a share of the width (RNMT+)", at_least=1)
    attention_size: int | None = setting(
        None, "width of attention keys, all heads; null: the decoder's size", at_least=1
    )
    attention_window: int | None = setting(
        None,
        "local-p attention: source tokens on either side of a predicted position (Luong et al. 2015); null: all",
        at_least=1,
    )
    coverage: bool = setting(
        False, "add the attention that a source token has received to its score (Tu et al. 2016, See et al. 2017)"
    )
    copy: CopyKind = setting(
        CopyKind.none, "pointer: mix the attention over source tokens into the prediction (See et al. 2017)"
    )
    tying: Tying = setting(
        Tying.output, "shared embeddings: none, output (target and output layer) or all (source too)"
    )
    dropout: float = setting(0.2, "share of units dropped in training", at_least=0, below=1)
    dropout_shared_over_time: bool = setting(True, "one mask per sentence (Gal & Ghahramani 2016), not one per step")
    recurrent_dropout: float = setting(
        0.0, "share of recurrent weights dropped in training (Merity et al. 2018)", at_least=0, below=1
    )
    word_dropout: float = setting(
        0.0, "share of source and target input tokens whose embedding is dropped in training", at_least=0, below=1
    )
    initialization: Initialization = setting(Initialization.uniform, "uniform, xavier or orthogonal")
    initial_range: float = setting(
        0.1, "initial weights are uniform in [-x, x] (initialization=uniform)", above=0, at_most=1000
    )
    embedding_range: float | None = setting(
        None, "initial embeddings are uniform in [-x, x]; null: initial_range", above=0, at_most=1000
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

        Stacks of different depth are aligned at the top: the decoder's top layer starts from the encoder's top layer.
        The lowest layers of a deeper decoder all start from the encoder's lowest layer. With a shared bridge all layers
        start from the encoder's top layer.
        """
        encoder, decoder = self.encoder.layers, self.decoder.layers
        if self.bridge_shared:
            return [encoder - 1] * decoder
        return [max(0, encoder - decoder + layer) for layer in range(decoder)]

    @property
    def feature_size(self) -> int:
        """Width F of the output layer's input: with a shared embedding, the embedding's."""
        if self.tying is not Tying.none:
            return self.embedding_size
        return self.decoder.readout_size or self.decoder.size

    @property
    def readout_sizes(self) -> tuple[int, int] | None:
        """Inputs and outputs of the readout's matrix; inputs are state, context and input embedding, in this order.

        None: there is no readout, because there is nothing to mix and the output layer takes the decoder's states as
        they are. Maxout takes the larger of two outputs, so its matrix has twice as many.
        """
        decoder = self.decoder
        context = self.context_width if decoder.feed_context else 0
        if self.attention is not AttentionKind.none:
            context = self.encoder.width
        embedding = self.embedding_size if decoder.readout_sees_input else 0
        maxout = decoder.readout is Readout.maxout
        if not (context or embedding or maxout or decoder.size != self.feature_size):
            return None
        return decoder.size + context + embedding, self.feature_size * (2 if maxout else 1)

    @property
    def is_language_model(self) -> bool:
        """Whether there is no encoder."""
        return self.encoder.layers == 0

    def check(self) -> None:
        """Check that settings agree with each other.

        Raises:
            ConfigError: two settings contradict each other; the message says what to set.
        """
        self._check_cells()
        self._check_depths()
        self._check_readout()
        if self.is_language_model and self.copy is not CopyKind.none:
            raise ConfigError(
                "model.encoder.layers=0 is a language model, which has no source to copy: set model.copy=none"
            )
        if not self.is_language_model:
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
                    f"model.{name}.cell=layer_norm_lstm cannot normalize a single unit: set model.{name}.size to "
                    f"2 or more, or model.{name}.cell=lstm"
                )

    def _check_depths(self) -> None:
        for name, part in (("encoder", self.encoder), ("decoder", self.decoder)):
            if part.residual_from is not None and 0 < part.layers < part.residual_from:
                raise ConfigError(
                    f"model.{name}.residual_from={part.residual_from} is above the top layer: set "
                    f"model.{name}.residual_from=null, or model.{name}.layers to {part.residual_from} or more "
                    f"(it is {part.layers})"
                )

    def _check_readout(self) -> None:
        size = self.decoder.readout_size
        if size not in (None, self.embedding_size) and self.tying is not Tying.none:
            raise ConfigError(
                f"model.tying={self.tying} needs a readout as wide as the embeddings ({self.embedding_size}): set "
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
                "model.summary=max_mean is twice as wide as an encoder state, so model.bridge=copy cannot copy it: "
                "set model.bridge=tanh, or model.summary=max"
            )
        receives_context = self.attention is not AttentionKind.none or self.decoder.feed_context
        if self.bridge is BridgeKind.zero and not receives_context:
            raise ConfigError(
                "model.bridge=zero gives the decoder no information about the source: set model.bridge=tanh, "
                "model.decoder.feed_context=true or model.attention=additive"
            )

    def _check_without_attention(self) -> None:
        changed = {
            f"model.attention_heads={self.attention_heads}": self.attention_heads > 1,
            f"model.attention_size={self.attention_size}": self.attention_size is not None,
            f"model.attention_window={self.attention_window}": self.attention_window is not None,
            "model.coverage=true": self.coverage,
            f"model.copy={self.copy}": self.copy is not CopyKind.none,
            "model.decoder.input_feeding=true": self.decoder.input_feeding,
        }
        for name, is_changed in changed.items():
            if is_changed:
                raise ConfigError(f"{name} needs attention: set model.attention=additive, or leave it out")
        if self.is_language_model and self.decoder.feed_context:
            raise ConfigError(
                "model.encoder.layers=0 is a language model, which has no context vector: "
                "set model.decoder.feed_context=false"
            )

    def _check_attention(self) -> None:
        width, heads = self.encoder.width, self.attention_heads
        if self.is_language_model:
            raise ConfigError(
                "model.encoder.layers=0 is a language model, which has no source: set model.attention=none"
            )
        if self.attention is AttentionKind.dot and width != self.decoder.size:
            raise ConfigError(
                f"model.attention=dot needs a decoder as wide as an encoder state: set model.decoder.size="
                f"{width} or model.attention=general (model.decoder.size is {self.decoder.size})"
            )
        if self.decoder.feed_context:
            raise ConfigError(
                "model.decoder.feed_context=true feeds the fixed context vector: set it to false, or "
                "model.attention=none"
            )
        if self.attention_size is not None and self.attention in (AttentionKind.dot, AttentionKind.general):
            raise ConfigError(
                f"model.attention={self.attention} compares keys with unmapped decoder states: "
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

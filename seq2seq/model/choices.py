"""Enumerations of model settings. Names equal values, because YAML is read by name."""

from enum import StrEnum


class CellKind(StrEnum):
    """The recurrent cell; the equations are in `seq2seq.model.cell`."""

    lstm = "lstm"
    gru = "gru"
    rnn_tanh = "rnn_tanh"
    rnn_relu = "rnn_relu"
    layer_norm_lstm = "layer_norm_lstm"

    @property
    def has_cell_state(self) -> bool:
        """Whether the cell has a cell state besides its hidden state."""
        return self in (CellKind.lstm, CellKind.layer_norm_lstm)


class Direction(StrEnum):
    """Reading direction of the encoder's layers.

    forward: left to right. reversed: right to left (Sutskever et al. 2014). bidirectional: both (Bahdanau et al. 2015).
    alternating: left to right and right to left in turn, starting from the lowest layer (Zhou et al. 2016). gnmt: the
    lowest layer in both directions, the others left to right (Wu et al. 2016).
    """

    forward = "forward"
    reversed = "reversed"
    bidirectional = "bidirectional"
    alternating = "alternating"
    gnmt = "gnmt"


class Summary(StrEnum):
    """How the encoder's states are summarized: the last state, or their mean or maximum over time.

    max_mean: the maximum and the mean, concatenated (concat pooling, Howard & Ruder 2018).
    """

    last = "last"
    mean = "mean"
    max = "max"
    max_mean = "max_mean"


class BridgeKind(StrEnum):
    """How the decoder's initial state is computed from the encoder's summaries; see `seq2seq.model.bridge`."""

    copy = "copy"
    linear = "linear"
    tanh = "tanh"
    zero = "zero"


class AttentionKind(StrEnum):
    """Attention score of a decoder state and an encoder state.

    Luong et al. 2015 (dot, general), Bahdanau et al. 2015 (additive), Vaswani et al. 2017 (scaled_dot).
    """

    none = "none"
    dot = "dot"
    general = "general"
    scaled_dot = "scaled_dot"
    additive = "additive"


class AttentionOrder(StrEnum):
    """Which decoder state is the attention query, and which layers receive the context.

    gnmt: the first layer's state; the layers above and the readout (Wu et al. 2016). luong: the last layer's state; the
    readout (Luong et al. 2015). bahdanau: the last layer's state at the previous position; the first layer and the
    readout (Bahdanau et al. 2015).
    """

    gnmt = "gnmt"
    luong = "luong"
    bahdanau = "bahdanau"


class CopyKind(StrEnum):
    """How source tokens are copied: not at all, or by the attention of `seq2seq.model.pointer` (See et al. 2017)."""

    none = "none"
    pointer = "pointer"


class Readout(StrEnum):
    """The nonlinearity between decoder and output layer: tanh (Luong et al. 2015) or maxout (Cho et al. 2014)."""

    tanh = "tanh"
    maxout = "maxout"


class Tying(StrEnum):
    """Which matrices are shared: none; target embedding and output layer; or these and the source embedding."""

    none = "none"
    output = "output"
    all = "all"


class Initialization(StrEnum):
    """Distribution of the initial weight matrices."""

    uniform = "uniform"
    xavier = "xavier"
    orthogonal = "orthogonal"

"""The words a model's settings choose from. Names equal values: YAML is read by name."""

from enum import StrEnum


class CellKind(StrEnum):
    """The recurrent cell; `seq2seq.model.cell` has each one's equations."""

    lstm = "lstm"
    gru = "gru"
    rnn_tanh = "rnn_tanh"
    rnn_relu = "rnn_relu"
    layer_norm_lstm = "layer_norm_lstm"

    @property
    def has_cell_state(self) -> bool:
        """Whether it carries a cell state beside its hidden state."""
        return self in (CellKind.lstm, CellKind.layer_norm_lstm)


class Direction(StrEnum):
    """How the encoder's layers read.

    All of them left to right, right to left (Sutskever et al. 2014) or both ways (Bahdanau et al. 2015); in turn, the
    lowest left to right (Zhou et al. 2016); or the lowest both ways, the others left to right (GNMT, Wu et al. 2016).
    """

    forward = "forward"
    reversed = "reversed"
    bidirectional = "bidirectional"
    alternating = "alternating"
    gnmt = "gnmt"


class Summary(StrEnum):
    """What becomes of the encoder's states: the last one, their mean or their maximum over time.

    max_mean: the maximum and the mean side by side, twice as wide (concat pooling, Howard & Ruder 2018).
    """

    last = "last"
    mean = "mean"
    max = "max"
    max_mean = "max_mean"


class BridgeKind(StrEnum):
    """How the context reaches the decoder's initial state."""

    copy = "copy"
    linear = "linear"
    tanh = "tanh"
    zero = "zero"


class AttentionKind(StrEnum):
    """Score of a decoder state against an encoder state.

    Luong et al. 2015 (dot, general), Bahdanau et al. 2015 (additive), Vaswani et al. 2017 (scaled_dot).
    """

    none = "none"
    dot = "dot"
    general = "general"
    scaled_dot = "scaled_dot"
    additive = "additive"


class AttentionOrder(StrEnum):
    """Which decoder state asks, and who hears the answer.

    gnmt: the first layer's; the layers above and the readout hear (Wu et al. 2016). luong: the last layer's; the
    readout hears (Luong et al. 2015). bahdanau: the last layer's of the step before; the first layer and the readout
    hear (Bahdanau et al. 2015).
    """

    gnmt = "gnmt"
    luong = "luong"
    bahdanau = "bahdanau"


class Readout(StrEnum):
    """What mixes state and context before the output layer: tanh (Luong et al. 2015) or maxout (Cho et al. 2014)."""

    tanh = "tanh"
    maxout = "maxout"


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

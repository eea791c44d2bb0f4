"""Enumerations of model settings. Names equal values, because YAML is read by name."""

from enum import StrEnum
from typing import NamedTuple


class CellKind(StrEnum):
    """The recurrent cell; the equations are in `seq2seq.model.cell` and `seq2seq.model.cells`."""

    lstm = "lstm"
    gru = "gru"
    rnn_tanh = "rnn_tanh"
    rnn_relu = "rnn_relu"
    layer_norm_lstm = "layer_norm_lstm"
    ssru = "ssru"
    sru = "sru"
    min_gru = "min_gru"
    min_lstm = "min_lstm"
    slstm = "slstm"
    mlstm = "mlstm"

    @property
    def traits(self) -> "CellTraits":
        """What other parts of the network need to know of this cell."""
        return CELL_TRAITS[self]

    @property
    def has_cell_state(self) -> bool:
        """Whether the cell has a cell state of one number per unit besides its hidden state."""
        return self.traits.has_cell_state


class CellTraits(NamedTuple):
    """What other parts of the network need to know of a cell, without its code."""

    blocks: int
    """Matrices of H rows, gates and candidates, that are stacked in its input weights."""
    has_cell_state: bool = False
    """Whether it has a cell state of one number per unit besides its hidden state."""
    starts_from_cell_state: bool = False
    """Whether the bridge gives it an initial cell state besides the initial hidden state."""
    has_recurrent_weights: bool = True
    """Whether gates depend on the hidden state before."""
    has_forget_gate: bool = False
    """Whether ``model.forget_bias`` has an effect."""
    bounded: bool = True
    """Whether hidden states lie in [-1, 1] if the initial state does."""
    keeps_initial_state: bool = False
    """Whether an initial state outside [-1, 1] can stay, because the gates can keep it forever."""
    by_position: bool = False
    """Whether a sequence takes a loop of several operations over its positions."""
    fused_in_16_bits: bool = True
    """Whether training in 16 bits on a CPU has a fused kernel that sums gradients of weights in float32."""
    packed: bool = False
    """Whether search packs its weights, and a fixed context vector is multiplied once per sentence."""


_LSTM = CellTraits(4, has_cell_state=True, starts_from_cell_state=True, has_forget_gate=True)
_FEEDFORWARD_GATES = CellTraits(0, has_recurrent_weights=False, has_forget_gate=True, bounded=False, packed=True)

CELL_TRAITS = {
    CellKind.lstm: _LSTM._replace(packed=True),
    CellKind.gru: CellTraits(3, keeps_initial_state=True, fused_in_16_bits=False),
    CellKind.rnn_tanh: CellTraits(1, fused_in_16_bits=False),
    CellKind.rnn_relu: CellTraits(1, bounded=False, fused_in_16_bits=False),
    CellKind.layer_norm_lstm: _LSTM._replace(by_position=True),
    CellKind.ssru: _FEEDFORWARD_GATES._replace(blocks=2, has_cell_state=True),
    CellKind.sru: _FEEDFORWARD_GATES._replace(blocks=4, has_cell_state=True, by_position=True),
    CellKind.min_gru: _FEEDFORWARD_GATES._replace(blocks=2),
    CellKind.min_lstm: _FEEDFORWARD_GATES._replace(blocks=3),
    CellKind.slstm: _LSTM._replace(keeps_initial_state=True, by_position=True, packed=True),
    CellKind.mlstm: _FEEDFORWARD_GATES._replace(blocks=4),
}

CELL_NAMES = f"{', '.join([*CellKind][:-1])} or {[*CellKind][-1]}"


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

    def reads(self, layer: int) -> tuple[bool, bool]:
        """Whether this layer (the lowest is 0) reads left to right, and whether right to left."""
        match self:
            case Direction.forward:
                return True, False
            case Direction.reversed:
                return False, True
            case Direction.bidirectional:
                return True, True
            case Direction.alternating:
                return layer % 2 == 0, layer % 2 == 1
            case Direction.gnmt:
                return True, layer == 0


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

"""The recurrent cells of 2018 and later, one file each, and `make_cell`, which builds every cell.

A new cell is a file here with a subclass of `StackedCell` (or `LinearCell`, if its recurrence is linear), its name in
`CellKind`, its row in `CELL_TRAITS`, and its line below. Training, search, packed weights, analysis and ablation need
nothing else. Export needs its equation in `seq2seq.export.onnx_stacked`, `seq2seq.portable.cells` and
`portable/web/cells.js`, and its row in the tables of `seq2seq.portable.network` and `portable/web/model.js`.
"""

from collections.abc import Callable
from functools import partial

from seq2seq.model.cell import GRU, LSTM, RNN, Cell
from seq2seq.model.cells.layer_norm_lstm import LayerNormLSTM
from seq2seq.model.cells.min_gru import MinGRU
from seq2seq.model.cells.min_lstm import MinLSTM
from seq2seq.model.cells.mlstm import MLSTM
from seq2seq.model.cells.slstm import SLSTM
from seq2seq.model.cells.sru import SRU
from seq2seq.model.cells.ssru import SSRU
from seq2seq.model.choices import CellKind

CELLS: dict[CellKind, Callable[[int, int, float], Cell]] = {
    CellKind.lstm: LSTM,
    CellKind.gru: GRU,
    CellKind.rnn_tanh: RNN,
    CellKind.rnn_relu: partial(RNN, relu=True),
    CellKind.layer_norm_lstm: LayerNormLSTM,
    CellKind.ssru: SSRU,
    CellKind.sru: SRU,
    CellKind.min_gru: MinGRU,
    CellKind.min_lstm: MinLSTM,
    CellKind.slstm: SLSTM,
    CellKind.mlstm: MLSTM,
}


def make_cell(kind: CellKind, input_size: int, size: int, recurrent_dropout: float = 0.0) -> Cell:
    """A cell of ``size`` units over inputs of ``input_size``, with torch's initial weights."""
    return CELLS[kind](input_size, size, recurrent_dropout)

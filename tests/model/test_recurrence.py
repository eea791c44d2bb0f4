"""What all cells share: the dropout of recurrent weights."""

import pytest
import torch

from seq2seq.model.cell import make_cell, weight_dropped
from seq2seq.model.choices import CellKind

RATE = 0.3


@pytest.mark.parametrize("kind", CellKind)
def test_recurrent_weights_alone_fall_and_the_others_make_up_for_them(kind):
    torch.manual_seed(1)
    cell = make_cell(kind, 5, 60, RATE).train()
    W_ih, W_hh, *biases = weight_dropped(cell)
    wanted_ih, wanted_hh, *wanted_biases = cell.weights()
    assert torch.equal(W_ih, wanted_ih)
    assert all(map(torch.equal, biases, wanted_biases))
    fallen = W_hh == 0
    assert abs(fallen.float().mean().item() - RATE) < 0.05
    torch.testing.assert_close(W_hh[~fallen], wanted_hh[~fallen] / (1 - RATE))
    assert not torch.equal(weight_dropped(cell)[1] == 0, fallen)


@pytest.mark.parametrize(("rate", "training"), [(RATE, False), (0.0, True)])
def test_else_the_weights_are_the_cells_own(rate, training):
    cell = make_cell(CellKind.lstm, 5, 6, rate).train(training)
    before = torch.get_rng_state()
    assert all(one is other for one, other in zip(weight_dropped(cell), cell.weights(), strict=True))
    assert torch.equal(torch.get_rng_state(), before), "nothing was drawn"

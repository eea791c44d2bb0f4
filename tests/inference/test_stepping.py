"""What a prepared decoder needs and carries."""

import torch

from seq2seq.inference.prepared_decoder import PreparedMemory, PreparedState
from seq2seq.model.attention import AttentionMemory
from seq2seq.model.decoder import State


def test_a_state_packs_and_unpacks():
    hidden, cell, fed, coverage = torch.rand(2, 3, 4), torch.rand(2, 3, 4), torch.rand(3, 5), torch.rand(3, 6)
    packed = PreparedState.of(State(hidden, cell, fed, coverage))
    assert packed.states_ZNH.shape == (4, 3, 4)
    for one, other in zip(packed.unpacked(2), (hidden, cell, fed, coverage), strict=True):
        assert torch.equal(one, other)
    without = PreparedState.of(State(hidden, None, None, None)).unpacked(2)
    assert torch.equal(without.hidden_LNH, hidden)
    assert without[1:] == (None, None, None)


def test_rows_move_with_all_they_carry():
    state = PreparedState(torch.rand(2, 3, 4), torch.rand(3, 5), torch.rand(3, 6))
    chosen = state.select(torch.tensor([2, 0, 0, 1]))
    assert torch.equal(chosen.states_ZNH[:, 1], state.states_ZNH[:, 0])
    assert torch.equal(chosen.fed_NX[0], state.fed_NX[2])
    assert torch.equal(chosen.coverage_NS[3], state.coverage_NS[1])
    assert PreparedState(state.states_ZNH, None, None).select(torch.tensor([0]))[1:] == (None, None)


def test_repeated_rows_stand_side_by_side_in_another_precision():
    state = PreparedState(torch.rand(2, 3, 4), torch.rand(3, 5), torch.rand(3, 6)).repeated(2, torch.float64)
    assert state.states_ZNH.shape == (2, 6, 4)
    assert torch.equal(state.states_ZNH[:, 0], state.states_ZNH[:, 1])
    assert torch.equal(state.fed_NX[4], state.fed_NX[5])
    assert [part.dtype for part in state] == [torch.float64, torch.float64, torch.float32]


def test_sentences_are_chosen_from_every_part_of_the_memory():
    attended = AttentionMemory(torch.rand(3, 1, 5, 4), torch.rand(3, 1, 5, 2), torch.rand(3, 5) > 0.5)
    memory = PreparedMemory(attended, torch.rand(3, 2), torch.rand(3, 8), torch.rand(3, 6))
    chosen = memory.select(torch.tensor([2, 0]))
    for one, other in zip([*chosen.attention, *chosen[1:]], [*attended, *memory[1:]], strict=True):
        assert torch.equal(one, other[[2, 0]])
    assert PreparedMemory(None).select(torch.tensor([0])) == PreparedMemory(None)

"""Batches of padded ids."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data.batch import batches_by_length, make_batch, pad, source_tensors, target_input
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD

IDS = st.lists(st.lists(st.integers(4, 99), max_size=7), min_size=1, max_size=5)


def test_a_small_example():
    batch = make_batch([[11, 12, 13], [14]], [[21], [22, 23]])
    assert batch.source_BS.tolist() == [[11, 12, 13, EOS], [14, EOS, PAD, PAD]]
    assert batch.source_lengths_B.tolist() == [4, 2]
    assert batch.target_BT.tolist() == [[BOS, 21, PAD], [BOS, 22, 23]]
    assert batch.positions_P.tolist() == [0, 1, 3, 4, 5]
    assert batch.labels_P.tolist() == [21, EOS, 22, 23, EOS]
    assert {part.dtype for part in batch} == {torch.int64}


def test_rows_can_be_arrays():
    rows = [np.array([11, 12], dtype=np.int32), np.array([], dtype=np.int32)]
    for one, other in zip(make_batch(rows, rows), make_batch([[11, 12], []], [[11, 12], []]), strict=True):
        assert torch.equal(one, other)


def test_empty_rows_have_only_bos_and_eos():
    batch = make_batch([[], [11]], [[], [21, 22]])
    assert batch.source_BS.tolist() == [[EOS, PAD], [11, EOS]]
    assert batch.source_lengths_B.tolist() == [1, 2]
    assert batch.target_BT.tolist() == [[BOS, PAD, PAD], [BOS, 21, 22]]
    assert batch.positions_P.tolist() == [0, 3, 4, 5]
    assert batch.labels_P.tolist() == [EOS, 21, 22, EOS]
    alone = make_batch([[]], [[]])
    assert (alone.source_BS.tolist(), alone.target_BT.tolist(), alone.labels_P.tolist()) == ([[EOS]], [[BOS]], [EOS])


@given(st.lists(st.tuples(*[st.lists(st.integers(4, 99), max_size=7)] * 2), min_size=1, max_size=5))
def test_labels_are_the_targets_shifted_by_one_token(pairs):
    sources, targets = [source for source, _ in pairs], [target for _, target in pairs]
    batch = make_batch(sources, targets)
    # Positions select the inputs, and labels are the tokens after them.
    assert batch.target_BT.flatten()[batch.positions_P].tolist() == [i for row in targets for i in (BOS, *row)]
    assert batch.labels_P.tolist() == [i for row in targets for i in (*row, EOS)]
    for row, length, source in zip(batch.source_BS.tolist(), batch.source_lengths_B.tolist(), sources, strict=True):
        assert row[:length] == [*source, EOS]
        assert set(row[length:]) <= {PAD}


@given(IDS, st.lists(st.integers(0, 3), max_size=2), st.lists(st.integers(0, 3), max_size=2))
def test_padding_is_on_the_right_only(rows, before, after):
    matrix = pad(rows, before=before, after=after)
    width = max(map(len, rows)) + len(before) + len(after)
    expected = [[*before, *row, *after] for row in rows]
    assert matrix.tolist() == [line + [PAD] * (width - len(line)) for line in expected]


def test_translation_makes_the_same_tensors_as_training():
    batch = make_batch([[11, 12], [13]], [[21], [22, 23]])
    source_BS, lengths_B = source_tensors([[11, 12], [13]])
    assert torch.equal(source_BS, batch.source_BS)
    assert torch.equal(lengths_B, batch.source_lengths_B)
    assert torch.equal(target_input([[21], [22, 23]]), batch.target_BT)


def test_all_tensors_move_to_the_device():
    batch = make_batch([[11, 12], [13]], [[21], [22, 23]])
    moved = batch.to(torch.device("meta"))
    assert type(moved) is type(batch)
    assert [part.device.type for part in moved] == ["meta"] * 5
    assert [part.shape for part in moved] == [part.shape for part in batch]


def test_batches_by_length_contain_every_row_once_within_the_budget():
    sources = [[5] * length for length in (3, 0, 900, 2, 3000, 1, 40)]
    batches = list(batches_by_length(sources, 1000))
    assert sorted(row for rows in batches for row in rows) == [0, 2, 3, 4, 5, 6]
    for rows in batches:
        assert len(rows) == 1 or len(rows) * (max(len(sources[row]) for row in rows) + 1) <= 1000
    assert [len(rows) for rows in batches_by_length(sources, 1000, rows=2)] == [1, 1, 2, 2]

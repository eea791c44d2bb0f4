"""Sentences and batches of random ids."""

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.tokenizer.tokenizer import PAD
from tests.tools.random_text import IdTokenizer, id_tokenizers, random_batches, random_ids


@given(st.lists(st.integers(0, 99)))
def test_text_is_ids(ids):
    tokenizer = IdTokenizer(100)
    assert tokenizer.encode(tokenizer.decode(ids)) == ids
    assert tokenizer.tokens(ids) == tokenizer.decode(ids).split()


def test_both_sides_share_one_tokenizer():
    assert id_tokenizers(50).joint
    assert id_tokenizers(50).target.size == 50


def test_random_ids_are_a_function_of_the_seed_without_special_symbols():
    ids = random_ids(20, 7, 50, seed=1)
    assert ids == random_ids(20, 7, 50, seed=1) != random_ids(20, 7, 50, seed=2)
    assert all(len(row) == 7 for row in ids)
    assert PAD < min(map(min, ids)) <= max(map(max, ids)) < 50


def test_batches_are_full_and_unpadded():
    import torch

    batches = random_batches(100, 10, 50, 1, torch.device("cpu"))
    first, second = next(batches), next(batches)
    assert first is second
    assert first.target_BT.shape == first.source_BS.shape == (10, 10)
    assert first.labels_P.numel() == 100

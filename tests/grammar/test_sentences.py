import os
import subprocess
import sys
from hashlib import sha256

import pytest

from seq2seq.corpora.config import BuiltinConfig
from seq2seq.errors import ConfigError
from seq2seq.grammar import sentences as grammar
from seq2seq.grammar.clause import combinations
from seq2seq.grammar.sentences import SPLITS, draw_sentences, split_of_combination

CONFIG = BuiltinConfig()
SMALLER = BuiltinConfig(train_size=8_000, validation_size=100, test_size=200)


@pytest.fixture(
    scope="module", params=[SMALLER, pytest.param(CONFIG, marks=pytest.mark.slow)], ids=["smaller", "default"]
)
def config(request):
    return request.param


@pytest.fixture(scope="module")
def drawn(config):
    return {split: list(draw_sentences(config.seed, split, config.size_of(split))) for split in SPLITS}


def test_the_sizes_that_documents_name_are_the_defaults():
    assert (CONFIG.train_size, CONFIG.validation_size, CONFIG.test_size) == (80_000, 500, 1_000)


def held(sentence):
    return {split_of_combination(combination, CONFIG.seed) for combination in combinations(sentence)}


def test_sizes_are_as_configured_and_pairs_distinct_on_either_side(config, drawn):
    assert {split: len(pairs) for split, pairs in drawn.items()} == {
        split: getattr(config, f"{split}_size") for split in SPLITS
    }
    for pairs in drawn.values():
        for side in (0, 1):
            assert len({pair[side] for _, pair in pairs}) == len(pairs)


def test_splits_are_disjoint_as_text_on_either_side(drawn):
    for side in (0, 1):
        texts = [{pair[side] for _, pair in drawn[split]} for split in SPLITS]
        assert len(set().union(*texts)) == sum(map(len, texts))


def test_test_sentences_contain_combinations_unseen_in_training(drawn):
    training_combinations = set().union(*(combinations(sentence) for sentence, _ in drawn["train"]))
    for split, other in (("test", "validation"), ("validation", "test")):
        for sentence, _ in drawn[split]:
            assert combinations(sentence) - training_combinations
            assert split in held(sentence)
            assert other not in held(sentence)
    assert all(held(sentence) <= {"train"} for sentence, _ in drawn["train"])


def test_about_one_combination_in_twenty_is_held_out(drawn):
    known = set().union(*(combinations(sentence) for pairs in drawn.values() for sentence, _ in pairs))
    share = sum(split_of_combination(combination, CONFIG.seed) == "test" for combination in known) / len(known)
    assert 0.03 < share < 0.07


def test_every_word_of_the_test_set_is_known_from_training(config, drawn):
    def words(split, side):
        texts = (pair[side] for _, pair in drawn[split])
        return {word.strip(".,?").lower() for text in texts for word in text.split()}

    for side in (0, 1):
        unknown = words("test", side) - words("train", side)
        assert len(unknown) <= (0 if config == CONFIG else 2)  # a smaller corpus may lack a form


def test_a_larger_size_adds_pairs_at_the_end():
    small, large = (list(draw_sentences(1, "train", size)) for size in (50, 80))
    assert large[:50] == small
    assert list(draw_sentences(2, "train", 50)) != small


def test_the_corpus_does_not_depend_on_the_hash_seed():
    code = (
        "from seq2seq.grammar.sentences import *; from hashlib import sha256; "
        "print(sha256(repr([texts for _, texts in draw_sentences(1, 'test', 40)]).encode()).hexdigest())"
    )
    own_hash = sha256(repr([texts for _, texts in draw_sentences(1, "test", 40)]).encode()).hexdigest()
    environment = os.environ | {"PYTHONHASHSEED": "7"}
    completed = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    assert completed.stdout.strip() == own_hash


def test_a_size_beyond_the_grammar_is_one_line(monkeypatch):
    sentence, _ = next(draw_sentences(1, "train", 1))
    monkeypatch.setattr(grammar, "draw_sentence", lambda random: sentence)
    with pytest.raises(ConfigError, match=r"^data\.builtin\.train_size is 2,000, but .* after 1: [^\n]*$"):
        list(draw_sentences(1, "train", 2000))

"""A vocabulary is learnt once for each text and settings."""

from dataclasses import replace

import pytest

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.tokenizer import vocabulary_cache
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers
from seq2seq.tokenizer.vocabulary_cache import cached_tokenizers

CORPUS = PairList("pairs", [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 4)
CONFIG = TokenizerConfig(size=290)


@pytest.fixture
def learnt(monkeypatch):
    calls = []
    monkeypatch.setattr(vocabulary_cache, "build_tokenizers", lambda *how: calls.append(how) or build_tokenizers(*how))
    return calls


def same(one, other):
    return [side.to_bytes() for side in one] == [side.to_bytes() for side in other]


@pytest.mark.parametrize("joint", [True, False])
def test_what_was_learnt_is_found_again(tmp_path, learnt, joint):
    config = replace(CONFIG, joint=joint)
    first = cached_tokenizers(config, CORPUS, ["<2de>"], tmp_path)
    again = cached_tokenizers(replace(config, sampling=0.1), CORPUS, ["<2de>"], tmp_path)
    assert len(learnt) == 1
    assert same(first, again)
    assert first.joint == again.joint == joint


def test_other_text_settings_or_tags_are_learnt_anew(tmp_path, learnt):
    other = PairList("pairs", [*CORPUS.pairs, Pair("a horse", "ein Pferd")])
    for corpus, config, tags in [
        (CORPUS, CONFIG, []),
        (other, CONFIG, []),
        (CORPUS, replace(CONFIG, size=291), []),
        (CORPUS, CONFIG, ["<2de>"]),
    ]:
        assert same(cached_tokenizers(config, corpus, tags, tmp_path), build_tokenizers(config, corpus, tags))
    assert len(learnt) == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_without_a_cache_or_with_a_model_file_nothing_is_kept(tmp_path, learnt):
    save_tokenizers(build_tokenizers(CONFIG, CORPUS), tmp_path)
    cached_tokenizers(CONFIG, CORPUS, [], None)
    named = replace(CONFIG, source_model=str(tmp_path / "tokenizer.model"))
    assert same(cached_tokenizers(named, CORPUS, [], tmp_path / "cache"), build_tokenizers(CONFIG, CORPUS))
    assert len(learnt) == 2
    assert not (tmp_path / "cache").exists()

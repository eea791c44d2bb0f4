"""Settings of the microscope that belong to a sentence, to a corpus, or to a translator."""

import pytest

from seq2seq.analysis.config import CorpusConfig, MicroscopeConfig
from seq2seq.corpora.config import DataConfig
from seq2seq.errors import ConfigError
from seq2seq.settings import validate


@pytest.mark.parametrize(
    "changes", [{"target": "x"}, {"tag": "<2de>"}, {"ensemble": ["b"]}, {"member": 1}, {"beam_size": 2}], ids=str
)
def test_what_belongs_to_a_sentence_needs_one(changes):
    with pytest.raises(ConfigError, match=f"{next(iter(changes))}=.*text="):
        MicroscopeConfig(**changes).check(predicts=False)
    MicroscopeConfig(text="a", **changes).check(predicts=False)


def test_what_belongs_to_a_corpus_or_to_a_search_is_refused_beside_a_sentence():
    with pytest.raises(ConfigError, match="say which corpus is looked at, and how"):
        MicroscopeConfig(text="a", corpus=CorpusConfig(sentences=3)).check(predicts=False)
    with pytest.raises(ConfigError, match=r"^beam_size=3 searches nothing where target is given: leave one out$"):
        MicroscopeConfig(text="a", target="b", beam_size=3).check(predicts=False)
    MicroscopeConfig(text="a", beam_size=3).check(predicts=False)
    MicroscopeConfig(corpus=CorpusConfig(sentences=3)).check(predicts=False)


def test_a_language_model_translates_nothing():
    with pytest.raises(ConfigError, match="leave target out"):
        MicroscopeConfig(text="a", target="b").check(predicts=True)
    MicroscopeConfig(text="a").check(predicts=True)
    MicroscopeConfig().check(predicts=True)


def test_a_blank_sentence_and_no_pairs():
    with pytest.raises(ConfigError, match="blank"):
        MicroscopeConfig(text="  ").check(predicts=False)
    with pytest.raises(ConfigError, match="sentences"):
        validate(CorpusConfig(sentences=0))


@pytest.mark.parametrize("setting", [{"split": "validation"}, {"data": DataConfig(source_language="fr")}])
def test_a_sentence_is_of_no_corpus(setting):
    with pytest.raises(ConfigError, match="say which corpus is looked at"):
        MicroscopeConfig(text="a", **setting).check(predicts=False)

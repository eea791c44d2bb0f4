"""Settings of the microscope that have no effect are rejected."""

import pytest

from seq2seq.analysis.config import CorpusConfig, MicroscopeConfig
from seq2seq.corpora.config import DataConfig
from seq2seq.errors import ConfigError
from seq2seq.settings import validate


@pytest.mark.parametrize(
    "changes", [{"target": "x"}, {"tag": "<2de>"}, {"ensemble": ["b"]}, {"member": 1}, {"beam_size": 2}], ids=str
)
def test_settings_for_a_sentence_need_a_sentence(changes):
    with pytest.raises(ConfigError, match=f"{next(iter(changes))}=.*text="):
        MicroscopeConfig(**changes).check(is_language_model=False)
    MicroscopeConfig(text="a", **changes).check(is_language_model=False)


def test_settings_for_a_corpus_or_a_search_are_rejected_with_a_sentence():
    with pytest.raises(ConfigError, match="have no effect with text: leave them out"):
        MicroscopeConfig(text="a", corpus=CorpusConfig(sentences=3)).check(is_language_model=False)
    with pytest.raises(ConfigError, match=r"^beam_size=3 has no effect with target: leave one of the two out$"):
        MicroscopeConfig(text="a", target="b", beam_size=3).check(is_language_model=False)
    MicroscopeConfig(text="a", beam_size=3).check(is_language_model=False)
    MicroscopeConfig(corpus=CorpusConfig(sentences=3)).check(is_language_model=False)


def test_a_language_model_rejects_settings_for_translation():
    with pytest.raises(ConfigError, match="leave target out"):
        MicroscopeConfig(text="a", target="b").check(is_language_model=True)
    MicroscopeConfig(text="a").check(is_language_model=True)
    MicroscopeConfig().check(is_language_model=True)


def test_a_blank_sentence_and_zero_pairs_are_rejected():
    with pytest.raises(ConfigError, match="blank"):
        MicroscopeConfig(text="  ").check(is_language_model=False)
    with pytest.raises(ConfigError, match="sentences"):
        validate(CorpusConfig(sentences=0))


@pytest.mark.parametrize("setting", [{"split": "validation"}, {"data": DataConfig(source_language="fr")}])
def test_corpus_settings_are_rejected_with_a_sentence(setting):
    with pytest.raises(ConfigError, match="have no effect with text"):
        MicroscopeConfig(text="a", **setting).check(is_language_model=False)

"""Settings of tokenizers: contradictions and invalid tags."""

from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from seq2seq.errors import ConfigError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig, check_tag


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target_size": 300}, "set tokenizer.joint=false"),
        ({"target_algorithm": Algorithm.word}, "set tokenizer.joint=false"),
        ({"size": 259}, "tokenizer.size must be at least 260"),
        ({"joint": False, "target_size": 259}, "tokenizer.size must be at least 260"),
        ({"algorithm": Algorithm.word, "sampling": 0.1}, "a word vocabulary has one: set tokenizer.sampling=0"),
        ({"algorithm": Algorithm.char, "sampling": 0.1}, "a char vocabulary has one: set tokenizer.sampling=0"),
        ({"joint": False, "target_algorithm": Algorithm.word, "sampling": 0.1}, "set tokenizer.sampling=0"),
        ({"tags": ["<2de>", "two words"]}, "'two words' is not a valid tag"),
    ],
)
def test_settings_at_odds(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        replace(TokenizerConfig(), **changes).check()  # type: ignore[arg-type]
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_consistent_settings() -> None:
    TokenizerConfig(sampling=0.1).check()
    TokenizerConfig(algorithm=Algorithm.word, size=9).check()
    mixed = TokenizerConfig(joint=False, target_algorithm=Algorithm.word, sampling=0.1, sample_target=False)
    mixed.check()
    assert (mixed.source_side().algorithm, mixed.target_side().algorithm) == (Algorithm.unigram, Algorithm.word)


@pytest.mark.parametrize("tag", ["", " ", "a b", "a,b", "e\u0301", "\u2581x", "<s>", "<unk>", "<0x0A>", "\ud800"])
def test_invalid_tags(tag: str) -> None:
    with pytest.raises(ConfigError, match="is not a valid tag"):
        check_tag(tag)


def test_the_settings_are_a_structured_config() -> None:
    config = OmegaConf.merge(OmegaConf.structured(TokenizerConfig), OmegaConf.from_dotlist(["algorithm=bpe"]))
    assert OmegaConf.to_object(config) == TokenizerConfig(algorithm=Algorithm.bpe)
    both = ["tags=[<2de>]", "target_algorithm=word", "target_size=9"]
    config = OmegaConf.merge(OmegaConf.structured(TokenizerConfig), OmegaConf.from_dotlist(both))
    expected = TokenizerConfig(tags=["<2de>"], target_algorithm=Algorithm.word, target_size=9)
    assert OmegaConf.to_object(config) == expected

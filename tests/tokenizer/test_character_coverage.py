"""Text with more different characters than the vocabulary has room for."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.vocabulary import build_tokenizers, train_tokenizer

CHARACTERS = [chr(first + number) for first in (0x3400, 0x20000) for number in range(6_500)]
CHARACTERS += [chr(0x4E00 + number) for number in range(20_900)] + [chr(0x23000 + number) for number in range(3_100)]
"""37,000 different ones."""


def made_up_text() -> list[str]:
    """Every character once, and lines of frequent ones."""
    generator, common = random.Random(1), CHARACTERS[:2_000]
    weights = [1 / (rank + 1) for rank in range(len(common))]
    once = ["".join(CHARACTERS[start : start + 40]) for start in range(0, len(CHARACTERS), 40)]
    return once + ["".join(generator.choices(common, weights, k=20)) for _ in range(1_000)]


def advice(text, config) -> dict[str, float]:
    """The settings that the error proposes."""
    with pytest.raises(ConfigError, match="different characters of lines") as error:
        train_tokenizer(text, config, "lines")
    message = str(error.value)
    assert "INTERNAL" not in message
    assert "\n" not in message
    found = dict(re.findall(r"tokenizer\.(character_coverage)=([\d.]+)", message))
    return {name: float(value) for name, value in found.items()} | {
        "size": int(re.search(r"tokenizer\.size to at least (\d+)$", message)[1])
    }


def test_the_advice_for_37000_characters_gives_a_vocabulary_at_once():
    text = made_up_text()
    proposed = advice(text, TokenizerConfig(size=8_000))
    assert 0.3 < proposed["character_coverage"] < 0.98  # below what SentencePiece takes
    config = TokenizerConfig(size=8_000, algorithm=Algorithm.bpe, character_coverage=proposed["character_coverage"])
    tokenizer = train_tokenizer(text, config, "lines")
    tokens = [token.strip("\u2581") for token in tokenizer.tokens(range(260, tokenizer.size))]
    assert 3_000 < sum(len(token) == 1 for token in tokens) < 4_500
    assert any(len(token) > 1 for token in tokens)
    assert not any("\x1f" in token for token in tokens)
    for line in (text[0], text[-1]):
        assert tokenizer.decode(tokenizer.encode(line)) == line
    larger = TokenizerConfig(size=proposed["size"], algorithm=Algorithm.bpe)
    assert train_tokenizer(text, larger, "lines").size == proposed["size"]


lines = st.lists(st.text(st.sampled_from(CHARACTERS[:300]) | st.just(" "), min_size=1), min_size=3, max_size=12)


@settings(max_examples=25)
@given(lines, st.integers(262, 290), st.sampled_from([1.0, 0.99, 0.9, 0.5]))
def test_the_advice_works_in_one_step(text, size, coverage):
    config = TokenizerConfig(size=size, character_coverage=coverage, algorithm=Algorithm.bpe)
    try:
        train_tokenizer(["ab", *text], config, "lines")
        return
    except ConfigError:
        proposed = advice(["ab", *text], config)
    assert proposed.get("character_coverage", 0) < coverage
    for name, value in proposed.items():
        changed = {"size": size, "character_coverage": coverage} | {name: value}
        train_tokenizer(["ab", *text], TokenizerConfig(algorithm=Algorithm.bpe, **changed), "lines")


@pytest.mark.parametrize("algorithm", ["word", "char"])
def test_low_coverage_needs_subwords(algorithm):
    with pytest.raises(
        ConfigError, match=r"character_coverage=0\.9 needs tokenizer\.algorithm=unigram or bpe"
    ) as error:
        train_tokenizer(["a b"], TokenizerConfig(algorithm=algorithm, character_coverage=0.9), "x")
    assert "\n" not in str(error.value)


def test_the_size_of_a_separate_target_vocabulary_is_named():
    pairs = [Pair("a b", line) for line in ("".join(CHARACTERS[:400]), "c")]
    config = TokenizerConfig(size=300, joint=False, target_size=270)
    with pytest.raises(ConfigError, match=r"tokenizer\.target_size=270 .* or tokenizer\.target_size to at least \d+$"):
        build_tokenizers(config, PairList("pairs", pairs))


def test_tags_stay_whole_below_sentencepieces_coverage():
    config = TokenizerConfig(size=300, character_coverage=0.8, tags=["<2q>"])
    tokenizer = train_tokenizer(["<2q> the cat sat on the mat and the hat", "\u6771\u4eac"] * 3, config, "x")
    assert tokenizer.id_of_tag("<2q>") in tokenizer.encode("<2q> the")
    assert tokenizer.decode(tokenizer.encode("\u6771 cat")) == "\u6771 cat"

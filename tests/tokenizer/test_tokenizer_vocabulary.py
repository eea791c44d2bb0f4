"""Training vocabularies: subwords, words, characters, tags, joint or per side; and caching them."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, DataError
from seq2seq.tokenizer import vocabulary
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import UNK, Tokenizer, Tokenizers, load_tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers, cached_tokenizers, train_tokenizer

TEXT = [
    "the small dog sees a cat and the cat sees the small dog",
    "a small cat sat on the mat <s> in the sun <0x0A> <unk>",
    "die kleine Katze schläft auf dem Sofa",
    "der kleine Hund sieht die kleine Katze",
    "",
    "tabs\tand  spaces",
]
SIZE = 285
SUBWORDS = [Algorithm.unigram, Algorithm.bpe, Algorithm.char]


@pytest.fixture(scope="module", params=SUBWORDS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    return train_tokenizer(TEXT, TokenizerConfig(algorithm=request.param, size=SIZE), "the test text")


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_training_is_deterministic(algorithm: Algorithm) -> None:
    config = TokenizerConfig(algorithm=algorithm, size=12 if algorithm is Algorithm.word else SIZE)
    assert train_tokenizer(TEXT, config, "x").to_bytes() == train_tokenizer(iter(TEXT), config, "x").to_bytes()


@pytest.mark.parametrize("algorithm", SUBWORDS)
def test_too_large_a_size_becomes_the_largest_that_works(
    algorithm: Algorithm, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.WARNING, "seq2seq"):
        tokenizer = train_tokenizer(TEXT, TokenizerConfig(algorithm=algorithm), "pairs.tsv")
    assert 260 < tokenizer.size < 8000
    assert [record.getMessage() for record in caplog.records] == [
        f"tokenizer.size=8000 is more than pairs.tsv supports; using {tokenizer.size:,} tokens"
    ]
    assert capfd.readouterr() == ("", "")  # SentencePiece prints nothing
    assert tokenizer.decode(tokenizer.encode("日本 the")) == "日本 the"


def test_too_small_a_size() -> None:
    with pytest.raises(ConfigError, match=r"tokenizer\.size must be at least 260"):
        train_tokenizer(TEXT, TokenizerConfig(size=100), "x")
    with pytest.raises(ConfigError, match=r"tokenizer\.size=261 .* set tokenizer\.size to at least \d+$") as error:
        train_tokenizer(TEXT, TokenizerConfig(size=261), "x")
    assert "\n" not in str(error.value)


def test_text_without_words() -> None:
    for text in ([], ["", " \t "]):
        with pytest.raises(DataError, match=r"^pairs: every sentence is blank, so no vocabulary can be trained"):
            train_tokenizer(text, TokenizerConfig(), "pairs")


def test_long_sentences_are_used_for_training() -> None:
    tokenizer = train_tokenizer(["katze " * 3_000], TokenizerConfig(algorithm=Algorithm.bpe, size=270), "x")
    assert len(tokenizer.encode("katze")) < len(tokenizer.encode("ketza"))


def test_a_sample_is_drawn_from_the_whole_text() -> None:
    text = ["abab baba"] * 50 + ["zyzy yzyz"] * 50
    config = TokenizerConfig(algorithm=Algorithm.bpe, size=266, training_sentences=20)
    tokenizer = train_tokenizer(text, config, "x")
    letters = {letter for piece in tokenizer.tokens(range(260, 266)) for letter in piece}
    assert letters == set("\u2581abyz")


CORPUS = PairList("pairs", [Pair(TEXT[0], TEXT[2]), Pair(TEXT[1], TEXT[3])] * 3)


@pytest.mark.parametrize("joint", [True, False])
def test_building_saving_and_loading(joint: bool, tmp_path: Path) -> None:
    tokenizers = build_tokenizers(TokenizerConfig(size=290, joint=joint), CORPUS)
    assert tokenizers.joint is joint
    known = {piece for piece in tokenizers.source.tokens(range(tokenizers.source.size)) if "K" in piece}
    assert bool(known) is joint  # only the English training text lacks K
    save_tokenizers(tokenizers, tmp_path)
    names = {"tokenizer.model"} if joint else {"tokenizer.source.model", "tokenizer.target.model"}
    assert {path.name for path in tmp_path.iterdir()} == names
    loaded = load_tokenizers(tmp_path)
    assert loaded.joint is joint
    assert [side.to_bytes() for side in loaded] == [side.to_bytes() for side in tokenizers]


def test_named_models_are_loaded(tokenizer: Tokenizer, tmp_path: Path) -> None:
    save_tokenizers(Tokenizers(tokenizer, tokenizer), tmp_path)
    path = str(tmp_path / "tokenizer.model")
    joint = build_tokenizers(TokenizerConfig(source_model=path), CORPUS)
    assert joint.joint
    assert joint.target.to_bytes() == tokenizer.to_bytes()
    separate = build_tokenizers(TokenizerConfig(joint=False, target_model=path, size=277), CORPUS)
    assert separate.target.to_bytes() == tokenizer.to_bytes()
    assert separate.source.size == 277
    with pytest.raises(ConfigError, match=r"set tokenizer\.joint=false"):
        build_tokenizers(TokenizerConfig(source_model=path, target_model="other.model"), CORPUS)


def test_words_are_the_most_frequent_and_each_side_may_differ() -> None:
    pairs = [Pair("a a a b b c", "x x x x y y z w"), Pair("a b", "x y z")]
    config = TokenizerConfig(
        algorithm=Algorithm.word, size=6, joint=False, target_algorithm=Algorithm.word, target_size=7
    )
    source, target = build_tokenizers(config, PairList("pairs", pairs))
    assert set(source.words()) == {"a", "b"}
    assert set(target.words()) == {"x", "y", "z"}
    assert source.encode("c b") == [UNK, source.words()["b"]]
    mixed = TokenizerConfig(
        algorithm=Algorithm.word, size=6, joint=False, target_algorithm=Algorithm.bpe, target_size=265
    )
    source, target = build_tokenizers(mixed, PairList("pairs", pairs))
    assert (source.word_level, target.word_level) == (True, False)
    assert (source.size, target.size) == (6, 265)


def test_more_words_than_there_are(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "seq2seq"):
        words = train_tokenizer(["a b b"], TokenizerConfig(algorithm=Algorithm.word), "x.txt")
    assert set(words.words()) == {"a", "b"}
    assert "more than x.txt supports; using 6 tokens" in caplog.text


def test_tags_of_the_source_are_not_required_in_the_target(tmp_path: Path) -> None:
    config = TokenizerConfig(size=SIZE, joint=False, tags=["<bt>"])
    source, target = build_tokenizers(config, CORPUS, ["<2de>"])
    assert len(source.ids_of_tags(["<bt>", "<2de>"])) == 2
    assert len(target.ids_of_tags(["<bt>"])) == 1
    (tmp_path / "target.model").write_bytes(target.to_bytes())
    named = replace(config, target_model=str(tmp_path / "target.model"))
    assert build_tokenizers(named, CORPUS, ["<2de>"]).target.to_bytes() == target.to_bytes()
    named = replace(config, source_model=str(tmp_path / "target.model"))
    with pytest.raises(DataError, match=r"target\.model: .* has no token <2de>"):
        build_tokenizers(named, CORPUS, ["<2de>"])
    joint = build_tokenizers(replace(config, joint=True), CORPUS, ["<2de>"])
    assert len(joint.target.ids_of_tags(["<bt>", "<2de>"])) == 2


# The cache

SMALL = PairList("pairs", [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 4)
SMALL_CONFIG = TokenizerConfig(size=290)


@pytest.fixture
def trained(monkeypatch):
    calls = []
    monkeypatch.setattr(vocabulary, "build_tokenizers", lambda *args: calls.append(args) or build_tokenizers(*args))
    return calls


def same(one, other):
    return [side.to_bytes() for side in one] == [side.to_bytes() for side in other]


@pytest.mark.parametrize("joint", [True, False])
def test_a_cached_vocabulary_is_loaded_and_not_trained_again(tmp_path, trained, joint):
    config = replace(SMALL_CONFIG, joint=joint)
    first = cached_tokenizers(config, SMALL, ["<2de>"], tmp_path)
    again = cached_tokenizers(replace(config, sampling=0.1), SMALL, ["<2de>"], tmp_path)
    assert len(trained) == 1
    assert same(first, again)
    assert first.joint == again.joint == joint


def test_a_small_vocabulary_from_the_cache_is_reported_as_when_it_is_trained(tmp_path, trained, caplog):
    config = replace(SMALL_CONFIG, size=5_000)
    for _ in range(2):
        caplog.clear()
        cached_tokenizers(config, SMALL, [], tmp_path)
        assert caplog.text.count("tokenizer.size=5000 is more than pairs supports; using ") == 1
    assert len(trained) == 1


def test_other_text_settings_or_tags_have_their_own_cached_vocabulary(tmp_path, trained):
    other = PairList("pairs", [*SMALL.pairs, Pair("a horse", "ein Pferd")])
    for corpus, config, tags in [
        (SMALL, SMALL_CONFIG, []),
        (other, SMALL_CONFIG, []),
        (SMALL, replace(SMALL_CONFIG, size=291), []),
        (SMALL, SMALL_CONFIG, ["<2de>"]),
    ]:
        assert same(cached_tokenizers(config, corpus, tags, tmp_path), build_tokenizers(config, corpus, tags))
    assert len(trained) == 4
    assert len(list(tmp_path.iterdir())) == 4


def test_without_a_cache_or_with_a_model_file_nothing_is_cached(tmp_path, trained):
    save_tokenizers(build_tokenizers(SMALL_CONFIG, SMALL), tmp_path)
    cached_tokenizers(SMALL_CONFIG, SMALL, [], None)
    named = replace(SMALL_CONFIG, source_model=str(tmp_path / "tokenizer.model"))
    assert same(cached_tokenizers(named, SMALL, [], tmp_path / "cache"), build_tokenizers(SMALL_CONFIG, SMALL))
    assert len(trained) == 2
    assert not (tmp_path / "cache").exists()


def test_two_vocabularies_of_a_run_are_no_joint_one(tmp_path):
    """The first would be that of both sides."""
    one, other = (train_tokenizer(TEXT * 3, replace(SMALL_CONFIG, size=size), "lines") for size in (290, 295))
    save_tokenizers(Tokenizers(one, other), tmp_path)
    with pytest.raises(ConfigError, match=r"has two vocabularies, and tokenizer\.joint=true has one: set tokenizer"):
        build_tokenizers(TokenizerConfig(source_model=str(tmp_path)), CORPUS)
    both = TokenizerConfig(source_model=str(tmp_path), target_model=str(tmp_path), joint=False)
    assert [side.size for side in build_tokenizers(both, CORPUS)] == [one.size, other.size]

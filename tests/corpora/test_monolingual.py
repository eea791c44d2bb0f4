"""Monolingual text: which lines are read and encoded."""

from pathlib import Path

import numpy as np
import pytest

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig, DataConfig, FilesConfig, MoreConfig, Split, SplitConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.filters import FilterConfig, Filters
from seq2seq.corpora.mixture import MixedCorpus
from seq2seq.corpora.monolingual import TargetSide, read_target_corpora, read_target_split
from seq2seq.corpora.reading import read_split
from seq2seq.data.mixture import encode_mixture
from seq2seq.data.preparation import encode_corpus
from seq2seq.errors import ConfigError, DataError
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers, train_tokenizer

LINES = ["Wo ist mein Schlüssel?", "", "Wir arbeiten.", "a\u2028b"]


@pytest.fixture
def text(tmp_path: Path) -> str:
    path = tmp_path / "mono.de"
    path.write_text("\n".join(LINES) + "\n", encoding="utf-8")
    return str(path)


def files(text: str, **others: object) -> DataConfig:
    return DataConfig(train=SplitConfig(target=text), validation=SplitConfig(target=text), **others)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", [None, "/no/such/file"])
def test_a_target_file_is_sufficient_and_no_source_is_opened(text, source):
    config = DataConfig(train=SplitConfig(source=source, target=text), validation=SplitConfig(target=text))
    train, validation, test = read_target_corpora(config)
    assert list(train) == list(validation) == [Pair("", line) for line in LINES]
    assert test is None  # the built-in corpus has other text
    assert validation.name == f"{text} (target side)"


def test_a_source_without_target_is_one_line_with_the_missing_setting(text):
    with pytest.raises(ConfigError, match=r"^data\.train names only one side: add data\.train\.target=FILE$"):
        read_target_corpora(DataConfig(train=SplitConfig(source=text), validation=SplitConfig(target=text)))
    with pytest.raises(DataError, match="no such file"):
        read_target_split(DataConfig(test=SplitConfig(target="/no/such/file")), Split.test)


def test_the_target_side_of_the_built_in_corpus():
    config = DataConfig(builtin=BuiltinConfig(train_size=5, validation_size=3, test_size=4))
    for split, corpus in zip(Split, read_target_corpora(config), strict=True):
        assert list(corpus or []) == [Pair("", pair.target) for pair in list(BuiltinCorpus(config.builtin, split))]


def test_only_the_target_column_is_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"de": "b"}\n')
    (tmp_path / "a.tsv").write_text("a\tb\tc\n")
    config = DataConfig(test=SplitConfig(file=str(tmp_path / "a.jsonl")))
    assert list(read_target_split(config, Split.test) or []) == [Pair("", "b")]
    config = DataConfig(test=SplitConfig(file=str(tmp_path / "a.tsv")), target_column="3", source_tag="<2de>")
    assert list(read_target_split(config, Split.test) or []) == [Pair("", "c")]
    (tmp_path / "a.csv").write_text("German,English\nb,a\n")
    config = DataConfig(test=SplitConfig(file=str(tmp_path / "a.csv")))
    assert list(read_target_split(config, Split.test) or []) == [Pair("", "b")]


def test_more_text_joins_with_its_weight_and_without_its_tag(text, tmp_path):
    (tmp_path / "more.de").write_text("Mehr.\n")
    more = MoreConfig(target=str(tmp_path / "more.de"), weight=0.5, source_tag="<bt>")
    train = read_target_corpora(files(text, more=[more])).train
    assert isinstance(train, MixedCorpus)
    assert [part.weight for part in train.parts] == [1.0, 0.5]
    assert list(train)[-1] == Pair("", "Mehr.")


def test_settings_are_not_modified(text):
    config = files(text)
    read_target_corpora(config)
    assert config == files(text)
    assert isinstance(config.train, FilesConfig)
    assert config.train.source is None


def test_a_corpus_and_its_target_side_have_different_fingerprints(text):
    pairs = PairList("one", [Pair("a", "b")])
    assert TargetSide(pairs).fingerprint != pairs.fingerprint
    assert TargetSide(pairs).fingerprint == TargetSide(PairList("one", [Pair("a", "b")])).fingerprint
    config = DataConfig(train=SplitConfig(source=text, target=text), validation=SplitConfig(target=text))
    assert read_split(config, Split.train).fingerprint != read_target_split(config, Split.train).fingerprint


def test_only_the_target_is_filtered():
    filters = Filters(FilterConfig(max_length=5, max_ratio=1), monolingual=True)
    assert [filters.reason(0, length) for length in (0, 1, 5, 6)] == ["blank", None, None, "too long"]
    assert Filters(None).reason(0, 5) == "blank"


def test_a_monolingual_table_has_empty_sources(text, tmp_path):
    tokenizer = train_tokenizer(LINES, TokenizerConfig(size=300), "lines")
    tokenizers = Tokenizers(tokenizer, tokenizer)
    corpora = read_target_corpora(files(text))
    mixture = encode_mixture(corpora.train, tokenizers, tmp_path / "train.arrow", FilterConfig())
    table = encode_corpus(corpora.validation, tokenizers, tmp_path / "validation.arrow", None)
    expected = [tokenizer.encode(line) for line in LINES if line]
    for encoded in (mixture, table):
        sources, targets = encoded.rows(np.arange(len(encoded)))
        assert [target.tolist() for target in targets] == expected
        assert [source.tolist() for source in sources] == [[]] * len(expected)
        assert "kept 3 of 4 pairs; dropped 1 blank" in encoded.report


@pytest.mark.parametrize("joint", [True, False])
def test_the_monolingual_vocabulary_is_the_targets(text, joint):
    others = {} if joint else {"target_size": 280, "source_model": "/no/such/model"}
    config = TokenizerConfig(size=280 if joint else 290, joint=joint, **others)  # type: ignore[arg-type]
    built = build_tokenizers(config.monolingual(), read_target_corpora(files(text)).train)
    assert built.joint
    assert built.source.to_bytes() == train_tokenizer(LINES, TokenizerConfig(size=280), "lines").to_bytes()


def test_the_words_of_a_closed_vocabulary_are_the_targets(tmp_path):
    pairs = PairList("pairs", [Pair("a source", "ein Ziel")])
    config = TokenizerConfig(size=6, algorithm=Algorithm.word).monolingual()
    assert set(build_tokenizers(config, TargetSide(pairs)).target.words()) == {"ein", "Ziel"}


@pytest.mark.parametrize("joint", [True, False])
def test_the_vocabulary_of_a_run_folder_is_that_of_the_side(text, tmp_path, joint):
    one, other = (train_tokenizer(LINES, TokenizerConfig(size=size), "lines") for size in (280, 285))
    save_tokenizers(Tokenizers(one, one) if joint else Tokenizers(one, other), tmp_path)
    corpus = read_target_corpora(files(text)).train
    config = TokenizerConfig(joint=joint, target_model=str(tmp_path))
    assert build_tokenizers(config.monolingual(), corpus).target.size == (one if joint else other).size
    config = TokenizerConfig(joint=joint, source_model=str(tmp_path), target_model=str(tmp_path))
    assert [side.size for side in build_tokenizers(config, corpus)] == [one.size, (one if joint else other).size]
    assert one.size != other.size
    with pytest.raises(DataError, match=r"tokenizer\.model cannot be read"):
        build_tokenizers(TokenizerConfig(target_model=str(tmp_path.parent)), corpus)

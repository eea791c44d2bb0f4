import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet
import pytest
from omegaconf import OmegaConf

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.columns import JsonFile, JsonLinesFile, ParquetFile
from seq2seq.corpora.config import (
    BuiltinConfig,
    DataConfig,
    FileFormat,
    HubConfig,
    MoreConfig,
    Split,
    SplitConfig,
    source_tags,
)
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.files import TextFiles
from seq2seq.corpora.hub import HubData, HubStream
from seq2seq.corpora.mixture import MixedCorpus
from seq2seq.corpora.reading import named_corpora, read_corpora, read_split, text_for_run
from seq2seq.corpora.table import TableFile
from seq2seq.errors import ConfigError, DataError


@pytest.fixture
def files(tmp_path: Path) -> SplitConfig:
    (tmp_path / "text.en").write_text("a\n")
    (tmp_path / "text.de").write_text("b\n")
    return SplitConfig(source=str(tmp_path / "text.en"), target=str(tmp_path / "text.de"))


def parquet_bytes(rows: list[dict[str, str]]) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), file)
    return file.getvalue()


def one_file(folder: Path, name: str, data: bytes = b"") -> DataConfig:
    (folder / name).write_bytes(data)
    return DataConfig(test=SplitConfig(file=str(folder / name)))


def test_the_settings_are_a_structured_config() -> None:
    config: Any = OmegaConf.merge(OmegaConf.structured(DataConfig), OmegaConf.from_dotlist(["train.source=x"]))
    loaded = OmegaConf.to_object(config)
    assert loaded == DataConfig(train=SplitConfig(source="x", hub_split="train"))


def test_the_built_in_corpus_is_the_default() -> None:
    assert isinstance(read_split(DataConfig(), Split.train), BuiltinCorpus)
    small = DataConfig(builtin=BuiltinConfig(train_size=100, validation_size=10, test_size=10))
    one, again, other = (read_split(small, split) for split in (Split.train, Split.train, Split.test))
    assert one is not None
    assert again is not None
    assert other is not None
    assert again.fingerprint == one.fingerprint != other.fingerprint
    assert all(isinstance(pair, Pair) for pair in one)


def test_files_take_precedence_over_the_hub(files: SplitConfig) -> None:
    config = DataConfig(train=files, validation=files, hub=HubConfig(name="no/such"))
    assert isinstance(read_split(config, Split.train), TextFiles)
    assert list(read_split(config, Split.train) or []) == [Pair("a", "b")]
    assert read_split(config, Split.test) is None  # neither the hub's test set nor the built-in one


def test_test_files_alone_are_sufficient_to_evaluate(files: SplitConfig) -> None:
    assert isinstance(read_split(DataConfig(test=files), Split.test), TextFiles)


@pytest.mark.parametrize("split", [Split.train, Split.validation])
def test_a_split_without_files_names_the_override(files: SplitConfig, split: Split) -> None:
    override = rf"data\.{split}\.source=FILE data\.{split}\.target=FILE"
    with pytest.raises(ConfigError, match=override):
        read_split(DataConfig(test=files), split)


def test_half_named_and_doubly_named_splits(files: SplitConfig) -> None:
    with pytest.raises(ConfigError, match=r"add data\.train\.target=FILE"):
        read_split(DataConfig(train=SplitConfig(source=files.source)), Split.train)
    with pytest.raises(ConfigError, match=r"add data\.test\.source=FILE"):
        read_split(DataConfig(test=SplitConfig(target=files.target)), Split.test)
    files.file = "pairs.tsv"
    with pytest.raises(ConfigError, match="both file and source/target"):
        read_split(DataConfig(train=files), Split.train)


@pytest.mark.parametrize("name", ["deu.txt", "a.tsv.gz", "a.jsonl", "a", "a.parquet"])
@pytest.mark.parametrize("setting", ["file", "test.file", "more"])
def test_the_content_of_a_file_chooses_its_reader_whatever_names_it(tmp_path: Path, name: str, setting: str) -> None:
    (tmp_path / "other").write_text("a\n")
    for data, kind in {
        b"a\tb\n": TableFile,
        b'{"translation": {"en": "a", "de": "b"}}\n': JsonLinesFile,
        b'[\n {"translation": {"en": "a", "de": "b"}}\n]': JsonFile,
        b'[["a", "b"]]': JsonFile,
        parquet_bytes([{"en": "a", "de": "b"}]): ParquetFile,
    }.items():
        (tmp_path / name).write_bytes(data)
        path, other = str(tmp_path / name), str(tmp_path / "other")
        config = DataConfig(test=SplitConfig(file=path))
        if setting == "file":
            config = DataConfig(file=path)
        elif setting == "more":
            config = DataConfig(train=SplitConfig(source=other, target=other), more=[MoreConfig(file=path)])
        corpus = list(named_corpora(config).values())[-1]
        assert isinstance(corpus, kind)
        assert list(corpus) == [Pair("a", "b")]


def test_the_format_can_be_named(tmp_path: Path) -> None:
    config = one_file(tmp_path, "a.txt", b'"a"\t"b"\n')
    assert list(read_split(config, Split.test) or []) == [Pair("a", "b")]
    config.format = FileFormat.tsv
    assert list(read_split(config, Split.test) or []) == [Pair('"a"', '"b"')]
    config.format = FileFormat.lines
    with pytest.raises(ConfigError, match=r"format=lines is for files of one side, and data\.test\.file has both"):
        read_split(config, Split.test)
    config.format, config.test = FileFormat.json, SplitConfig(source="x", target="y")
    with pytest.raises(ConfigError, match=r"format=json is for files with both sides, and data\.test has one file per"):
        read_split(config, Split.test)
    with pytest.raises(ConfigError, match="format='xml' is unknown: choose one of lines, table"):
        Corpus.read("x", format="xml")


def test_a_folder_names_the_setting_that_reads_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"is a folder: .* with data\.hub\.name={tmp_path}$"):
        read_split(DataConfig(test=SplitConfig(file=str(tmp_path))), Split.test)


def test_columns_follow_the_languages_unless_named(tmp_path: Path) -> None:
    config = one_file(tmp_path, "a.jsonl", b'{"en": "a", "fr": "b", "x": "c"}\n')
    config.target_language = "fr"
    assert list(read_split(config, Split.test) or []) == [Pair("a", "b")]
    config.source_column, config.target_column = "fr", "x"
    assert list(read_split(config, Split.test) or []) == [Pair("b", "c")]
    config = one_file(tmp_path, "a.tsv", b"a\tb\tc\n")
    config.target_column = "3"
    assert list(read_split(config, Split.test) or []) == [Pair("a", "c")]


def test_hub_splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train.jsonl").write_text("".join(json.dumps({"en": s, "de": "d"}) + "\n" for s in "abc"))
    config = DataConfig(hub=HubConfig(name=str(tmp_path / "set")), validation=SplitConfig(hub_split="train[-1:]"))
    assert isinstance(read_split(config, Split.train), HubData)
    assert list(read_split(config, Split.validation) or []) == [Pair("c", "d")]
    config.hub.streaming = True
    assert isinstance(read_split(config, Split.train), HubStream)
    config.hub.streaming = False
    config.test.hub_split = config.validation.hub_split = None
    assert read_split(config, Split.test) is None
    with pytest.raises(ConfigError, match=r"data\.validation\.hub_split=NAME"):
        read_split(config, Split.validation)


def test_more_corpora_join_the_training_split_with_their_weights(files: SplitConfig, tmp_path: Path) -> None:
    (tmp_path / "more.tsv").write_text("c\td\n")
    more = [
        MoreConfig(file=str(tmp_path / "more.tsv"), weight=0.5, source_tag="<2fr>"),
        MoreConfig(source=files.source, target=files.target, weight=0),
    ]
    config = DataConfig(train=files, validation=files, source_tag="<2de>", weight=3, more=more)
    train, validation, test = read_corpora(config)
    assert isinstance(train, MixedCorpus)
    assert [part.weight for part in train.parts] == [3, 0.5]
    assert list(train) == [Pair("<2de> a", "b"), Pair("<2fr> c", "d")]
    assert list(validation) == [Pair("<2de> a", "b")]
    assert test is None
    assert list(read_split(config, Split.train) or []) == [Pair("<2de> a", "b")]
    assert source_tags(config) == ["<2de>", "<2fr>"]


def test_more_corpora_are_added_to_the_built_in_one(files: SplitConfig) -> None:
    more = [MoreConfig(source=files.source, target=files.target)]
    train, _, test = read_corpora(DataConfig(builtin=BuiltinConfig(train_size=9), more=more))
    assert [type(part.corpus) for part in train.parts] == [BuiltinCorpus, TextFiles]  # type: ignore[attr-defined]
    assert isinstance(test, BuiltinCorpus), "files in data.more do not disable the built-in test set"


def test_a_main_corpus_of_weight_0_is_not_required(files: SplitConfig) -> None:
    more = [MoreConfig(source=files.source, target=files.target)]
    config = DataConfig(validation=files, weight=0, more=more)
    assert list(read_corpora(config).train) == [Pair("a", "b")]
    with pytest.raises(ConfigError, match=r"every corpus has weight 0.*raise data\.weight"):
        read_corpora(DataConfig(train=files, validation=files, weight=0, more=[replace(more[0], weight=0)]))


def test_mistakes_in_more_name_their_entry(files: SplitConfig) -> None:
    for words, wrong in {
        r"data\.more\[1\] names no text": MoreConfig(),
        r"add data\.more\[1\]\.target=FILE": MoreConfig(source="x"),
        r"data\.more\[1\] names both file and source/target": MoreConfig(source="x", target="y", file="z"),
    }.items():
        good = MoreConfig(source=files.source, target=files.target)
        with pytest.raises(ConfigError, match=words):
            read_corpora(DataConfig(train=files, validation=files, more=[good, wrong]))


def test_the_words_of_all_tags_are_named_once() -> None:
    more = [MoreConfig(source_tag="<2de> <bt>"), MoreConfig(), MoreConfig(source_tag="<2fr>")]
    assert source_tags(DataConfig(source_tag="<2de>", more=more)) == ["<2de>", "<bt>", "<2fr>"]
    assert source_tags(DataConfig()) == []


def test_own_text_is_read_with_the_tag_of_the_run(files: SplitConfig) -> None:
    own, run = DataConfig(test=files), DataConfig(source_tag="<2de>", target_language="fr")
    assert text_for_run(own, run, Split.test) == replace(own, source_tag="<2de>")
    for asked, tag in {"<2fr>": "<2fr>", "": None}.items():
        assert text_for_run(replace(own, source_tag=asked), run, Split.test) == replace(own, source_tag=tag)
        assert text_for_run(DataConfig(source_tag=asked), run, Split.test) == replace(run, source_tag=tag)
    assert text_for_run(DataConfig(), run, Split.test) == run
    assert text_for_run(own, DataConfig(), Split.test) == own
    assert list(read_split(text_for_run(replace(own, source_tag=""), run, Split.test), Split.test) or []) == [
        Pair("a", "b")
    ]


def test_every_named_corpus_is_separate(files: SplitConfig) -> None:
    more = [MoreConfig(source=files.source, target=files.target, source_tag="<bt>", weight=0)]
    config = DataConfig(train=files, test=files, more=more, source_tag="<2de>")
    names = named_corpora(config)
    assert list(names) == ["train", "test", "more[0]"]
    assert [list(corpus) for corpus in names.values()] == [[Pair("a", "b")]] * 3
    assert list(named_corpora(DataConfig(builtin=BuiltinConfig(train_size=50)))) == ["train", "validation", "test"]
    with pytest.raises(ConfigError, match=r"data\.more\[0\] names no text"):
        named_corpora(DataConfig(more=[MoreConfig()]))

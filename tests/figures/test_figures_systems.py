"""A run as the laboratory looks at it."""

from pathlib import Path

import pytest
import yaml
from laboratories import system
from siblings import sibling

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, DataError
from seq2seq.figures.systems import System, corpus_for, names, pairs_of, translated
from seq2seq.run.folder import CONFIG


def test_runs_are_called_by_their_folders_and_by_whole_paths_where_those_are_alike(tmp_path):
    assert names([Path("runs/a"), Path("runs/b/")]) == ["a", "b"]
    one, other = names([tmp_path / "x" / "a", tmp_path / "y" / "a"])
    assert one.endswith("x-a")
    assert other.endswith("y-a")
    assert "/" not in one


def test_a_language_model_is_refused(tiny_run, tmp_path):
    folder = sibling(tiny_run, tmp_path / "lm", 1, {"encoder.layers": 0, "attention": "none"})
    with pytest.raises(ConfigError, match="language model"):
        System.load(folder, "lm", "cpu", DataConfig())


def test_a_system_reads_the_tag_of_its_run_unless_another_is_asked_for(tiny_run, tmp_path):
    folder = sibling(tiny_run, tmp_path / "tagged", 1)
    values = yaml.safe_load((folder / CONFIG).read_text("utf-8"))
    values["data"]["source_tag"] = "<2de>"
    (folder / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    assert System.load(folder, "a", "cpu", DataConfig()).tagged(["a"]) == ["<2de> a"]
    assert System.load(folder, "a", "cpu", DataConfig(source_tag="<2fr>")).tagged(["a"]) == ["<2fr> a"]
    untagged = System.load(folder, "a", "cpu", DataConfig(source_tag=""))
    assert untagged.tagged(["a"]) == ["a"]
    tagged = System.load(folder, "a", "cpu", DataConfig())
    assert len(tagged.encoded(["We work."])[0]) > len(untagged.encoded(["We work."])[0])
    with pytest.raises(DataError, match="sentence 2 of 2 is blank"):
        untagged.encoded(["a", " "])
    corpus = corpus_for(DataConfig(), folder, Split.test)
    assert not any("<2de>" in pair.source for pair in pairs_of(corpus, Split.test))


def test_a_test_set_is_there_and_not_blank():
    kept = pairs_of(PairList("test", [Pair("a", "b"), Pair("", "b"), Pair("a", " ")]), Split.test)
    assert kept == [Pair("a", "b")]
    with pytest.raises(ConfigError, match=r"data\.test\.source"):
        pairs_of(None, Split.test)
    with pytest.raises(DataError, match="no pairs"):
        pairs_of(PairList("test", []), Split.test)


def test_translations_say_where_they_come_from(tiny_run, tmp_path):
    one = system(tiny_run, tmp_path / "context")
    pairs = [Pair("We work.", "Wir arbeiten."), Pair("She sleeps.", "Sie schläft.")]
    found = translated(one, pairs, None)
    assert found.texts == [str(one.translator.translate(pair.source)) for pair in pairs]
    assert found.beam_size == found.origin["search"]["beam_size"] == 2
    assert len(found.origin["references"]) == len(found.origin["models"][0]) == 64
    assert translated(one, pairs, 1).origin["search"]["beam_size"] == 1

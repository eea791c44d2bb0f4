"""Runs to draw figures of: names, tags, test sets, translations."""

from pathlib import Path

import pytest
import yaml
from laboratories import system
from random_runs import random_run

from seq2seq.corpora.config import DataConfig, Split
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, DataError
from seq2seq.figures.systems import System, corpus_to_score, legend_names, pairs_to_score, translate_pairs
from seq2seq.run.folder import CONFIG


def test_runs_are_named_by_their_folders_or_by_whole_paths_if_those_are_equal(tmp_path):
    assert legend_names([Path("runs/a"), Path("runs/b/")]) == ["a", "b"]
    first, second = legend_names([tmp_path / "x" / "a", tmp_path / "y" / "a"])
    assert first.endswith("x-a")
    assert second.endswith("y-a")
    assert "/" not in first


def test_a_language_model_is_rejected(tiny_run, tmp_path):
    folder = random_run(tiny_run, tmp_path / "lm", 1, {"encoder.layers": 0, "attention": "none"})
    with pytest.raises(ConfigError, match="language model"):
        System.load(folder, "lm", "cpu", DataConfig())


def test_a_system_uses_the_tag_of_its_run_unless_the_data_give_another(tiny_run, tmp_path):
    folder = random_run(tiny_run, tmp_path / "tagged", 1)
    values = yaml.safe_load((folder / CONFIG).read_text("utf-8"))
    values["data"]["source_tag"] = "<2de>"
    (folder / CONFIG).write_text(yaml.safe_dump(values), "utf-8")
    assert System.load(folder, "a", "cpu", DataConfig()).add_tag(["a"]) == ["<2de> a"]
    assert System.load(folder, "a", "cpu", DataConfig(source_tag="<2fr>")).add_tag(["a"]) == ["<2fr> a"]
    untagged = System.load(folder, "a", "cpu", DataConfig(source_tag=""))
    assert untagged.add_tag(["a"]) == ["a"]
    tagged = System.load(folder, "a", "cpu", DataConfig())
    assert len(tagged.encoded(["We work."])[0]) > len(untagged.encoded(["We work."])[0])
    with pytest.raises(DataError, match="sentence 2 of 2 is blank"):
        untagged.encoded(["a", " "])
    corpus = corpus_to_score(DataConfig(), folder, Split.test)
    assert not any("<2de>" in pair.source for pair in pairs_to_score(corpus, Split.test))


def test_a_test_set_exists_and_is_not_blank():
    kept = pairs_to_score(PairList("test", [Pair("a", "b"), Pair("", "b"), Pair("a", " ")]), Split.test)
    assert kept == [Pair("a", "b")]
    with pytest.raises(ConfigError, match=r"data\.test\.source"):
        pairs_to_score(None, Split.test)
    with pytest.raises(DataError, match="no pairs"):
        pairs_to_score(PairList("test", []), Split.test)


def test_translations_record_their_origin(tiny_run, tmp_path):
    context = system(tiny_run, tmp_path / "context")
    pairs = [Pair("We work.", "Wir arbeiten."), Pair("She sleeps.", "Sie schläft.")]
    output = translate_pairs(context, pairs, None)
    assert output.texts == [str(context.translator.translate(pair.source)) for pair in pairs]
    assert output.beam_size == output.origin["search"]["beam_size"] == 2
    assert len(output.origin["references"]) == len(output.origin["models"][0]) == 64
    assert translate_pairs(context, pairs, 1).origin["search"]["beam_size"] == 1

"""What a user types, and the one line that answers a mistake."""

import shlex

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from seq2seq.config import (
    RECIPES,
    TrainConfig,
    command,
    help_node,
    overrides,
    register,
)
from seq2seq.errors import ConfigError
from seq2seq.model import ModelConfig, Network, Tying
from seq2seq.settings import walk
from seq2seq.text.corpus import DataConfig, MoreConfig
from seq2seq.text.vocabulary import TokenizerConfig


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.dropot=0.1", ["model.dropot", "did you mean model.dropout?"]),
        ("modle.dropout=0.1", ["modle", "did you mean model?"]),
        ("model.dropout=lots", ["model.dropout", "lots"]),
        ("model.dropout=2.0", ["model.dropout must be in [0, 1), got 2"]),
        ("model.encoder.layers=-1", ["model.encoder.layers must be in [0, 8], got -1"]),
        ("model.encoder.layers=1.5", ["model.encoder.layers", "1.5"]),
        ("model.attention=luong", ["model.attention", "luong", "dot, general, scaled_dot, additive"]),
        ("model=atention", ["model/atention", "attention", "context"]),
        ("optimizer=adamax", ["optimizer/adamax", "adam", "sgd"]),
        ("optimizer.momentum=0.9", ["optimizer.momentum", "learning_rate"]),
        ("experiment=nothing", ["experiment/nothing", "multi30k_attention"]),
        ("model.bridge=copy", ["model.bridge=copy", "model.decoder.size"]),
        ("training.device=tpu", ["device", "tpu", "cpu"]),
        ("search.n_best=9", ["search.n_best", "9"]),
        ("data.train.source=no.en", ["data.train.target"]),
        ("seed=null", ["seed"]),
        ("model.dropout=[0.1", ["model.dropout=[0.1"]),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field_and_what_is_allowed(recipe, tmp_path, override, words):
    outcome = recipe("train", f"run={tmp_path / 'run'}", "model.decoder.size=100", override)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err
    assert not (tmp_path / "run").exists(), "a mistake must be found before any work"


def test_a_broken_config_file_is_one_line(recipe, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "broken.yaml").write_text("model: {dropout: [}\n")
    outcome = recipe("train", "--config-dir", str(tmp_path), "experiment=broken", f"run={tmp_path / 'run'}")
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err


def test_a_folder_of_own_configs_joins_the_others(recipe, tmp_path):
    (tmp_path / "experiment").mkdir()
    own = "# @package _global_\ndefaults:\n  - override /model: attention\nmodel: {dropout: 0.7}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(own)
    outcome = recipe("train", "--config-dir", str(tmp_path), "experiment=mine", "--cfg", "job")
    assert outcome.code == 0
    assert "dropout: 0.7" in outcome.out
    assert "attention: general" in outcome.out


@pytest.mark.parametrize("schema", sorted(RECIPES.values(), key=str))
def test_every_setting_says_what_it_means(schema):
    for path, item, _ in walk(schema()):
        assert item.metadata.get("help"), f"{path} has no help"
        assert path in help_node("train", schema)["template"]


def test_help_shows_settings_ranges_and_the_composed_config(recipe):
    outcome = recipe("train", "--help", "model=attention")
    assert outcome.code == 0
    assert "share of units silenced in training (in [0, 1))" in outcome.out
    assert "attention: general" in outcome.out
    assert "multi30k_context" in outcome.out


def test_a_sweep_gives_each_job_a_run_folder_of_its_own(recipe, tmp_path):
    from conftest import TINY

    outcome = recipe("train", "-m", f"run={tmp_path / 'sweep'}", *TINY, "training.updates=1", "model.dropout=0,0.3")
    assert outcome.code == 0, outcome.err
    for number, dropout in enumerate(["dropout: 0.0", "dropout: 0.3"]):
        folder = tmp_path / "sweep" / str(number)
        assert (folder / "scores.json").exists()
        assert dropout in (folder / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("program", "told"), [("recipes/train.py", "recipes/translate.py"), ("/usr/bin/seq2seq-train", "seq2seq-translate")]
)
def test_the_next_command_fits_the_way_this_one_was_started(monkeypatch, program, told):
    monkeypatch.setattr("sys.argv", [program])
    assert command("translate").endswith(told)


def test_settings_at_odds_are_found_before_a_corpus_is_read(recipe, tmp_path):
    nowhere = [f"data.train.{side}={tmp_path / 'nowhere'}" for side in ("source", "target")]
    for asked, words in {
        ("model.tying=all", "tokenizer.joint=false"): "model.tying=all shares one vocabulary",
        ("model.bridge=copy", "model.decoder.size=3"): "model.bridge=copy needs a decoder as wide",
        ("search.n_best=9",): "search.n_best must be at most search.beam_size",
        ("tokenizer=word", "tokenizer.sampling=0.1"): "a vocabulary of words has one: set tokenizer.sampling=0",
        ("tokenizer.tags=[a b]",): "'a b' can be no tag",
        (f"embeddings.source={tmp_path / 'nowhere'}",): "embeddings.source needs a vocabulary of words",
        ("tokenizer=word", f"embeddings.source={tmp_path / 'nowhere'}"): "no such file",
    }.items():
        outcome = recipe("train", f"run={tmp_path / 'run'}", *nowhere, *asked)
        assert outcome.code == 1
        assert words in outcome.err
        assert outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_config_and_network_say_the_same_of_a_vocabulary_that_is_not_shared():
    config = TrainConfig(tokenizer=TokenizerConfig(joint=False), model=ModelConfig(tying=Tying.all))
    messages = []
    for call in (config.check, lambda: Network(config.model, 9, 9, joint=False)):
        with pytest.raises(ConfigError) as raised:
            call()
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


@pytest.mark.parametrize(
    ("name", "override", "words"),
    [
        ("translate", "precision=int4", ["precision", "int4", "float32, bfloat16, int8"]),
        ("evaluate", "precision=half", ["precision", "half", "float32, bfloat16, int8"]),
        ("translate", "shortlist=some", ["shortlist", "some"]),
        ("quantize", "outptu=x", ["outptu", "did you mean output?"]),
        ("train", "shortlist.translations=0", ["shortlist.translations must be at least 1, got 0"]),
    ],
)
def test_a_mistake_in_how_to_translate_is_one_line(recipe, name, override, words):
    outcome = recipe(name, override)
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["training.criterion=bleu"], "set training.criterion=loss"),
        (["training.criterion=loss", "risk.weight=0.5"], "set risk.weight=0"),
    ],
)
def test_a_language_model_is_not_asked_for_translations(recipe, tmp_path, overrides, words):
    model = ["model.encoder.layers=0", "model.decoder.feed_context=false"]
    outcome = recipe("train", f"run={tmp_path / 'run'}", *model, *overrides)
    assert outcome.code == 1
    assert words in outcome.err
    assert outcome.err.count("\n") == 1, outcome.err


def test_settings_told_as_overrides_give_the_same_settings_again():
    data = DataConfig(source_language="fr", source_tag='<2de> "x"', weight=0.5, source_column="1")
    data.train.source = "a b/c-d_e.en"
    data.more = [MoreConfig(file="true", weight=2), MoreConfig(source="x", target="y,z", source_tag="'<bt>'")]
    told = overrides(data, "data")
    assert len(told) == 6, "settings that are as usual are left out"
    register()
    with initialize_config_module("seq2seq.conf", version_base="1.3"):
        composed = OmegaConf.to_object(compose("evaluate", overrides=shlex.split(" ".join(told))))
    assert composed.data == data

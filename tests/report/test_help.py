"""Help for users: --help, overrides, the next command."""

import shlex

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from seq2seq.config.command_line import quote_text
from seq2seq.config.recipes import EvaluateConfig, TrainConfig
from seq2seq.config.schemas import CHOICES, RECIPES, register
from seq2seq.corpora.config import DataConfig, MoreConfig
from seq2seq.report.help import command, help_node, overrides
from seq2seq.settings import walk


@pytest.mark.parametrize("schema", sorted(RECIPES.values(), key=str))
def test_every_setting_has_a_help_text(schema):
    for path, item, _ in walk(schema()):
        assert item.metadata.get("help"), f"{path} has no help"
        assert path in help_node("train", schema, {})["template"]


def test_help_has_the_settings_of_every_choice():
    text = help_node("train", TrainConfig, CHOICES)["template"]
    for group, options in CHOICES.items():
        for option, schema in options.items():
            own = text.partition(f"\n{group}={option}\n")[2]
            assert all(f"  {path} = " in own for path, _, _ in walk(schema(), group))
    assert "Settings of each choice" not in help_node("train", TrainConfig, {})["template"]


def test_help_shows_settings_ranges_and_the_composed_config(recipe):
    outcome = recipe("train", "--help", "model=attention")
    assert outcome.code == 0
    assert "share of units dropped in training (in [0, 1))" in outcome.out
    assert "attention: general" in outcome.out
    assert "multi30k_context" in outcome.out


@pytest.mark.parametrize(
    ("program", "expected"),
    [("recipes/train.py", "recipes/translate.py"), ("/usr/bin/seq2seq-train", "seq2seq-translate")],
)
def test_the_next_command_starts_like_this_one(monkeypatch, program, expected):
    monkeypatch.setattr("sys.argv", [program])
    assert command("translate").endswith(expected)


def test_settings_as_overrides_give_the_same_settings():
    data = DataConfig(source_language="fr", source_tag='<2de> "x"', weight=0.5, source_column="1")
    data.train.source = "a b/c-d_e.en"
    data.more = [MoreConfig(file="true", weight=2), MoreConfig(source="x", target="y,z", source_tag="'<bt>'")]
    reported = overrides(data, "data")
    assert len(reported) == 6, "settings with default values are omitted"
    register()
    with initialize_config_module("seq2seq.conf", version_base="1.3"):
        composed = OmegaConf.to_object(
            compose("evaluate", quote_text(shlex.split(" ".join(reported)), EvaluateConfig()))
        )
    assert composed.data == data

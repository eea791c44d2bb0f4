"""Commands for users: settings as overrides, the next command."""

import shlex

import pytest
from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from seq2seq.config.command_line import quote_text
from seq2seq.config.recipes import EvaluateConfig
from seq2seq.config.schemas import register
from seq2seq.corpora.config import DataConfig, MoreConfig
from seq2seq.report.help import command, overrides


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
    register("evaluate")
    with initialize_config_module("seq2seq.conf", version_base="1.3"):
        composed = OmegaConf.to_object(
            compose("evaluate", quote_text(shlex.split(" ".join(reported)), EvaluateConfig()))
        )
    assert composed.data == data

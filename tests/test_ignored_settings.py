"""Settings that would do nothing: the run is refused in one line, and what the line says to set is taken."""

import re
from pathlib import Path

import pytest
from test_conf import composed

from seq2seq.config import TrainConfig
from seq2seq.errors import ConfigError
from seq2seq.ignored_settings import refuse_ignored

EXPERIMENTS = sorted(path.stem for path in (Path(__file__).parents[1] / "conf" / "experiment").glob("*.yaml"))
CASES = {
    "model.attention_order=luong": ["model.attention=additive model.decoder.feed_context=false"],
    "model=attention model.bridge=zero model.summary=max": ["model.bridge=tanh"],
    "model=attention model.bridge=zero model.bridge_shared=true": ["model.bridge=tanh"],
    "model.encoder.cell=gru model.decoder.cell=rnn_tanh model.forget_bias=2.0": ["model.decoder.cell=lstm"],
    "model.dropout=0 model.dropout_shared_over_time=false": ["model.dropout=0.1"],
    "model.dropout=0 loss.consistency=1": [
        *("model.dropout=0.1", "model.word_dropout=0.1", "model.recurrent_dropout=0.1"),
    ],
    "risk.samples=4": ["risk.weight=0.5"],
    "risk.weight=0.5 risk.kind=reinforce risk.sharpness=0.1": ["risk.kind=minimum_risk"],
    "risk.weight=0.5 risk.kind=reinforce risk.reference=false": ["risk.kind=minimum_risk"],
    "risk.weight=1 loss.consistency=1": ["risk.weight=0.5"],
    "risk.weight=1 scheduled_sampling.rate=0.5": ["risk.weight=0.5"],
    "scheduled_sampling.passes=parallel": ["scheduled_sampling.rate=0.1"],
    "tokenizer.sample_target=false": ["tokenizer.sampling=0.1"],
    "training.average=none training.average_count=2": ["training.average=best", "training.average=last"],
    "embeddings.unfreeze=true": ["training.start=runs/other"],
    "data.hub.subset=de-en": ["data.hub.name=wmt/wmt14"],
    "data.source_column=source": ["data.hub.name=wmt/wmt14", "data.train.file=a.tsv", "'data.more=[{file: a.tsv}]'"],
    "model=language_model model.encoder.size=100": ["model.encoder.layers=1"],
    "model=language_model search.beam_size=3": ["model.encoder.layers=1"],
}
"""What is refused for its last setting, and what makes that count."""


def refused(overrides: list[str]) -> str:
    """The one line; empty where the settings are taken."""
    config = composed("train", overrides)
    assert isinstance(config, TrainConfig)
    try:
        refuse_ignored(config)
    except ConfigError as error:
        return str(error)
    return ""


def split(overrides: str) -> list[str]:
    return re.findall(r"'[^']+'|[^ ]+", overrides) if overrides.startswith("'") else overrides.split(" ")


def strip(overrides: list[str]) -> list[str]:
    return [one.removeprefix("'").removesuffix("'") if one.startswith("'") else one for one in overrides]


@pytest.mark.parametrize("overrides", CASES)
def test_what_does_nothing_is_refused_until_it_counts(overrides):
    asked = overrides.split(" ")
    line = refused(asked)
    assert re.match(rf"{re.escape(asked[-1].partition('=')[0])}=.* does nothing .*: set .*, or ", line), line
    for enough in CASES[overrides]:
        assert refused([*asked, *strip(split(enough))]) == ""


@pytest.mark.parametrize("overrides", CASES)
def test_the_value_that_the_line_gives_is_taken(overrides):
    asked = overrides.split(" ")
    [default] = re.findall(r", or ([^ ]+=[^ ]+)$", refused(asked))
    assert default.partition("=")[0] in [one.partition("=")[0] for one in asked]
    assert refused([*asked, default]) == ""


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_the_experiments_have_no_such_setting(name):
    assert refused([f"experiment={name}"]) == ""


def test_a_mistake_is_found_before_a_folder_is_made(recipe, tmp_path):
    outcome = recipe("train", f"run={tmp_path / 'run'}", "model.attention_order=luong")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "error: model.attention_order=luong does nothing without attention: set model.attention=additive, or "
        "model.attention_order=gnmt\n"
    )
    assert not (tmp_path / "run").exists()

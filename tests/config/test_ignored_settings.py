"""Settings without effect: the run is refused in one line, and the settings named in the line are accepted."""

import re
from typing import Any

import pytest
from covering import BASE, overrides, refusal
from test_conf import composed

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.config import MoreConfig

LANGUAGE_MODEL = {"model.encoder.layers": 0, "model.bridge": "zero", "training.criterion": "loss"}
LANGUAGE_MODEL |= {"model.encoder.size": 256, "search.beam_size": 5}
GATELESS = {"model.encoder.cell": "gru", "model.decoder.cell": "rnn_tanh"}
REINFORCE = {"risk.weight": 0.5, "risk.kind": "reinforce"}
CASES: list[tuple[dict[str, Any], str, Any, list[tuple[str, Any]]]] = [
    ({}, "model.attention_order", "luong", [("model.attention", "additive")]),
    ({"model.attention": "dot", "model.bridge": "zero"}, "model.summary", "max", [("model.bridge", "tanh")]),
    ({"model.attention": "dot", "model.bridge": "zero"}, "model.bridge_shared", True, [("model.bridge", "linear")]),
    (GATELESS, "model.forget_bias", 2.0, [("model.encoder.cell", "lstm"), ("model.decoder.cell", "layer_norm_lstm")]),
    (
        {"model.encoder.cell": "ssru", "model.decoder.cell": "mlstm"},
        "model.recurrent_dropout",
        0.1,
        [("model.encoder.cell", "lstm"), ("model.decoder.cell", "slstm")],
    ),
    ({"model.dropout": 0.0}, "model.dropout_shared_over_time", False, [("model.dropout", 0.1)]),
    (
        {"model.dropout": 0.0},
        "loss.consistency",
        1.0,
        [("model.dropout", 0.1), ("model.word_dropout", 0.1), ("model.recurrent_dropout", 0.1)],
    ),
    ({}, "risk.samples", 4, [("risk.weight", 0.5)]),
    ({}, "risk.metric", "chrf", [("risk.weight", 1.0)]),
    (REINFORCE, "risk.sharpness", 0.1, [("risk.kind", "minimum_risk")]),
    (REINFORCE, "risk.reference", False, [("risk.kind", "minimum_risk")]),
    ({}, "loss.cutoff", 0.1, [("loss.simcut", 3.0)]),
    ({}, "loss.cutoff_span", 3, [("loss.simcut", 3.0)]),
    ({"model.attention": "general"}, "loss.guided_until", 0.9, [("loss.guided_attention", 1.0)]),
    ({"model.attention": "none"}, "loss.guided_attention", 1.0, [("model.attention", "additive")]),
    ({"risk.weight": 1.0, "model.attention": "general"}, "loss.guided_attention", 1.0, [("risk.weight", 0.9)]),
    ({"model.attention": "none"}, "loss.bag_until", 0.5, [("loss.bag_of_words", 1.0)]),
    ({"risk.weight": 1.0}, "loss.bag_of_words", 1.0, [("risk.weight", 0.9)]),
    (
        {"tokenizer.source_model": "runs/other"},
        "tokenizer.training_sentences",
        500,
        [("tokenizer.source_model", None), ("tokenizer.joint", False)],
    ),
    (
        {"model.initialization": "xavier", "model.embedding_range": 0.2},
        "model.initial_range",
        0.5,
        [("model.initialization", "uniform"), ("model.embedding_range", None)],
    ),
    ({}, "training.self_distillation", 1.0, [("training.ema", 0.99)]),
    ({}, "training.curriculum_start", 0.1, [("training.curriculum", 0.5)]),
    ({"risk.weight": 1.0}, "loss.consistency", 1.0, [("risk.weight", 0.9)]),
    ({"risk.weight": 1.0}, "loss.simcut", 1.0, [("risk.weight", 0.9)]),
    ({"risk.weight": 1.0}, "scheduled_sampling.rate", 0.5, [("risk.weight", 0.9)]),
    ({}, "scheduled_sampling.passes", "parallel", [("scheduled_sampling.rate", 0.1)]),
    ({}, "tokenizer.sample_target", False, [("tokenizer.sampling", 0.1)]),
    ({}, "tokenizer.sampling_until", 0.8, [("tokenizer.sampling", 0.1)]),
    ({"training.time": "30m"}, "training.time_limit", "1h", [("training.time", None)]),
    ({"training.average": "none"}, "training.average_count", 2, [("training.average", "last")]),
    ({}, "embeddings.unfreeze", True, [("training.start", "runs/other")]),
    ({}, "training.start_vocabulary", "own", [("training.start", "runs/other")]),
    ({}, "data.hub.subset", "de-en", [("data.hub.name", "wmt/wmt14")]),
    (
        {},
        "data.source_column",
        "english",
        [("data.hub.name", "x"), ("data.train.file", "a.tsv"), ("data.more", [MoreConfig(file="a.tsv")])],
    ),
    ({}, "data.train.source_column", "2", [("data.train.file", "a.tsv")]),
    (LANGUAGE_MODEL, "model.encoder.cell", "gru", [("model.encoder.layers", 1), ("model.encoder.layers", 2)]),
    (LANGUAGE_MODEL, "search.length_penalty", 0.5, [("model.encoder.layers", 1)]),
    (LANGUAGE_MODEL, "shortlist.pairs", 5, [("model.encoder.layers", 1)]),
]
"""Other settings; the setting without effect and its value; the settings that give it an effect."""


@pytest.fixture(scope="module")
def base() -> TrainConfig:
    config = composed("train", overrides(BASE))
    assert isinstance(config, TrainConfig)
    return config


@pytest.mark.parametrize(("others", "name", "value", "enough"), CASES)
def test_a_setting_without_effect_is_refused_unless_it_has_an_effect(base, others, name, value, enough):
    line = refusal(base, {"": others | {name: value}})
    reported = re.fullmatch(rf"{re.escape(name)}=\S+ does nothing .*: set .*, or {re.escape(name)}=\S+", line or "")
    assert reported, line
    assert refusal(base, {"": others}) is None, "the error names the setting without effect"
    for other, instead in enough:
        feeds = {"model.decoder.feed_context": True} if other == "model.encoder.layers" else {}  # the bridge is zero
        assert refusal(base, {"": others | {name: value} | feeds | {other: instead}}) is None


def test_a_setting_without_effect_is_refused_before_a_folder_is_created_and_existing_runs_resume(
    recipe, tmp_path, monkeypatch
):
    run = tmp_path / "run"
    arguments = [f"run={run}", *overrides(BASE), "training.updates=1", "model.attention_order=luong"]
    outcome = recipe("train", *arguments)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err == (
        "error: model.attention_order=luong does nothing without attention: set model.attention=additive, or "
        "model.attention_order=gnmt\n"
    )
    assert not run.exists()
    with monkeypatch.context() as older:
        older.setattr("seq2seq.api.refuse_ignored", lambda config: None)
        assert recipe("train", *arguments).code == 0
    assert recipe("train", *arguments).code == 0, "runs created by older versions resume"

"""Every file of conf/experiment: the full network has the published size, and a tiny one trains end to end.

V vocabulary (S source, T target), E embedding width, H units, D width of an encoder state, M maxout units.
"""

import functools
import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_conf import composed

from seq2seq import Translator
from seq2seq.config.ignored_settings import refuse_ignored
from seq2seq.config.recipes import TrainConfig
from seq2seq.model import Network

EXPERIMENT = Path(__file__).parents[2] / "conf" / "experiment"
FILES = sorted(path.stem for path in EXPERIMENT.glob("*.yaml") if path.stem != "auto")  # its size follows the text
SCHEDULES = {"sutskever2014": 0.5**5, "luong2015": 0.5**4, "gnmt2016": 0.5**4, "rnmt_plus2018": 1 / 64}
"""The published factor of the learning rate at the last update, for schedules with decay."""


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def lstm(inputs: int, units: int) -> int:
    """Four blocks with two biases each, as in all kernels."""
    return 4 * units * (inputs + units + 2)


def gru(inputs: int, units: int) -> int:
    return 3 * units * (inputs + units + 2)


def additive(query: int, state: int, keys: int) -> int:
    """v · tanh(Q h + b + K s)."""
    return linear(query, keys) + state * keys + keys


def cho2014(v: int = 15_000, e: int = 100, h: int = 1000, m: int = 500) -> int:
    encoder, decoder = gru(e, h), linear(h, h) + gru(e + h, h)
    return 2 * v * e + encoder + decoder + linear(h + h + e, 2 * m) + linear(m, v)


def bahdanau2015(v: int = 30_000, e: int = 620, h: int = 1000, m: int = 500) -> int:
    encoder, decoder = 2 * gru(e, h), linear(2 * h, h) + gru(e + 2 * h, h) + additive(h, 2 * h, h)
    return 2 * v * e + encoder + decoder + linear(h + 2 * h + e, 2 * m) + linear(m, v)


def luong2015(v: int = 50_000, h: int = 1000) -> int:
    encoder, decoder = 4 * lstm(h, h), lstm(2 * h, h) + 3 * lstm(h, h)
    score, place = h * h, h * h + h  # equation 8, general; equation 9
    return 2 * v * h + encoder + decoder + score + place + linear(2 * h, h) + linear(h, v)


def britz2017(v: int = 37_000, h: int = 512) -> int:
    encoder, decoder = 2 * lstm(h, h) + 2 * lstm(2 * h, h), lstm(2 * h, h) + 3 * lstm(h, h)
    return 2 * v * h + encoder + decoder + additive(h, 2 * h, h) + linear(3 * h, h) + linear(h, v)


def wiseman_rush2016(s: int = 32_000, t: int = 22_800, h: int = 256) -> int:
    return (s + t) * h + lstm(h, h) + lstm(2 * h, h) + h * h + linear(2 * h, h) + linear(h, t)


def sennrich_zhang2019(v: int = 2000, e: int = 512, h: int = 1024) -> int:
    encoder, bridge = 2 * gru(e, h), 2 * linear(2 * h, h)
    decoder = gru(e, h) + gru(h + 2 * h, h) + additive(h, 2 * h, h) + linear(h + 2 * h + e, e)
    return 2 * v * e + encoder + bridge + decoder + v


def deng2018(v: int = 14_000, e: int = 512, d: int = 1024, h: int = 768) -> int:
    encoder, bridge = 2 * lstm(e, d // 2) + 2 * lstm(d, d // 2), 4 * linear(d, h)
    decoder = lstm(e + h, h) + lstm(h, h) + additive(h, d, 512) + linear(h + d, h)
    return 2 * v * e + encoder + bridge + decoder + linear(h, v)


PARAMETERS: dict[str, tuple[float, float]] = {
    "sutskever2014": (384e6, 0.001),  # section 3.4
    "cho2014": (cho2014(), 0),
    "bahdanau2015": (bahdanau2015(), 0),
    "luong2015": (luong2015(), 0),
    "gnmt2016": (278e6, 0.005),  # Pereyra et al. 2017, table of WMT14 English-German
    "britz2017": (britz2017(), 0),
    "wiseman_rush2016": (wiseman_rush2016(), 0),
    "rnmt_plus2018": (378.9e6, 0.02),  # table 2; here heads project their values, and encoder states are not projected
    "sennrich_zhang2019": (sennrich_zhang2019(), 0),
    "deng2018": (deng2018(), 0),
}
"""Parameters of the full-size network, published or by the equations, and the relative tolerance."""
LARGEST = {
    "multi30k_attention": 10e6,
    "multi30k_context": 11e6,
    "demo_small": 5.4e6,
    "multi30k_quick": 12.2e6,
    "multi30k_small": 6e6,
    "multi30k_student": 3e6,
}
"""Maximum numbers of parameters of this project's experiments."""


compose = functools.cache(lambda recipe, *overrides: composed(recipe, [*overrides]))
"""Composed settings, which no test changes."""


@functools.cache
def settings(name: str) -> TrainConfig:
    config = compose("train", f"experiment={name}")
    assert isinstance(config, TrainConfig)
    config.check()
    refuse_ignored(config)
    return config


def full_size(config: TrainConfig) -> Network:
    """Return the network with the configured vocabulary size on the meta device."""
    sizes = config.tokenizer.source_side().size, config.tokenizer.target_side().size
    with torch.device("meta"):
        return Network(config.model, *sizes, config.tokenizer.joint)


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_every_experiment_states_its_size():
    assert sorted({*PARAMETERS, *LARGEST}) == FILES


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_network_is_as_large_as_published(name):
    expected, tolerance = PARAMETERS[name]
    assert parameters(full_size(settings(name))) == pytest.approx(expected, rel=tolerance, abs=0)


@pytest.mark.parametrize("name", LARGEST)
def test_our_own_networks_are_within_their_size_limits(name):
    assert parameters(full_size(settings(name))) <= LARGEST[name]


@pytest.mark.parametrize("name", FILES)
def test_the_search_of_a_paper_is_used_by_evaluation_and_distillation(name):
    """Beam sizes of 10, 12 and 16 apply unless the command overrides them."""
    search = settings(name).search
    for recipe in ("evaluate", "distill", "translate"):
        assert compose(recipe).search_config(search) == search
        assert compose(recipe, "beam_size=3").search_config(search) == replace(search, beam_size=3)


def test_sutskevers_encoder_and_decoder_have_equally_many_recurrent_weights():
    """Section 3.4: "64M are pure recurrent connections (32M for the encoder LSTM and 32M for the decoder LSTM)"."""
    network = full_size(settings("sutskever2014"))
    for stack in (network.encoder, network.decoder):
        assert sum(matrix.numel() for matrix in stack.parameters() if matrix.dim() == 2) == 32_000_000


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_last_learning_rate_is_that_of_the_paper(name):
    config = settings(name)
    updates = config.training.updates
    assert config.schedule.factor(updates, updates, []) == pytest.approx(SCHEDULES[name], rel=1e-3)


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_paper_states_score_unit_and_command(name):
    head = "".join(
        line.removeprefix("#") for line in (EXPERIMENT / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    )
    assert f"python recipes/train.py experiment={name} run=runs/{name}" in head
    for words in (name[-4:], "Published: ", "BLEU", "Reproduced here: ", "Unit: ", "Differs: "):
        assert words in head, words


@pytest.mark.parametrize(("name", "count"), [("cho2014", 23_229_000), ("bahdanau2015", 81_452_000)])
def test_the_comment_counts_the_parameters(name, count):
    assert parameters(full_size(settings(name))) == count
    assert f"# Parameters: {count:,}: " in (EXPERIMENT / f"{name}.yaml").read_text(encoding="utf-8")


TINY = [
    "data=builtin",
    "data.builtin.train_size=200",
    "data.builtin.validation_size=10",
    "data.builtin.test_size=10",
    "tokenizer.size=400",
    "tokenizer.target_size=null",
    "model.embedding_size=16",
    "model.encoder.size=16",
    "model.decoder.size=16",
    "model.decoder.readout_size=null",
    "model.attention_size=null",
    "batch.tokens=150",
    "schedule.warmup=0",
    "training.updates=24",
    "training.accumulate=1",
    "training.validate_every=12",
    "training.log_every=2",
    "search.beam_size=2",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_tiny_network_trains_translates_and_is_scored(recipe, tmp_path, name):
    run = tmp_path / "run"
    outcome = recipe("train", f"experiment={name}", f"run={run}", *TINY)
    assert outcome.code == 0, outcome.err
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [record["loss"] for record in records if record["kind"] == "validation"]
    assert len(losses) == 2
    assert math.isfinite(losses[0])
    assert losses[1] < losses[0]
    assert "BLEU" in outcome.out
    assert json.loads((run / "scores.json").read_text())["test"]["beam"]["beam_size"] == 2
    translator = Translator.load(run)
    sentences = ["We work.", "Where is my key?"]
    assert [str(translation) for translation in translator.translate(sentences)] == [
        str(translator.translate(s)) for s in sentences
    ]

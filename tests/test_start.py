"""Beginning where another run ended."""

import shutil

import pytest
from conftest import TINY
from reversal import same

from seq2seq.errors import RunError
from seq2seq.model import ModelConfig, Network
from seq2seq.run import load_tokenizers, read_section
from seq2seq.start import hold_start, take_weights
from seq2seq.weights import load_weights


@pytest.fixture
def model(tiny_run):
    return read_section(tiny_run, "model", ModelConfig)


def test_another_architecture_is_refused_in_one_line_that_says_what_to_set(tiny_run, tmp_path, model):
    hold_start(tmp_path, tiny_run, model)
    model.dropout, model.initial_range, model.forget_bias = 0.7, 0.3, 0.0  # say nothing of the weights
    hold_start(tmp_path, tiny_run, model)
    model.decoder.size, model.bridge_shared = 99, True
    wanted = r"set model\.bridge_shared=false model\.decoder\.size=20, or begin with another run"
    with pytest.raises(RunError, match=wanted) as raised:
        hold_start(tmp_path, tiny_run, model)
    assert "\n" not in str(raised.value)
    assert str(tiny_run) in str(raised.value)


def test_a_folder_without_a_model_is_refused(tiny_run, tmp_path, model):
    with pytest.raises(RunError, match="no run folder"):
        hold_start(tmp_path, tmp_path / "nothing", model)
    (tmp_path / "young").mkdir()
    shutil.copy(tiny_run / "config.yaml", tmp_path / "young")
    with pytest.raises(RunError, match=r"has no model\.safetensors: train it") as raised:
        hold_start(tmp_path, tmp_path / "young", model)
    assert "\n" not in str(raised.value)


def test_a_run_that_has_begun_does_not_look_at_its_start_again(tiny_run, tmp_path, model):
    hold_start(tiny_run, tmp_path / "gone", model)


def test_the_weights_are_those_of_the_other_run(tiny_run, model):
    tokenizers = load_tokenizers(tiny_run)
    network = Network(model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    take_weights(tiny_run, network)
    assert same(dict(network.named_parameters()), load_weights(tiny_run / "model.safetensors"))
    with pytest.raises(RunError, match="does not belong"):
        take_weights(tiny_run, Network(model, 11, 11, joint=True))


def test_a_run_takes_over_tokenizers_and_weights_and_then_needs_its_start_no_more(recipe, tiny_run, tmp_path):
    start, run = tmp_path / "start", tmp_path / "run"
    shutil.copytree(tiny_run, start)
    settings = [f"run={run}", f"training.start={start}", "model=attention", *TINY, "tokenizer.size=300"]
    settings += ["optimizer.learning_rate=1e-30", "training.average=none"]
    outcome = recipe("train", *settings, "training.updates=1")
    assert outcome.code == 0, outcome.err
    assert (run / "tokenizer.model").read_bytes() == (start / "tokenizer.model").read_bytes()
    assert same(load_weights(run / "model.safetensors"), load_weights(start / "model.safetensors"))
    shutil.rmtree(start)
    outcome = recipe("train", *settings, "training.updates=2")
    assert outcome.code == 0, outcome.err


def test_a_mistake_is_found_before_a_folder_is_made(recipe, tiny_run, tmp_path):
    outcome = recipe("train", f"run={tmp_path / 'run'}", f"training.start={tiny_run}", *TINY)
    assert outcome.code == 1
    assert outcome.err.startswith("error: training.start=")
    assert "model.attention=general" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_risk_sampling_and_averages_train_in_one_recipe(recipe, tiny_run, tmp_path):
    everything = ["risk.weight=0.5", "risk.samples=2", "scheduled_sampling.rate=0.3", "loss.consistency=1"]
    outcome = recipe(
        "train", f"run={tmp_path / 'run'}", f"training.start={tiny_run}", "model=attention", *TINY,
        *everything, "training.ema=0.9", "training.updates=2",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err

"""`training.epochs`: a bound beside `training.updates`."""

import json

import pytest
import torch
from conftest import TINY

from seq2seq import train
from seq2seq.config.hydra import compose_train
from seq2seq.config.recipes import TrainConfig
from seq2seq.data.batch_sampler import BatchConfig, BatchSampler
from seq2seq.model.weights import load_weights
from seq2seq.run.resume import CHANGEABLE

SETTINGS = [*TINY, "training.updates=100", "training.validate_every=5", "training.precision=float32"]


def sampler_of(pairs: int = 200) -> BatchSampler:
    lengths = torch.arange(pairs).remainder(17).int().numpy() + 1
    return BatchSampler(lengths, lengths[::-1].copy(), BatchConfig(tokens=60, pool=3), seed=4)


def test_the_batches_of_epochs_are_those_of_the_stream():
    sampler = sampler_of()
    for epochs in (1, 3):
        in_stream = 0
        for _, after in sampler.stream((0, 0)):
            in_stream += 1
            if after.epoch == epochs:
                break
        assert sampler.batches_in(epochs, at_most=10**9) == in_stream
        assert sampler.batches_in(epochs, at_most=in_stream - 1) == in_stream - 1


def records(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "tokens_per_second"} for line in lines]


@pytest.mark.slow
def test_epochs_end_training_with_the_whole_schedule_and_resume_to_the_bit(recipe, tmp_path):
    arguments = [*SETTINGS, "training.epochs=2", "training.log_every=1"]
    outcome = recipe("train", f"run={tmp_path / 'whole'}", *arguments)
    assert outcome.code == 0, outcome.err
    whole = records(tmp_path / "whole")
    updates = max(record["update"] for record in whole)
    assert f"training.epochs=2 takes {updates} updates" in outcome.out
    learning_rates = [record["learning_rate"] for record in whole if record["kind"] == "train"]
    assert learning_rates[0] > 0
    assert learning_rates[-1] == pytest.approx(0, abs=1e-9), "the cosine ends with the last update"
    epochs = [record["epoch"] for record in whole if record["kind"] == "train"]
    assert epochs == sorted(epochs)
    assert epochs[-1] == 2
    assert epochs[-2] == 1, "no batch of a third epoch"

    config = compose_train(overrides=arguments)

    def crash(validation):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        train(config, tmp_path / "resumed", on_validation=crash)
    config.training.save_minutes = 0.0  # saved at every record
    train(config, tmp_path / "resumed")
    assert records(tmp_path / "resumed") == whole
    first, second = (load_weights(tmp_path / name / "model.safetensors") for name in ("whole", "resumed"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_smaller_bound_ends_training_and_says_so(recipe, tmp_path):
    outcome = recipe("train", f"run={tmp_path / 'run'}", *TINY, "training.updates=2", "training.epochs=50")
    assert outcome.code == 0, outcome.err
    assert "training.updates=2 ends training, not training.epochs=50" in outcome.out
    assert max(record["update"] for record in records(tmp_path / "run")) == 2


def test_a_warm_up_longer_than_the_epochs_is_refused_and_leaves_no_folder(recipe, tmp_path):
    outcome = recipe("train", f"run={tmp_path / 'run'}", *SETTINGS, "training.epochs=1", "schedule.warmup=90")
    assert outcome.code == 1
    assert "error: training.epochs=1 takes" in outcome.err
    assert "schedule.warmup=90 is longer than the run" in outcome.err
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_a_resumed_run_may_have_more_epochs():
    assert "training.epochs" in CHANGEABLE
    assert TrainConfig().training.epochs is None

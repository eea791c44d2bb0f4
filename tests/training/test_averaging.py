"""One model of several."""

from dataclasses import fields
from pathlib import Path

import pytest
import torch
import yaml
from random_runs import random_run

from seq2seq.errors import RunError
from seq2seq.model import ModelConfig
from seq2seq.model.weights import Weights, load_weights, mean_weights, save_quantized, save_weights
from seq2seq.run.folder import RunFolder, load_run
from seq2seq.run.metadata import TRAINING_ONLY
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.training.averaging import average_checkpoints, average_runs, chosen_checkpoints
from seq2seq.training.checkpoints import Checkpoints
from seq2seq.training.progress import Progress, Validation


def close(actual: Weights, expected: Weights) -> bool:
    return actual.keys() == expected.keys() and all(torch.allclose(actual[name], expected[name]) for name in expected)


def test_the_mean_is_elementwise_in_float64():
    large = 2.0**25  # above which float32 has no odd numbers
    several = [{"w": torch.tensor([large, 1.0])}, {"w": torch.tensor([1.0, 2.0])}, {"w": torch.tensor([-large, 6.0])}]
    mean = mean_weights(iter(several))
    assert mean["w"].dtype is torch.float32
    assert mean["w"].tolist() == pytest.approx([1 / 3, 3.0])
    assert several[0]["w"].tolist() == [large, 1.0]


def test_the_mean_of_runs(tiny_run, tmp_path):
    others = [random_run(tiny_run, tmp_path / str(seed), seed) for seed in (1, 2)]
    average = average_runs(tiny_run, load_run(tiny_run), others)
    weights = [load_weights(folder / "model.safetensors") for folder in (tiny_run, *others)]
    assert close(average, {name: sum(one[name] for one in weights) / 3 for name in weights[0]})


def test_an_8_bit_run_is_averaged_after_dequantization(tiny_run, tmp_path):
    quantized = random_run(tiny_run, tmp_path / "int8", 1)
    save_quantized(load_run(quantized).network, quantized / "model.safetensors")
    average = average_runs(quantized, load_run(quantized), [quantized])
    assert close(average, dict(load_run(quantized).network.named_parameters()))


def test_only_training_settings_may_differ(tiny_run, tmp_path):
    assert {item.name for item in fields(ModelConfig)} >= TRAINING_ONLY
    first = load_run(tiny_run)
    similar = random_run(tiny_run, tmp_path / "alike", 1, {"dropout": 0.7, "initial_range": 0.3, "word_dropout": 0.1})
    assert average_runs(tiny_run, first, [similar])
    reversed_ = random_run(tiny_run, tmp_path / "reversed", 2, {"summary": "mean"})  # of the same shapes
    with pytest.raises(RunError) as caught:
        average_runs(tiny_run, first, [similar, reversed_])
    for words in (f"{reversed_} has model.summary=mean", f"{tiny_run} has model.summary=last", "ensemble=["):
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_other_vocabularies_are_refused(tiny_run, tmp_path):
    trained = train_tokenizer(["we work", "she sleeps"], TokenizerConfig(size=270), "two lines")
    other = random_run(tiny_run, tmp_path / "other", 1, tokenizers=Tokenizers(trained, trained))
    with pytest.raises(RunError, match=r"other has another vocabulary than .*: average runs with"):
        average_runs(tiny_run, load_run(tiny_run), [other])


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A run with three checkpoints of random weights."""
    folder = random_run(tiny_run, tmp_path / "run", 1)
    (folder / "checkpoints").mkdir()
    for update in (10, 200, 30):
        network = load_run(random_run(tiny_run, tmp_path / str(update), update)).network
        save_weights(network, folder / "checkpoints" / f"update-{update:07d}.safetensors")
    return folder


def test_the_mean_of_a_runs_checkpoints(run):
    paths = chosen_checkpoints(run)
    assert [path.stem for path in paths] == ["update-0000010", "update-0000030", "update-0000200"]
    weights = [load_weights(path) for path in paths]
    average = average_checkpoints(RunFolder.open(run), load_run(run), paths)
    assert close(average, {name: sum(one[name] for one in weights) / 3 for name in weights[0]})


@pytest.mark.parametrize(
    ("average", "count", "expected"), [("best", 2, [10, 30]), ("last", 2, [30, 200]), ("best", 3, [10, 30, 200])]
)
def test_only_the_checkpoints_chosen_by_training_are_averaged(run, average, count, expected):
    """A run also keeps the checkpoints of its model and its best validation."""
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["training"] |= {"average": average, "average_count": count, "criterion": "loss"}
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    outcomes = [Validation(10, 1.0, 0.0), Validation(30, 2.0, 0.0), Validation(200, 3.0, 0.0)]
    state = Progress(update=200, validations=outcomes, model=[10]).as_dict()
    Checkpoints(run / "checkpoints").save_state({"progress": state}, [10, 30, 200])
    assert [int(path.stem[-7:]) for path in chosen_checkpoints(run)] == expected


def test_a_run_without_averaging_is_refused(run):
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["training"]["average"] = "none"
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    state = Progress(update=200, validations=[Validation(10, 1.0, 0.0), Validation(30, 2.0, 0.0)]).as_dict()
    Checkpoints(run / "checkpoints").save_state({"progress": state}, [10, 30, 200])
    with pytest.raises(
        RunError, match=r"an average needs two or more checkpoints, and training.average=none .* selected 0: name"
    ):
        chosen_checkpoints(run)


def test_a_checkpoint_of_another_model_is_named(run, tiny_run, tmp_path):
    foreign = load_run(random_run(tiny_run, tmp_path / "wide", 1, {"decoder.layers": 2})).network
    path = chosen_checkpoints(run)[1]
    save_weights(foreign, path)
    with pytest.raises(RunError, match=path.name):
        average_checkpoints(RunFolder.open(run), load_run(run), chosen_checkpoints(run))


def test_one_checkpoint_is_too_few(run):
    for path in chosen_checkpoints(run)[1:]:
        path.unlink()
    with pytest.raises(RunError, match=r"an average needs two or more checkpoints, .* selected 1: .*runs=\["):
        chosen_checkpoints(run)

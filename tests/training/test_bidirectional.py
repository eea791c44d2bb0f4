"""`training.bidirectional`: the first updates train on both directions (Ding et al. 2021)."""

import shutil

import pytest
from conftest import TINY
from reversal import Scripted, same, trainer, training

from seq2seq import train
from seq2seq.config.hydra import compose_train
from seq2seq.errors import ConfigError
from seq2seq.model.weights import load_weights
from seq2seq.tokenizer.tokenizer import load_tokenizers
from seq2seq.training.config import Average

SETTINGS = [*TINY, "model=attention", "tokenizer.size=340", "training.updates=4", "training.validate_every=2"]
SETTINGS += ["data.builtin.train_size=60", "data.builtin.validation_size=2", "training.average_count=1"]
SETTINGS += ["training.log_every=1", "training.accumulate=2", "batch.tokens=100", "training.precision=float32"]
SETTINGS += ["training.bidirectional=0.75", "training.start_vocabulary=own", "loss.simcut=3"]


def test_a_bidirectional_transfer_with_simcut_resumes_to_the_bit(tiny_run, tmp_path, caplog):
    start = tmp_path / "start"
    shutil.copytree(tiny_run, start)
    config = compose_train(overrides=[*SETTINGS, f"training.start={start}"])
    with caplog.at_level("INFO", "seq2seq"):
        train(config, tmp_path / "whole")
    assert "the first 3 of 4 updates train on both directions, then on en to de alone" in caplog.text
    assert f"of 340 tokens are in the vocabulary of {start} too and keep their weights" in caplog.text
    assert load_tokenizers(tmp_path / "whole").source.size == 340

    def crash(validation):
        if validation.update == 4:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        train(config, tmp_path / "resumed", on_validation=crash)
    shutil.rmtree(start)  # a resumed run does not need it: update 2 is saved
    train(config, tmp_path / "resumed")
    first, second = (load_weights(tmp_path / name / "model.safetensors") for name in ("whole", "resumed"))
    assert same(first, second)


@pytest.mark.parametrize(
    ("share", "validations"), [(0.0, [2, 4, 6]), (0.5, [2, 4, 6, 8, 10, 12, 14]), (1.0, [2, 4, 6])]
)
def test_patience_begins_with_the_updates_on_one_direction(tmp_path, share, validations):
    config = training(updates=20, validate_every=2, patience=2, bidirectional=share, average=Average.none)
    scripted = Scripted([1.0, *range(2, 20)])
    progress = trainer(tmp_path, config, validate=scripted).fit()
    assert [validation.update for validation in progress.validations] == validations


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["tokenizer.joint=false", "model.tying=none"], r"one vocabulary: set tokenizer\.joint=true or"),
        (["model=language_model", "training.criterion=loss"], r"language model .* set training\.bidirectional=0"),
    ],
)
def test_a_model_without_a_joint_vocabulary_is_refused(settings, message):
    with pytest.raises(ConfigError, match=rf"^training\.bidirectional .*{message}") as raised:
        compose_train(overrides=["training.bidirectional=0.3", *settings]).check()
    assert "\n" not in str(raised.value)

"""`training.bidirectional`: the first updates train on both directions (Ding et al. 2021)."""

import shutil

import numpy as np
import pytest
import torch
from conftest import TINY
from reversal import VOCABULARY, Scripted, same, sources, trainer, training

from seq2seq import train
from seq2seq.config.hydra import compose_train
from seq2seq.data.batch import make_batch
from seq2seq.data.batch_sampler import BatchSampler
from seq2seq.data.config import BatchConfig
from seq2seq.data.stream import BothDirections, batch_stream
from seq2seq.errors import ConfigError
from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, ModelConfig, Network
from seq2seq.model.weights import load_weights
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.tokenizer import load_tokenizers
from seq2seq.training import Validation
from seq2seq.training.config import Average
from seq2seq.training.consistency import SimCut
from seq2seq.training.loss import Objective, loss_sums
from seq2seq.training.objective import TeacherForcing

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


class Rows:
    """Encoded pairs in memory: the target is the source backwards, with every letter replaced by the next one."""

    def __init__(self, sources: list[list[int]]) -> None:
        self.pairs = [(source, shifted(source[::-1])) for source in sources]
        self.source_lengths = self.target_lengths = np.array([len(source) for source in sources], np.int32)

    def rows(self, indices):
        return tuple([self.pairs[index][side] for index in indices] for side in (0, 1))


def shifted(row: list[int]) -> list[int]:
    return [token + 1 if token + 1 < VOCABULARY else 4 for token in row]


def attending() -> Network:
    torch.manual_seed(5)
    encoder, decoder = EncoderConfig(size=24), DecoderConfig(size=32, feed_context=False)
    model = ModelConfig(
        embedding_size=16, encoder=encoder, decoder=decoder, attention=AttentionKind.general, dropout=0.1
    )
    return Network(model, VOCABULARY, VOCABULARY, joint=True)


@pytest.mark.slow
def test_bidirectional_pre_training_and_simcut_learn_a_made_up_language_of_few_pairs(tmp_path):
    """Without a tag both directions look the same, until the last two thirds settle it."""
    held_out = make_batch(*Rows(sources(60, 100)).rows(range(60)))

    def validate(network: Network, update: int) -> Validation:
        with torch.inference_mode():
            total = loss_sums(network(*held_out[:4]), held_out.labels_P, 0.0).cross_entropy
        return Validation(update, float(total) / len(held_out.labels_P), 0.0)

    def losses(name: str, share: float, objective: Objective, updates: int = 450) -> list[float]:
        table = Rows(sources(150, 1))
        sampler = BatchSampler(table.source_lengths, table.target_lengths, BatchConfig(tokens=100), 1)
        config = training(updates=updates, validate_every=150, bidirectional=share, average=Average.none)
        both = BothDirections(sampler.position_after(config.bidirectional_updates), 1)
        stream = batch_stream(table, sampler, both)
        run = trainer(
            tmp_path / name, config, network=attending(), stream=stream, objective=objective, validate=validate
        )
        return [validation.loss for validation in run.fit().validations]

    plain, simcut = TeacherForcing(0.0, Precision.float32), SimCut(1.0, 0.05, 0.0, Precision.float32)
    one, both = losses("one", 0.0, plain), losses("both", 1 / 3, plain)
    cut = losses("cut", 1 / 3, simcut, updates=900)  # it learns more slowly
    assert both[0] > one[0] + 0.1, "half of the first third goes in the other direction"
    for result in (one, both, cut):
        assert result[-1] < 0.5 * both[0]

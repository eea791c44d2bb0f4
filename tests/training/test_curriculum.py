"""`training.curriculum`: the first updates train on short pairs; and a whole run of the pure context vector."""

from functools import partial
from pathlib import Path

import pytest
from conftest import TINY
from reversal import Scripted, metrics, same, trainer, training

from seq2seq import Translator, train
from seq2seq.config.hydra import compose_train
from seq2seq.config.recipes import TrainConfig
from seq2seq.data.batch import Batch
from seq2seq.errors import ConfigError
from seq2seq.model.weights import load_weights
from seq2seq.training import Plateau, Validation
from seq2seq.training.config import Average
from seq2seq.training.step import UpdateStep

SETTINGS = [*TINY, "model=sutskever", "tokenizer.size=340", "training.updates=6", "training.validate_every=2"]
SETTINGS += ["data.builtin.train_size=60", "data.builtin.validation_size=2", "training.average_count=1"]
SETTINGS += ["training.log_every=1", "training.accumulate=2", "batch.tokens=150", "training.precision=float32"]
SETTINGS += ["training.curriculum=0.67", "loss.bag_of_words=1", "loss.bag_until=0.5"]


def updates_of(config: TrainConfig, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[Batch]]:
    """Train, and return the batches of each update."""
    step, updates = UpdateStep.__call__, list[list[Batch]]()

    def watch(self, batches, update):
        updates.append(batches)
        return step(self, batches, update)

    with monkeypatch.context() as watched:
        watched.setattr(UpdateStep, "__call__", watch)
        train(config, folder)
    return updates


def test_a_longer_run_goes_on_where_its_curriculum_would_be(tmp_path, monkeypatch):
    """Epochs of the longer curriculum are others: the saved position would lead back to short pairs."""
    run = partial(updates_of, monkeypatch=monkeypatch)
    short, long = (
        compose_train(overrides=[*SETTINGS, "training.curriculum=0.4", f"training.updates={updates}"])
        for updates in (4, 8)
    )
    assert len(run(short, tmp_path / "extended")) == 4
    whole, extended = run(long, tmp_path / "whole"), run(long, tmp_path / "extended")
    assert [[batch.source_BS.tolist() for batch in batches] for batches in extended] == [
        [batch.source_BS.tolist() for batch in batches] for batches in whole[4:]
    ]


def test_a_pure_context_vector_with_bag_of_words_and_curriculum_resumes_to_the_bit(tmp_path, monkeypatch):
    config = compose_train(overrides=SETTINGS)
    assert config.training.curriculum_updates == 4
    longest = [
        max(max(batch.source_BS.shape[1], batch.target_BT.shape[1]) for batch in batches)
        for batches in updates_of(config, tmp_path / "whole", monkeypatch)
    ]
    assert len(longest) == 6
    assert longest[0] < longest[1] < max(longest[4:]), "short pairs first"

    def crash(validation):
        if validation.update == 4:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        train(config, tmp_path / "resumed", on_validation=crash)
    train(config, tmp_path / "resumed")
    first, second = (load_weights(tmp_path / name / "model.safetensors") for name in ("whole", "resumed"))
    assert same(first, second)
    assert not [name for name in first if "bag" in name]
    assert len(Translator.load(tmp_path / "resumed").translate(["We work.", "She sleeps."])) == 2


@pytest.mark.parametrize(
    ("curriculum", "bidirectional", "halved_after"),
    [(0.0, 0.0, [8, 12]), (0.5, 0.0, [14]), (0.2, 0.6, []), (1.0, 0.0, [8, 12])],
)
def test_a_plateau_counts_validations_after_the_phases_as_patience_does(
    tmp_path, curriculum, bidirectional, halved_after
):
    phases = {"curriculum": curriculum, "bidirectional": bidirectional, "average": Average.none}
    config = training(updates=20, validate_every=2, log_every=1, **phases)
    losses = [9.0, 5.0, 6.0, 5.5, 7.0, 6.0, 6.5, 4.0, 4.5, 4.6]
    schedule = Plateau(decay=0.5, patience=2, smallest=0.0)
    trainer(tmp_path, config, validate=Scripted(losses), schedule=schedule).fit()
    rates = [record["learning_rate"] for record in metrics(tmp_path) if record["kind"] == "train"]
    assert rates == pytest.approx([0.01 / 2 ** sum(end < update for end in halved_after) for update in range(1, 21)])


def test_epochs_beside_a_curriculum_are_refused_in_one_line():
    with pytest.raises(
        ConfigError, match=r"^training\.epochs=2 .* set training\.epochs=null or training\.curriculum=0$"
    ):
        compose_train(overrides=["training.curriculum=0.5", "training.epochs=2"]).check()


@pytest.mark.parametrize(
    ("curriculum", "bidirectional", "stopped"), [(0.0, 0.0, 6), (0.5, 0.0, 14), (0.5, 0.6, 16), (1.0, 0.3, 10)]
)
def test_patience_begins_when_the_phases_end_and_resumes_to_the_bit(tmp_path, curriculum, bidirectional, stopped):
    phases = {"curriculum": curriculum, "bidirectional": bidirectional, "average": Average.none}
    config = training(updates=20, validate_every=2, patience=2, **phases)

    def worse(network, update):
        if update == crash:
            raise ConnectionError
        return Validation(update, float(update), None)

    crash = 0
    whole = trainer(tmp_path / "whole", config, validate=worse)
    assert whole.fit().update == stopped
    for crash in range(4, stopped, 4):  # noqa: B007  # read by the validation
        with pytest.raises(ConnectionError):
            trainer(tmp_path / "resumed", config, validate=worse).fit()
    crash = 0
    resumed = trainer(tmp_path / "resumed", config, validate=worse)
    assert resumed.fit().validations == whole.progress.validations
    assert same(whole.network.state_dict(), resumed.network.state_dict())

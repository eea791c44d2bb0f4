from contextlib import suppress

import pytest
import torch
from reversal import SEVEN_BATCHES, Scripted, Stream, metrics, same, tiny_network, trainer, training, weights

from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.errors import RunError
from seq2seq.model.weights import load_weights
from seq2seq.training import SGD, Average
from seq2seq.training.moving_average import MovingAverage

AVERAGED = training(updates=10, ema=0.7)  # validated at 4, 8 and 10


def by_hand(shown: list[dict[str, torch.Tensor]], decay: float) -> dict[str, torch.Tensor]:
    """Return the average of the weights after each update according to the formula."""
    average = shown[0]
    for number, now in enumerate(shown[1:], 1):
        d = min(decay, (1 + number) / (10 + number))
        average = {name: d * average[name] + (1 - d) * now[name] for name in now}
    return average


class Watched(Stream):
    """A stream that keeps the network's weights before each update."""

    def __init__(self, network):
        super().__init__(SEVEN_BATCHES, lambda place: self.shown.append(weights(network)))
        self.shown = []


@pytest.mark.parametrize("decay", [0.15, 0.3, 0.999])
def test_the_average_follows_its_formula_with_a_rising_decay(tmp_path, decay):
    network = tiny_network()
    watched = Watched(network)
    one = trainer(
        tmp_path, training(updates=6, ema=decay), network=network, stream=watched, validate=Scripted([3.0, 2.0, 9.0])
    )
    one.fit()
    expected = by_hand([*watched.shown, weights(network)], decay)
    for (name, _), averaged in zip(network.named_parameters(), one.average.weights, strict=True):
        assert torch.allclose(averaged, expected[name], atol=1e-6)


def test_the_average_is_validated_and_saved_and_training_keeps_its_weights(tmp_path):
    plain, averaged = tiny_network(), tiny_network()
    without, validate = Scripted([3.0, 2.0]), Scripted([3.0, 2.0])
    trainer(tmp_path / "plain", training(updates=8, average=Average.none), network=plain, validate=without).fit()
    one = trainer(
        tmp_path / "ema", training(updates=8, ema=0.9, average=Average.none), network=averaged, validate=validate
    )
    one.fit()
    assert same(weights(plain), weights(averaged))  # the trained weights are unchanged
    assert not same(validate.shown[1], without.shown[1])
    assert same(validate.shown[1], dict(zip(weights(averaged), one.average.weights, strict=True)))
    assert same(load_weights(tmp_path / "ema/model.safetensors"), validate.shown[1])
    assert same(load_weights(tmp_path / "ema/checkpoints/update-0000008.safetensors"), validate.shown[1])


@pytest.mark.slow
def test_averaging_noisy_weights_lowers_the_loss(tmp_path):
    """At a high learning rate, the mean of the weights is closer to the optimum than the last weights."""
    losses, optimizer = [], SGD(learning_rate=3.0)
    for ema in (None, 0.95):
        config = training(updates=120, validate_every=120, ema=ema)
        one = trainer(tmp_path / f"{ema}", config, network=tiny_network(0.0), optimizer=optimizer)
        losses.append(one.fit().validations[-1].loss)
    assert losses[1] < losses[0]


def crash():
    raise ConnectionError("the machine went away")


@pytest.mark.parametrize("place", [StreamPosition(0, 5), StreamPosition(1, 2)])
def test_a_resumed_average_has_the_same_bits(tmp_path, place):
    whole = trainer(tmp_path / "whole", AVERAGED)
    whole.fit()
    with pytest.raises(ConnectionError):
        trainer(
            tmp_path / "cut", AVERAGED, stream=Stream(SEVEN_BATCHES, lambda now: crash() if now == place else None)
        ).fit()
    again = trainer(tmp_path / "cut", AVERAGED)
    torch.manual_seed(99)
    again.fit()
    assert all(map(torch.equal, again.average.weights, whole.average.weights))
    assert same(*(load_weights(tmp_path / name / "model.safetensors") for name in ("whole", "cut")))
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "cut")


def test_a_state_without_its_average_is_refused_in_one_line(tmp_path):
    trainer(tmp_path, training(updates=1)).fit()
    last = torch.load(tmp_path / "checkpoints/last.pt", weights_only=True)
    assert "average" not in last  # frozen weights have no copy
    for average in ({}, {"average": []}):
        torch.save(last | average, tmp_path / "checkpoints/last.pt")
        with pytest.raises(RunError, match="is damaged"):
            trainer(tmp_path, training(updates=1, ema=0.9))


def test_frozen_weights_are_neither_trained_nor_averaged(tmp_path):
    network = tiny_network()
    network.source_embedding.weight.requires_grad_(False)
    before = weights(network)
    one = trainer(tmp_path, training(updates=3, ema=0.9), network=network)
    one.fit()
    after, learning = weights(network), sum(parameter.requires_grad for parameter in network.parameters())
    assert [name for name in after if torch.equal(before[name], after[name])] == ["source_embedding.weight"]
    assert len(one.average.weights) == learning == len(one.optimizer.param_groups[0]["params"])
    name = "source_embedding.weight"
    assert torch.equal(load_weights(tmp_path / "model.safetensors")[name], after[name])


def test_an_error_during_validation_restores_the_weights():
    network = tiny_network()
    before, average = weights(network), MovingAverage(network, 0.5)
    for tensor in average.weights:
        tensor.zero_()
    with suppress(ConnectionError), average.applied():
        assert all(not tensor.any() for tensor in weights(network).values())
        crash()
    assert same(weights(network), before)

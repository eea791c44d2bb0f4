"""Training in float16: a scaled loss, skipped updates, the same bits after a restart."""

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from abilities import needs_float16
from reversal import (
    SEVEN_BATCHES,
    Scripted,
    Shared,
    Stream,
    held_out_loss,
    metrics,
    same,
    tiny_network,
    trainer,
    training,
    weights,
)
from together import results, together

from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.errors import RunError
from seq2seq.model import Network
from seq2seq.system.precision import Precision
from seq2seq.system.processes import is_first
from seq2seq.training import SGD, Adadelta, Adagrad, Adam, AdamW, Muon, Trainer, loss_scale
from seq2seq.training.loss_scale import INITIAL, LossScale
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.optimizer_state import optimizer_of
from seq2seq.training.step import UpdateStep

CPU = torch.device("cpu")
OPTIMIZERS = [Adam(), AdamW(), Adadelta(), Adagrad(), SGD(), SGD(momentum=0.9), Muon(rows=4)]
pytestmark = needs_float16


def half(**changes: Any):
    return training(precision=Precision.float16, **changes)


def overflowing(updates: set[int], everywhere: bool = True) -> Network:
    """A network with infinite gradients in these updates (from 1), in all processes or in the first only."""
    network, count = tiny_network(), [0]

    def damage(gradient: torch.Tensor) -> torch.Tensor:
        count[0] += 1
        return gradient * math.inf if count[0] in updates and (everywhere or is_first()) else gradient

    network.output.bias.register_hook(damage)
    return network


def updated(one: Trainer, times: int) -> list[float]:
    """Compute some updates manually and return their gradient norms."""
    norms: list[torch.Tensor] = []

    class Norms:
        def add(self, cross_entropy: torch.Tensor, norm: torch.Tensor) -> None:
            norms.append(norm)

    batches = one._batches()
    for _ in range(times):
        one._update(batches, Norms())
    return [float(norm) for norm in norms]


def state_of(one: Trainer) -> dict[str, Any]:
    return copy.deepcopy({"weights": weights(one.network), "optimizer": one.optimizer.state_dict()["state"]})


def flat(state: Any, prefix: str = "") -> dict[str, Any]:
    """Flatten a nested dictionary; zeros are omitted because initial states are zero."""
    if not isinstance(state, dict):
        return {prefix: state} if state.any() else {}
    return {name: value for key, one in state.items() for name, value in flat(one, f"{prefix}/{key}").items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("place", [1, 3])
def test_an_overflow_skips_one_update_and_halves_the_scale(tmp_path, optimizer, place):
    one = trainer(tmp_path, half(), network=overflowing({place}), optimizer=optimizer)
    updated(one, place - 1)
    before = state_of(one)
    assert updated(one, 1) == [0.0]
    assert float(one.step.loss_scale.scale) == INITIAL / 2
    assert same(flat(state_of(one)), flat(before)), "weights, means and counts of steps"
    [norm] = updated(one, 1)
    assert 0 < norm < math.inf
    assert float(one.step.loss_scale.scale) == INITIAL / 2
    assert not same(weights(one.network), before["weights"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda one: type(one).__name__)
def test_a_scaled_loss_changes_no_bit(tmp_path, optimizer):
    """float32 is exact here: gradients are unscaled before measuring, clipping and use."""
    plain, scaled = (
        trainer(tmp_path, training(clip=0.1, accumulate=2), network=tiny_network(), optimizer=optimizer)
        for _ in range(2)
    )
    scaled.step.loss_scale = LossScale(True, CPU)
    assert updated(plain, 3) == updated(scaled, 3)
    assert same(weights(plain.network), weights(scaled.network))
    assert same(flat(state_of(plain)), flat(state_of(scaled)))


def test_gradients_match_float32_only_with_the_scale():
    def gradients(precision: Precision, scale: LossScale, weight: float) -> torch.Tensor:
        network = tiny_network().train()
        objective = TeacherForcing(0.1, precision)
        tokens = int(sum(batch.labels_P.numel() for batch in SEVEN_BATCHES) / weight)
        optimizer = optimizer_of(network, SGD())
        UpdateStep(network, objective, optimizer, scale, clip=None, seed=3).backward(SEVEN_BATCHES, tokens, 1)
        scale.unscale(network.parameters())
        return torch.cat([parameter.grad.flatten() for parameter in network.parameters()]) / weight

    weight = 1e-4  # as in an update of a million tokens
    exact = gradients(Precision.float32, LossScale(False, CPU), 1.0)
    scaled = gradients(Precision.float16, LossScale(True, CPU), weight)
    unscaled = gradients(Precision.float16, LossScale(False, CPU), weight)
    assert (scaled - exact).norm() < 0.003 * exact.norm()
    assert (unscaled - exact).norm() > 0.03 * exact.norm()


def test_the_scale_grows_after_a_streak_and_stays_within_its_limits(monkeypatch):
    monkeypatch.setattr(loss_scale, "GROWTH_INTERVAL", 3)
    weight = torch.nn.Parameter(torch.zeros(()))
    optimizer, scale = torch.optim.SGD([weight], 1.0), LossScale(True, CPU)

    def step(norm: float) -> float:
        scale.step(optimizer, torch.tensor(norm))
        return float(scale.scale) / INITIAL

    assert [step(norm) for norm in (1.0, 1.0, 1.0, 1.0, 1.0, math.nan, 1.0, 1.0, 1.0)] == [
        1, 1, 2, 2, 2, 1, 1, 1, 2,
    ]  # fmt: skip
    for _ in range(99):
        largest = step(1.0)
    for _ in range(99):
        smallest = step(math.inf)
    assert (largest * INITIAL, smallest * INITIAL) == (loss_scale.HIGHEST, loss_scale.LOWEST)


def test_training_in_float16_learns_as_in_float32(tmp_path):
    losses = {}
    for precision in (Precision.float32, Precision.float16):
        config, optimizer = training(updates=30, validate_every=30, precision=precision), Adam(learning_rate=0.02)
        network = tiny_network(0.0) if precision is Precision.float32 else overflowing({1, 2})
        progress = trainer(tmp_path / precision, config, network=network, optimizer=optimizer).fit()
        losses[precision] = progress.validations[-1].loss
    assert losses[Precision.float16] < 2.0
    assert losses[Precision.float16] == pytest.approx(losses[Precision.float32], abs=0.3)


def test_products_are_float16_and_the_record_has_the_scale(tmp_path):
    network, kinds = overflowing({2}), []
    network.output.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    trainer(tmp_path, half(updates=2, log_every=2), network=network, validate=Scripted([1.0])).fit()
    assert kinds == [torch.float16] * 2
    assert all(parameter.dtype is torch.float32 for parameter in network.parameters())
    [record] = [record for record in metrics(tmp_path) if record["kind"] == "train"]
    assert (record["loss_scale"], record["gradient_norm"]) == (INITIAL / 2, 0.0)
    assert math.isfinite(record["loss"])


def test_the_moving_average_stays_finite(tmp_path):
    one = trainer(tmp_path, half(ema=0.9), network=overflowing({1, 2}))
    before = weights(one.network)
    updated(one, 2)
    assert all(map(torch.equal, one.average.weights, before.values())), "weights and average are unchanged"
    updated(one, 1)
    assert all(bool(tensor.isfinite().all()) for tensor in one.average.weights)
    assert not all(map(torch.equal, one.average.weights, before.values()))


# Divergence


def test_overflow_at_the_lowest_scale_is_divergence(tmp_path):
    one = trainer(tmp_path, half(updates=99, log_every=1), network=overflowing(set(range(4, 99))))
    with pytest.raises(
        RunError, match=r"^update 20: loss [\d.]+, gradient norm (inf|nan): training has diverged; .*=flo"
    ):
        one.fit()  # three updates, sixteen that halve the scale to 1, and one more
    assert float(one.step.loss_scale.scale) == 1.0
    assert all(bool(weight.isfinite().all()) for weight in weights(one.network).values())
    trained = [record for record in metrics(tmp_path) if record["kind"] == "train"]
    assert all(math.isfinite(record["gradient_norm"]) for record in trained)


def test_a_loss_that_is_not_finite_is_divergence_at_any_scale(tmp_path):
    network = tiny_network()
    network.output.register_forward_hook(lambda module, inputs, output: output * math.nan)
    with pytest.raises(RunError, match=r"^update 1: loss nan"):
        trainer(tmp_path, half(updates=9, log_every=1), network=network).fit()


# Resuming


def crash() -> None:
    raise ConnectionError("the machine went away")


@pytest.mark.parametrize(
    "optimizer",
    [
        Adam(learning_rate=0.01),
        *(pytest.param(each, marks=pytest.mark.slow) for each in (Muon(rows=4), SGD(momentum=0.9))),
    ],
    ids=str,
)
def test_a_run_resumed_within_a_streak_has_the_same_bits(tmp_path, monkeypatch, optimizer):
    monkeypatch.setattr(loss_scale, "GROWTH_INTERVAL", 6)
    config = half(updates=14, ema=0.9, log_every=2)  # validated and saved after 4, 8 and 12
    whole = trainer(tmp_path / "whole", config, network=overflowing({2, 9}), optimizer=optimizer)
    whole.fit()
    stream = Stream(SEVEN_BATCHES, lambda place: crash() if place == StreamPosition(1, 3) else None)  # update 11
    with pytest.raises(ConnectionError):
        trainer(tmp_path / "cut", config, network=overflowing({2, 9}), stream=stream, optimizer=optimizer).fit()
    kept = torch.load(tmp_path / "cut/checkpoints/last.pt", weights_only=True)["loss_scale"]
    assert kept == {"scale": INITIAL, "streak": 0}, "halved after 2, doubled after 8"
    previous = torch.load(tmp_path / "cut/checkpoints/previous.pt", weights_only=True)["loss_scale"]
    assert previous == {"scale": INITIAL / 2, "streak": 2}
    (tmp_path / "cut/checkpoints/last.pt").unlink()  # it resumes after 4, with a streak of two
    again = trainer(tmp_path / "cut", config, network=overflowing({9 - 4}), optimizer=optimizer)
    torch.manual_seed(99)
    again.fit()
    assert again.step.loss_scale.state_dict() == whole.step.loss_scale.state_dict()
    assert same(weights(again.network), weights(whole.network))
    assert all(map(torch.equal, again.average.weights, whole.average.weights))
    assert metrics(tmp_path / "cut") == metrics(tmp_path / "whole")


@pytest.mark.parametrize("before", [Precision.float32, Precision.float16])
def test_a_training_state_without_a_scale_starts_with_the_initial_scale(tmp_path, before):
    spoilt = {1} if before is Precision.float16 else set()
    trainer(tmp_path, training(updates=4, precision=before), network=overflowing(spoilt)).fit()
    path = tmp_path / "checkpoints/last.pt"
    state = torch.load(path, weights_only=True)
    assert ("loss_scale" in state) is (before is Precision.float16)
    state.pop("loss_scale", None)
    state["progress"]["window"].pop("loss_scale")  # older versions lack this too
    torch.save(state, path)
    one = trainer(tmp_path, half(updates=8))
    assert (float(one.step.loss_scale.scale), one.progress.update) == (INITIAL, 4)
    assert one.fit().update == 8


def test_a_run_in_float16_resumes_in_float32(tmp_path):
    trainer(tmp_path, half(updates=4)).fit()
    assert trainer(tmp_path, training(updates=8)).fit().update == 8
    assert "loss_scale" not in torch.load(tmp_path / "checkpoints/last.pt", weights_only=True)


@pytest.mark.parametrize(
    "state",
    [{}, [], {"scale": 3.0, "streak": 0}, {"scale": math.nan, "streak": 0}, {"scale": 0.5, "streak": 0},
     {"scale": 2.0**30, "streak": 0}, {"scale": "1", "streak": 0}, {"scale": 2.0, "streak": -1},
     {"scale": 2.0, "streak": 2000}, {"scale": 2.0, "streak": 1.0}, {"scale": 2.0}],
)  # fmt: skip
def test_an_invalid_scale_is_refused_in_one_line(tmp_path, state):
    trainer(tmp_path, half(updates=1)).fit()
    path = tmp_path / "checkpoints/last.pt"
    torch.save(torch.load(path, weights_only=True) | {"loss_scale": state}, path)
    with pytest.raises(RunError, match="is damaged"):
        trainer(tmp_path, half(updates=2))


# Several processes


def shared_run(folder: Path) -> dict[str, torch.Tensor]:
    """Train in float16 with an overflow in the first process only."""
    network = overflowing({3}, everywhere=False)
    one = trainer(
        folder, half(updates=5), network=network, stream=Shared(Stream(SEVEN_BATCHES)), validate=held_out_loss
    )
    one.fit()
    return {**weights(network), "scale": one.step.loss_scale.scale}


@pytest.mark.ci
def test_all_processes_skip_the_same_update(tmp_path):
    first, second = results(together(tmp_path / "out", shared_run, tmp_path / "run"))
    assert same(first, second)
    assert float(first["scale"]) == INITIAL / 2

"""One update, by one process or several: gradients, runs, metrics."""

import math
import os
import signal
from pathlib import Path

import pytest
import torch
from abilities import needs_float16
from hypothesis import given
from hypothesis import strategies as st
from reversal import (
    SEVEN_BATCHES,
    Shared,
    Stream,
    Weights,
    close,
    held_out_loss,
    metrics,
    same,
    tiny_network,
    trainer,
    training,
    weights,
)
from together import results, together

from seq2seq.data.batch import Batch
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.errors import RunError
from seq2seq.model import Network
from seq2seq.system.precision import Precision
from seq2seq.system.processes import in_group, is_first, rank, world_size
from seq2seq.training import SGD, Validation
from seq2seq.training.config import RiskConfig, ScheduledSamplingConfig
from seq2seq.training.consistency import Consistency, SimCut
from seq2seq.training.interrupt import Interrupted
from seq2seq.training.loss import Objective
from seq2seq.training.loss_scale import LossScale
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.optimizer_state import optimizer_of
from seq2seq.training.risk import Candidate, RiskTraining
from seq2seq.training.scheduled_sampling import ScheduledSampling
from seq2seq.training.step import MetricSums, UpdateStep, batch_seed

F32 = Precision.float32
BATCHES = 4  # of an update, for any number of processes


def draw(network: Network, batch: Batch) -> list[list[Candidate]]:
    """Random candidates in place of samples from the network."""
    tokens = torch.randint(4, 9, (len(batch.source_BS), 3, 2)).tolist()
    return [[Candidate((*one, 2), sum(one) / 20) for one in drawn] for drawn in tokens]


def objectives(precision: Precision) -> dict[str, Objective]:
    plain = TeacherForcing(0.1, precision)
    return {
        "plain": plain,
        "consistency": Consistency(2.0, 0.1, precision),
        "simcut": SimCut(2.0, 0.2, 0.1, precision),
        "scheduled sampling": ScheduledSampling(plain, ScheduledSamplingConfig(rate=0.5), 1, precision),
        "risk": RiskTraining(plain, RiskConfig(weight=0.5), draw, precision),
        "risk alone": RiskTraining(plain, RiskConfig(weight=1.0), draw, precision),
    }


def gradients(precision: Precision = F32, scale: float = 1.0) -> dict[str, tuple[float, Weights]]:
    """Return cross entropy and gradients of every objective over the first batches."""
    result = {}
    for name, objective in objectives(precision).items():
        network = tiny_network().train()
        network.output.bias.requires_grad = False  # untrained parameters are allowed
        own = SEVEN_BATCHES[rank() : BATCHES : world_size()]
        tokens = sum(batch.labels_P.numel() for batch in SEVEN_BATCHES[:BATCHES])
        loss_scale = LossScale(False, torch.device("cpu"))
        loss_scale.scale.fill_(scale)
        step = UpdateStep(network, objective, optimizer_of(network, SGD()), loss_scale, clip=None, seed=3)
        for update in (7, 8):  # two, because the first may leave state
            network.zero_grad()
            cross_entropy = float(step.backward(own, tokens, update))
        parameters = dict(network.named_parameters())
        result[name] = (cross_entropy, {n: p.grad.clone() for n, p in parameters.items() if p.grad is not None})
    return result


def test_gradients_of_every_objective_are_those_of_one_process(tmp_path):
    """With dropout and all other random numbers."""
    alone = gradients()
    for actual in results(together(tmp_path, gradients)):
        for name, (cross_entropy, expected) in alone.items():
            assert actual[name][0] == pytest.approx(cross_entropy, rel=1e-6)
            assert expected.keys() == actual[name][1].keys()
            largest = max(float(gradient.abs().max()) for gradient in expected.values())
            assert largest > 1e-5
            assert close(actual[name][1], expected, 1e-5 * largest), name
    assert not close(alone["plain"][1], alone["consistency"][1], 1e-4)


@needs_float16
def test_every_objective_has_the_gradients_of_float32_in_float16():
    scale, exact = 2.0**16, gradients()
    for name, (cross_entropy, result) in gradients(Precision.float16, scale).items():
        assert cross_entropy == pytest.approx(exact[name][0], rel=1e-3)
        whole, half = (torch.cat([one[key].flatten() for key in result]) for one in (exact[name][1], result))
        assert (half / scale - whole).norm() < 0.01 * whole.norm(), name


def test_random_numbers_depend_on_the_batch_position_and_not_on_the_process():
    seeds = {batch_seed(1, update, batch) % 2**32 for update in range(1, 2001) for batch in range(64)}
    assert len(seeds) == 2000 * 64, "the generator takes 32 bits"
    assert batch_seed(2, 5, 0) == 2 * 1_000_003 + 5, "as in earlier versions"


def weights_at_the_end(saved: Weights) -> Weights:
    """Return the records without values that depend on interruptions."""
    return {name: tensor for name, tensor in saved.items() if name != "validated"}


def run(folder: Path, updates: int, accumulate: int, before=None, patience: int | None = None) -> Weights:
    """Train with dropout and a moving average, and return the final weights."""
    reported = []

    def validate(network: Network, update: int) -> Validation:
        reported.append(update)
        outcome = held_out_loss(network, update)
        return outcome if patience is None else outcome._replace(loss=float(update))  # rising losses

    config = training(updates=updates, accumulate=accumulate, ema=0.9, patience=patience)
    stream, network = Stream(SEVEN_BATCHES, before or (lambda place: None)), tiny_network()
    one = trainer(folder, config, network=network, stream=Shared(stream), validate=validate)
    with in_group():
        one.fit()
    return {**weights(network), "place": torch.tensor(one.progress.place), "validated": torch.tensor(reported)}


def test_two_processes_equal_one_with_accumulation(tmp_path):
    alone, both = tmp_path / "alone", tmp_path / "both"
    expected = run(alone, 10, 2)
    first, second = results(together(tmp_path / "out", run, both, 10, 1))
    assert same(first, second), "all have the same weights, position and validations"
    assert close(first, expected, 1e-6)
    for one, other in zip(metrics(both), metrics(alone), strict=True):
        assert one.pop("kind") == other.pop("kind")
        assert one == pytest.approx(other, rel=1e-5)
    assert len(list((both / "tensorboard").iterdir())) == 1, "only the first process writes"


def vanish(folder: Path, last: StreamPosition) -> None:
    """A process that exits at a position of the stream."""

    def before(place: StreamPosition) -> None:
        if place == last and not is_first():
            os.kill(os.getpid(), signal.SIGKILL)

    run(folder, 10, 1, before)


@pytest.mark.ci
def test_a_lost_process_ends_the_run_which_resumes_with_fewer(tmp_path):
    expected = run(tmp_path / "whole", 10, 2)
    first, second = together(tmp_path / "out", vanish, tmp_path / "run", StreamPosition(1, 6))
    assert (first.code, second.code) == (70, -signal.SIGKILL)
    assert "LostProcessError: process 1 of 2: another process has ended" in first.err
    actual = run(tmp_path / "run", 10, 2)
    assert actual["validated"].tolist() == [8, 10, 10], "two processes up to update 4, then one; the last of an average"
    assert close(weights_at_the_end(actual), expected, 1e-6)


def terminated(folder: Path) -> tuple[str, int]:
    """Only the second process receives a signal."""

    def before(place: StreamPosition) -> None:
        if place == StreamPosition(0, 4) and not is_first():
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted) as raised:
        run(folder, 10, 1, before)
    return str(raised.value), raised.value.exit_code


@pytest.mark.ci
def test_a_signal_to_one_process_stops_all_after_the_same_update(tmp_path):
    stopped = results(together(tmp_path / "out", terminated, tmp_path / "run"))
    message = "stopped at update 3 and saved; rerun the same command to resume"
    message += " (there is no model before the first validation, at update 4)"
    assert stopped == [(message, 128 + signal.SIGTERM)] * 2
    expected = run(tmp_path / "whole", 10, 2)
    actual = results(together(tmp_path / "out", run, tmp_path / "run", 10, 1))
    assert all(close(weights_at_the_end(one), expected, 1e-6) for one in actual)


def test_patience_ends_in_all_processes_at_once(tmp_path):
    for result in results(together(tmp_path / "out", run, tmp_path / "run", 99, 1, None, 1)):
        assert result["validated"].tolist()[:2] == [4, 8]
        assert result["place"].tolist() == [2, 2], "16 batches, with seven per epoch"


CPU = torch.device("cpu")


def scalar(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float32)


def sums_of(*updates: tuple[float, float], before: float = 0.0) -> MetricSums:
    sums = MetricSums(before, CPU)
    for cross_entropy, norm in updates:
        sums.add(scalar(cross_entropy), scalar(norm))
    return sums


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=20), st.data())
def test_the_sum_does_not_depend_on_when_it_is_read(values, data):
    expected = 0.0
    for value in values:
        expected += value
    cut = data.draw(st.integers(1, len(values)))
    total = sums_of(*((value, 1.0) for value in values[:cut])).read(range(1, cut + 1), 10)[0]
    if cut < len(values):
        rest = sums_of(*((value, 1.0) for value in values[cut:]), before=total)
        total = rest.read(range(cut + 1, len(values) + 1), 10)[0]
    assert total == expected


def test_the_norm_is_of_the_last_update():
    sums = sums_of((1.0, 5.0), (2.0, 0.1))
    assert sums.read(range(1, 3), 10) == (3.0, float(scalar(0.1)))


def test_added_tensors_may_be_overwritten():
    cross_entropy, sums = scalar(2.0), MetricSums(0.0, CPU)
    sums.add(cross_entropy, scalar(1.0))
    cross_entropy.zero_()
    assert sums.read(range(1, 2), 10)[0] == 2.0


@pytest.mark.parametrize("spoilt", [math.nan, math.inf])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("part", [0, 1])
def test_one_nan_is_detected_among_finite_numbers(spoilt, place, part):
    updates = [[30.0, 1.0], [30.0, 1.0], [30.0, 1.0]]
    updates[place][part] = spoilt
    with pytest.raises(RunError) as raised:
        sums_of(*updates).read(range(51, 54), 10)
    message = str(raised.value)
    assert message.startswith("updates 51 to 53: loss ")
    assert f"{spoilt:g}" in message
    assert "try a lower optimizer.learning_rate" in message
    assert "\n" not in message


def test_a_divergence_message_of_one_update_names_it():
    with pytest.raises(RunError, match=r"^update 7: loss nan, gradient norm 1: training has diverged; try"):
        sums_of((math.nan, 1.0)).read(range(7, 8), 10)

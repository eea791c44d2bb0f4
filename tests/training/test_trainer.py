import json
import math
import os
import signal
import threading
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from abilities import needs_bfloat16
from reversal import (
    SEVEN_BATCHES,
    Scripted,
    Stream,
    close,
    held_out_loss,
    metrics,
    reversal_batch,
    same,
    sources,
    tiny_network,
    trainer,
    training,
    weights,
)
from torch.utils._python_dispatch import TorchDispatchMode

from seq2seq.data.batch import Batch
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.data.prefetch import prefetch
from seq2seq.errors import RunError
from seq2seq.model.weights import load_weights
from seq2seq.system.precision import Precision
from seq2seq.training import SGD, Adam, Cosine, Plateau, Validation
from seq2seq.training import trainer as trainer_module
from seq2seq.training.config import Average, Criterion
from seq2seq.training.interrupt import Interrupted
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.step import UpdateStep

NEVER = 10**6


def best_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_weights(folder / "model.safetensors")


def kept(folder: Path) -> list[int]:
    """Return the updates whose weights the last state needs, and assert that they exist."""
    asked_for = torch.load(folder / "checkpoints/last.pt", weights_only=True)["kept"]
    assert {int(path.stem[-7:]) for path in (folder / "checkpoints").glob("update-*")} >= set(asked_for)
    return asked_for


# Learning


def test_training_lowers_the_loss(tmp_path):
    config, optimizer = training(updates=60, validate_every=30), Adam(learning_rate=0.02)
    progress = trainer(tmp_path, config, network=tiny_network(0.0), optimizer=optimizer).fit()
    first, last = (record["loss"] for record in metrics(tmp_path) if record["kind"] == "validation")
    assert held_out_loss(tiny_network().eval(), 0).loss > 2.1  # nine tokens: guessing costs 2.2
    assert last < first < 2.0
    assert last < 1.4
    assert progress.update == 60


def test_metrics_contain_the_mean_loss_of_their_window(tmp_path, monkeypatch):
    seen = []
    one = trainer(tmp_path, training(updates=4, log_every=2, clip=None), network=tiny_network(0.0), optimizer=SGD())
    update = UpdateStep.__call__
    monkeypatch.setattr(UpdateStep, "__call__", lambda *arguments: seen.append(update(*arguments)) or seen[-1])
    one.fit()
    records = [record for record in metrics(tmp_path) if record["kind"] == "train"]
    assert [record["update"] for record in records] == [2, 4]
    for record, window in zip(records, (seen[:2], seen[2:]), strict=True):
        total, tokens = sum(float(loss) for _, loss, _ in window), sum(count for count, _, _ in window)
        assert record["loss"] == total / tokens
        assert record["gradient_norm"] == float(window[-1][2])
        assert record["learning_rate"] == 1.0
        assert record["epoch"] == 0


@pytest.mark.parametrize(
    ("changes", "losses", "updates"),
    [
        ({"updates": 12}, None, [5, 10, 12]),
        ({"updates": 10}, None, [5, 10]),
        ({"updates": 3}, None, [3]),
        ({"updates": 30, "patience": 1}, [1.0, 2.0, 3.0], [5, 8]),
    ],
)
def test_the_last_partial_window_is_recorded(tmp_path, monkeypatch, changes, losses, updates):
    seen = []
    config = training(**changes, average=Average.none, clip=None)
    one = trainer(tmp_path, config, validate=Scripted(losses) if losses else held_out_loss)
    update = UpdateStep.__call__
    monkeypatch.setattr(UpdateStep, "__call__", lambda *arguments: seen.append(update(*arguments)) or seen[-1])
    one.fit()
    records = [record for record in metrics(tmp_path) if record["kind"] == "train"]
    assert [record["update"] for record in records] == updates
    window = seen[updates[-2] if len(updates) > 1 else 0 :]
    assert len(window) == updates[-1] - (updates[-2] if len(updates) > 1 else 0)
    assert records[-1]["loss"] == sum(float(loss) for _, loss, _ in window) / sum(count for count, _, _ in window)
    before = metrics(tmp_path)
    trainer(tmp_path, config, validate=Scripted([9.0])).fit()
    assert metrics(tmp_path) == before, "a finished run adds no records"


def test_an_extended_run_removes_the_record_of_the_partial_window(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    trainer(whole, training(updates=14, validate_every=2, average=Average.none)).fit()
    for updates in (6, 8, 14):
        trainer(parts, training(updates=updates, validate_every=2, average=Average.none)).fit()
        assert metrics(parts)[-1]["update"] == updates
        assert metrics(parts)[-1]["kind"] == "train"
    assert metrics(parts) == metrics(whole)
    assert [record["update"] for record in metrics(parts) if record["kind"] == "train"] == [5, 10, 14]


def test_the_schedule_sets_the_learning_rate(tmp_path):
    config, optimizer = training(updates=4, log_every=1), SGD(learning_rate=0.5)
    trainer(tmp_path, config, optimizer=optimizer, schedule=Cosine(warmup=2)).fit()
    rates = [record["learning_rate"] for record in metrics(tmp_path) if record["kind"] == "train"]
    assert rates == pytest.approx([0.25, 0.5, 0.25, 0.0])


def test_validations_reach_the_schedule(tmp_path):
    config = training(updates=4, log_every=1, validate_every=1, average=Average.none)
    trainer(tmp_path, config, validate=Scripted([1.0, 2.0, 0.5, 3.0]), schedule=Plateau(decay=0.1)).fit()
    rates = [record["learning_rate"] for record in metrics(tmp_path) if record["kind"] == "train"]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_dropout_is_off_in_validation_and_on_in_training(tmp_path):
    network, modes = tiny_network(), []
    network.output.register_forward_hook(lambda module, inputs, output: modes.append(module.training))
    trainer(tmp_path, training(updates=2, validate_every=1, average=Average.none), network=network).fit()
    assert modes == [True, False, True, False]


@pytest.mark.parametrize(
    ("precision", "kind"),
    [
        (Precision.float32, torch.float32),
        pytest.param(Precision.bfloat16, torch.bfloat16, marks=needs_bfloat16),
    ],
)
def test_products_are_computed_in_the_configured_precision(tmp_path, precision, kind):
    network, kinds = tiny_network(), []
    network.output.register_forward_hook(lambda module, inputs, output: kinds.append(output.dtype))
    one = trainer(tmp_path, training(updates=1, precision=precision), network=network, validate=Scripted([1.0]))
    one.fit()
    assert kinds == [kind]
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())


# Gradients


def one_step(folder: Path, batches: list[Batch], clip: float | None = None) -> dict[str, torch.Tensor]:
    """Return the weights after one plain step over all batches at learning rate 1."""
    config = training(updates=1, accumulate=len(batches), clip=clip, log_every=1)
    network = tiny_network(dropout=0.0)
    trainer(folder, config, network=network, stream=Stream(batches), optimizer=SGD(learning_rate=1.0)).fit()
    return weights(network)


def padded(batch: Batch, more: int) -> Batch:
    """Return the same sentences with more padding on the right of both sides."""
    source_BS, lengths_B, target_BT, positions_P, labels_P = batch
    width = target_BT.size(1)
    rows, columns = positions_P // width, positions_P % width
    grow = torch.nn.functional.pad
    return Batch(
        grow(source_BS, (0, more), value=3), lengths_B, grow(target_BT, (0, more), value=3),
        rows * (width + more) + columns, labels_P,
    )  # fmt: skip


def test_accumulated_batches_equal_one_batch(tmp_path):
    rows = sorted(sources(14, 1), key=len)
    whole = one_step(tmp_path / "whole", [reversal_batch(rows)])
    parts = one_step(tmp_path / "parts", [reversal_batch(rows[:9]), reversal_batch(rows[9:])])
    assert not close(weights(tiny_network()), whole, 1e-3)  # the step changes the weights
    assert close(whole, parts)


def test_padding_changes_no_gradient(tmp_path):
    batch = reversal_batch(sources(8, 2))
    assert close(one_step(tmp_path / "bare", [batch]), one_step(tmp_path / "padded", [padded(batch, 5)]))


@pytest.mark.parametrize(("clip", "length"), [(0.01, 0.01), (None, None), (1e6, None)])
def test_clipping_limits_the_step_and_the_log_has_the_norm_before_clipping(tmp_path, clip, length):
    before = weights(tiny_network())
    after = one_step(tmp_path, SEVEN_BATCHES[:1], clip)
    step = math.sqrt(sum(float((after[name] - before[name]).double().square().sum()) for name in before))
    norm = next(record["gradient_norm"] for record in metrics(tmp_path) if record["kind"] == "train")
    assert norm > 0.1
    assert step == pytest.approx(norm if length is None else length, rel=1e-3)


def spoilt_at(place: StreamPosition, factor: float, before=lambda: None) -> dict[str, object]:
    """Return a network whose logits are multiplied by ``factor`` from a stream position on, and that stream."""
    network, factors = tiny_network(), [1.0]
    network.output.register_forward_hook(lambda module, inputs, output: output * factors[0])

    def damage() -> None:
        before()
        factors[0] = factor

    return {"network": network, "stream": at(place, damage)}


@pytest.mark.parametrize("spoilt", [math.nan, math.inf])
def test_a_nan_loss_stops_the_run_and_does_not_change_its_files(tmp_path, spoilt):
    files = []

    def remember() -> None:
        files.extend((path, path.read_bytes()) for path in tmp_path.rglob("*") if path.suffix in WRITTEN)

    one = trainer(tmp_path, training(updates=20, log_every=6), **spoilt_at(StreamPosition(0, 4), spoilt, remember))
    with pytest.raises(RunError, match=r"^updates 5 to 6: loss (nan|inf).*lower optimizer\.learning_rate") as raised:
        one.fit()
    assert "\n" not in str(raised.value)
    assert sorted(path.name for path, _ in files) == [
        "last.pt", "metrics.jsonl", "model.safetensors", "update-0000004.safetensors"
    ]  # fmt: skip
    assert all(path.read_bytes() == content for path, content in files)


WRITTEN = {".pt", ".safetensors", ".jsonl"}


@pytest.mark.parametrize(
    ("changes", "place", "window"),
    [
        ({"log_every": 3}, StreamPosition(0, 1), "updates 1 to 3"),
        ({"log_every": 3}, StreamPosition(0, 2), "updates 1 to 3"),
        ({"log_every": 3}, StreamPosition(0, 3), "update 4"),  # update 4 is validated
        ({"log_every": 100}, StreamPosition(0, 4), "updates 5 to 8"),
        ({"log_every": 100, "validate_every": 100, "updates": 7}, StreamPosition(0, 6), "updates 1 to 7"),
    ],
)
def test_divergence_is_detected_before_recording_validating_or_ending(tmp_path, changes, place, window):
    with pytest.raises(RunError, match=f"^{window}: loss nan"):
        trainer(tmp_path, training(**{"updates": 20, **changes}), **spoilt_at(place, math.nan)).fit()
    assert all(math.isfinite(record["loss"]) for record in metrics(tmp_path))


def test_divergence_is_detected_before_a_signal_saves(tmp_path):
    one = trainer(tmp_path, training(updates=9, log_every=9), **spoilt_at(StreamPosition(0, 2), math.nan, terminate))
    with pytest.raises(RunError, match=r"^updates 1 to 3: loss nan"):
        one.fit()
    assert not (tmp_path / "checkpoints").exists()


def test_a_nan_gradient_stops_the_run_with_clipping_too(tmp_path):
    """Clipping turns finite gradients with an infinite norm into zeros, so later checks cannot detect them."""
    network, scale = tiny_network(), iter([1e30, 1e30, 1.0, 1.0, 1.0])
    network.output.weight.register_hook(lambda gradient: gradient * next(scale))
    with pytest.raises(RunError, match=r"updates 1 to 4: loss [\d.]+, gradient norm inf"):
        trainer(tmp_path, training(updates=9), network=network).fit()
    assert not (tmp_path / "checkpoints").exists()


# Synchronization with the device


class Looks(TorchDispatchMode):
    """Counts how often a number is read from a tensor; each read synchronizes with a GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        self.count += operation is torch.ops.aten._local_scalar_dense.default
        return operation(*args, **(kwargs or {}))


def looks(folder: Path, updates: int) -> int:
    config = training(updates=updates, log_every=NEVER, validate_every=NEVER, accumulate=2)
    one = trainer(folder, config, validate=Scripted([1.0]))
    with Looks() as counted:
        one.fit()
    return counted.count


def test_an_update_reads_no_number_from_the_device(tmp_path):
    with Looks() as counted:
        float(torch.ones(()))
    assert counted.count == 1
    assert looks(tmp_path / "many", 12) == looks(tmp_path / "few", 2)


def test_the_speed_excludes_validations(tmp_path, monkeypatch):
    """With a clock that an update advances by a second and a validation by an hour."""
    clock = [0.0]
    monkeypatch.setattr(trainer_module, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    one = trainer(tmp_path, training(updates=8, log_every=8, validate_every=4))
    validate, update = one.validate, one._update

    def slow_validate(network, number):
        clock[0] += 3600
        return validate(network, number)

    def slow_update(batches, tally):
        clock[0] += 1
        return update(batches, tally)

    one.validate, one._update = slow_validate, slow_update
    one.fit()
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    [record] = [json.loads(line) for line in lines if '"train"' in line]
    tokens = sum(batch.labels_P.numel() for batch in [*SEVEN_BATCHES, SEVEN_BATCHES[0]])
    assert record["tokens_per_second"] == tokens / 8


# Resuming


LONG = training(updates=14, accumulate=2)  # validated at 4, 8, 12 and 14; recorded at 5 and 10


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The folder and final weights of an uninterrupted run."""
    folder, network = tmp_path_factory.mktemp("uninterrupted"), tiny_network()
    trainer(folder, LONG, network=network).fit()
    return folder, weights(network)


def go_on_and_compare(folder: Path, uninterrupted: tuple[Path, dict[str, torch.Tensor]]) -> None:
    """Return a new trainer, as a new process would, in another random state."""
    network = tiny_network()
    again = trainer(folder, LONG, network=network)
    torch.manual_seed(999)
    again.fit()
    whole, expected = uninterrupted
    assert same(weights(network), expected)
    assert same(best_weights(folder), best_weights(whole))
    assert metrics(folder) == metrics(whole)
    assert kept(folder) == kept(whole)
    assert not list(folder.rglob("*.tmp"))


def at(place: StreamPosition, action) -> Stream:
    def before(now: StreamPosition) -> None:
        if now == place:
            action()

    return Stream(SEVEN_BATCHES, before)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def crash() -> None:
    raise ConnectionError("the machine went away")


@pytest.mark.parametrize(
    ("place", "update"),
    [
        (StreamPosition(1, 5), 7),
        pytest.param(StreamPosition(0, 1), 1, marks=pytest.mark.slow),
        pytest.param(StreamPosition(3, 6), 14, marks=pytest.mark.slow),
    ],
)
def test_a_signal_saves_after_the_current_update_and_the_run_resumes(tmp_path, uninterrupted, place, update):
    with pytest.raises(Interrupted, match=f"stopped at update {update} and saved") as raised:
        trainer(tmp_path, LONG, stream=at(place, terminate)).fit()
    assert raised.value.exit_code == 128 + signal.SIGTERM
    assert "\n" not in str(raised.value)
    assert trainer(tmp_path, LONG).progress.update == update
    go_on_and_compare(tmp_path, uninterrupted)


@pytest.mark.parametrize("number", [2, 5, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 4))])
def test_a_signal_while_validating_loses_nothing(tmp_path, uninterrupted, number):
    """The fourth validation is of the last update, the fifth of the average."""
    calls = []

    def validate(network, update):
        calls.append(update)
        if len(calls) == number:
            os.kill(os.getpid(), signal.SIGINT)
        return held_out_loss(network, update)

    with pytest.raises(Interrupted) as raised:
        trainer(tmp_path, LONG, validate=validate).fit()
    assert raised.value.exit_code == 130
    go_on_and_compare(tmp_path, uninterrupted)


@pytest.mark.parametrize(
    "place",
    [StreamPosition(0, 3), StreamPosition(2, 4), pytest.param(StreamPosition(1, 6), marks=pytest.mark.slow)],
)
def test_a_crash_loses_only_the_updates_after_the_last_save(tmp_path, uninterrupted, place):
    with pytest.raises(ConnectionError):
        trainer(tmp_path, LONG, stream=at(place, crash)).fit()
    go_on_and_compare(tmp_path, uninterrupted)


@pytest.mark.parametrize("number", [1, 4, *(pytest.param(number, marks=pytest.mark.slow) for number in (2, 5))])
def test_a_crash_while_validating_does_no_harm(tmp_path, uninterrupted, number):
    calls = []

    def validate(network, update):
        calls.append(update)
        if len(calls) == number:
            crash()
        return held_out_loss(network, update)

    with pytest.raises(ConnectionError):
        trainer(tmp_path, LONG, validate=validate).fit()
    go_on_and_compare(tmp_path, uninterrupted)


def test_prefetching_changes_nothing_and_leaves_no_thread(tmp_path, uninterrupted):
    """With prefetching, as on a GPU: after a crash, after resuming, and at the end."""
    for stream, error in ((at(StreamPosition(1, 6), crash), ConnectionError), (Stream(SEVEN_BATCHES), None)):
        network = tiny_network()
        one = trainer(tmp_path, LONG, network=network, stream=stream)
        one._batches = partial(prefetch, one._batches())
        with pytest.raises(error) if error else nullcontext():
            one.fit()
        assert "prefetch" not in [thread.name for thread in threading.enumerate()]
    assert same(weights(network), uninterrupted[1])
    assert metrics(tmp_path) == metrics(uninterrupted[0])


def test_the_same_trainer_can_resume_after_a_signal(tmp_path, uninterrupted):
    network = tiny_network()
    stopped = trainer(tmp_path, LONG, network=network, stream=at(StreamPosition(1, 5), terminate))
    with pytest.raises(Interrupted):
        stopped.fit()
    stopped.fit()
    assert same(weights(network), uninterrupted[1])
    assert metrics(tmp_path) == metrics(uninterrupted[0])


def test_the_seed_determines_the_run(tmp_path, uninterrupted):
    network = tiny_network()
    other = trainer(tmp_path, LONG, network=network)
    other.step.seed = 4
    other.fit()
    assert not close(weights(network), uninterrupted[1], 1e-4)


def test_a_run_stopped_before_its_first_validation_is_validated_when_its_length_is_reduced(tmp_path):
    with pytest.raises(Interrupted):
        trainer(tmp_path, training(updates=9), stream=at(StreamPosition(0, 2), terminate)).fit()
    assert not (tmp_path / "model.safetensors").exists()
    network = tiny_network()
    progress = trainer(tmp_path, training(updates=3), network=network).fit()
    assert [validation.update for validation in progress.validations] == [3]
    assert same(best_weights(tmp_path), weights(network))


def test_a_state_of_another_network_or_optimizer_is_refused_in_one_line(tmp_path):
    trainer(tmp_path, training(updates=1)).fit()
    last = tmp_path / "checkpoints/last.pt"
    state = torch.load(last, weights_only=True)
    for spoilt in ([], {}, state | {"network": {}}, state | {"optimizer": {}}, state | {"progress": {"update": 3}}):
        torch.save(spoilt, last)
        with pytest.raises(RunError, match=r"last\.pt is damaged \(\w+\): delete .*checkpoints to train"):
            trainer(tmp_path, training(updates=1))


# End of training


def test_a_finished_run_is_not_changed(tmp_path):
    validate = Scripted([3.0, 2.0, 1.0])
    trainer(tmp_path, training(updates=8), validate=validate).fit()
    watched = [tmp_path / name for name in ("model.safetensors", "checkpoints/last.pt", "metrics.jsonl")]
    before = [path.read_bytes() for path in watched]
    stamp = watched[0].stat().st_mtime_ns
    progress = trainer(tmp_path, training(updates=8), validate=validate, stream=Stream([], lambda place: crash())).fit()
    assert progress.update == 8
    assert len(validate.shown) == 3
    assert [path.read_bytes() for path in watched] == before
    assert watched[0].stat().st_mtime_ns == stamp


def test_a_finished_run_resumes_when_extended(tmp_path, uninterrupted):
    trainer(tmp_path, training(updates=8, accumulate=2)).fit()
    go_on_and_compare(tmp_path, uninterrupted)


@pytest.mark.parametrize(
    ("criterion", "losses", "bleu", "best", "stopped"),
    [
        (Criterion.loss, [3.0, 2.0, 2.5, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0, 5.0], 2, 4),
        (Criterion.bleu, [5.0, 3.0, 4.0, 2.0, 1.0], [1.0, 5.0, 5.0, 4.0, 9.0], 2, 4),
        (Criterion.bleu, [5.0, 4.0, 3.0, 2.0, 1.0], [1.0, 5.0, 5.0, 4.0, 4.5], 3, 5),
        (Criterion.bleu, [1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 3.0, 2.5, 4.0], 5, 5),
    ],
)
def test_patience_stops_the_run_and_the_best_weights_are_kept(tmp_path, criterion, losses, bleu, best, stopped):
    validate = Scripted(losses, bleu)
    config = training(updates=10, validate_every=2, patience=2, criterion=criterion, average=Average.none)
    if stopped == 5:
        config.updates = 10  # patience is not exceeded: 10 updates, 5 validations
    progress = trainer(tmp_path, config, validate=validate).fit()
    assert progress.update == 2 * stopped
    assert len(validate.shown) == stopped
    assert same(best_weights(tmp_path), validate.shown[best - 1])
    assert kept(tmp_path) == [2 * best]
    # again: patience is still exceeded
    assert trainer(tmp_path, config, validate=validate).fit().update == 2 * stopped
    assert len(validate.shown) == stopped


def test_a_run_stopped_by_patience_is_averaged(tmp_path):
    validate = Scripted([3.0, 2.0, 2.5, 2.6, 1.0])
    trainer(tmp_path, training(updates=99, validate_every=1, patience=2), validate=validate).fit()
    assert close(best_weights(tmp_path), mean(validate.shown[1], validate.shown[2]))


def mean(*shown: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.stack([one[name] for one in shown]).mean(0) for name in shown[0]}


LOSSES = [2.0, 5.0, 1.0, 4.0]


@pytest.mark.parametrize(("average", "chosen"), [(Average.best, (1, 3)), (Average.last, (3, 4))])
def test_a_better_average_is_selected(tmp_path, average, chosen):
    validate, network = Scripted([*LOSSES, 0.9]), tiny_network()
    config = training(updates=8, validate_every=2, average=average)
    trainer(tmp_path, config, network=network, validate=validate).fit()
    expected = mean(*(validate.shown[number - 1] for number in chosen))
    assert close(validate.shown[4], expected)
    assert close(best_weights(tmp_path), expected)
    assert same(weights(network), validate.shown[3])  # the network keeps its last weights
    assert kept(tmp_path) == sorted({2 * number for number in (*chosen, 3)})


@pytest.mark.parametrize("average", [Average.best, Average.last])
@pytest.mark.parametrize("outcome", [1.0, 1.1, math.nan])
def test_a_worse_average_is_rejected(tmp_path, average, outcome):
    validate = Scripted([*LOSSES, outcome])
    trainer(tmp_path, training(updates=8, validate_every=2, average=average), validate=validate).fit()
    assert len(validate.shown) == 5
    assert same(best_weights(tmp_path), validate.shown[2])


@pytest.mark.parametrize("config", [training(updates=4, average=Average.none), training(updates=4, average_count=1)])
def test_without_averaging_there_is_no_further_validation(tmp_path, config):
    validate = Scripted([1.0])
    trainer(tmp_path, config, validate=validate).fit()
    assert same(best_weights(tmp_path), validate.shown[0])


@pytest.mark.parametrize("average", [Average.best, Average.last])
def test_an_average_is_kept_when_an_extension_brings_no_gain(tmp_path, average, capsys):
    """Neither the best later checkpoint (1.9) nor a worse average (0.6) replaces it."""
    validate = Scripted([3.0, 2.0, 0.5, 1.9, 5.0, 0.6])
    trainer(tmp_path, training(updates=2, validate_every=1, average=average), validate=validate).fit()
    accepted = mean(*validate.shown[:2])
    assert close(best_weights(tmp_path), accepted)
    longer = training(updates=4, validate_every=1, average=average)
    trainer(tmp_path, longer, validate=validate).fit()
    assert close(best_weights(tmp_path), accepted)
    assert "validation loss 0.600  perplexity 1.82  BLEU 0.00; model.safetensors is the average before" in (
        capsys.readouterr().err
    )
    assert set(kept(tmp_path)) >= {1, 2}
    (tmp_path / "model.safetensors").write_bytes(b"damaged")
    trainer(tmp_path, longer, validate=validate).fit()
    assert close(best_weights(tmp_path), accepted)


@pytest.mark.parametrize(("later", "chosen"), [([0.4, 5.0, 0.6], "single"), ([1.9, 5.0, 0.4], "average")])
def test_an_average_is_replaced_by_a_better_validation(tmp_path, later, chosen):
    validate = Scripted([3.0, 2.0, 0.5, *later])
    for updates in (2, 4):
        trainer(tmp_path, training(updates=updates, validate_every=1), validate=validate).fit()
    assert len(validate.shown) == 6
    if chosen == "single":
        assert same(best_weights(tmp_path), validate.shown[3])
    else:
        assert close(best_weights(tmp_path), validate.shown[5])


def test_an_average_of_one_checkpoint_is_not_validated(tmp_path, capsys):
    validate = Scripted([2.0, 1.0, 1.5])
    config = training(updates=3, validate_every=1, average=Average.last, average_count=1)
    trainer(tmp_path, config, validate=validate).fit()
    assert len(validate.shown) == 3, "its validation is known"
    assert same(best_weights(tmp_path), validate.shown[1])
    assert "last checkpoint: validation loss 1.500" in capsys.readouterr().err


def test_equal_scores_are_ranked_by_loss_with_a_note(tmp_path, capsys):
    validate = Scripted([1.211, 0.4, 0.017])
    config = training(updates=3, validate_every=1, criterion=Criterion.bleu, patience=1, average=Average.none)
    assert trainer(tmp_path, config, validate=validate).fit().update == 3
    assert same(best_weights(tmp_path), validate.shown[2])
    assert (
        capsys.readouterr().err.count("BLEU was 0.00 at all 3 validations, so the loss selected the best checkpoint")
        == 1
    )


def test_the_best_weights_are_available_during_training(tmp_path):
    validate = Scripted([2.0, 3.0])
    with pytest.raises(ConnectionError):
        trainer(tmp_path, training(updates=NEVER), validate=validate, stream=at(StreamPosition(1, 2), crash)).fit()
    assert same(best_weights(tmp_path), validate.shown[0])


def test_the_progress_bar_shows_each_validation_and_the_best(tmp_path, capsys):
    trainer(tmp_path, training(updates=8), validate=Scripted([2.0, 3.0, 4.0], [7.0, 8.0, 9.0])).fit()
    reported = capsys.readouterr().err
    assert "update      4  validation loss 2.000  perplexity 7.39  BLEU 7.00  (best)\n" in reported
    assert "update      8  validation loss 3.000  perplexity 20.09  BLEU 8.00\n" in reported
    assert "model.safetensors is the best single checkpoint" in reported


def test_adam_resumes_with_its_moments(tmp_path):
    """Without the moments, the first step after a restart would have the size of the learning rate."""
    trainer(tmp_path, training(updates=4)).fit()
    again = trainer(tmp_path, training(updates=5), optimizer=Adam(learning_rate=0.01))
    assert {int(state["step"]) for state in again.optimizer.state.values()} == {4}


def test_a_validation_is_of_the_update_it_reports(tmp_path):
    progress = trainer(tmp_path, training(updates=6)).fit()
    assert [validation.update for validation in progress.validations] == [4, 6]
    assert all(isinstance(validation, Validation) for validation in progress.validations)


def test_a_run_without_bleu_is_trained_validated_averaged_and_resumed(tmp_path, capsys):
    def validate(network, update):
        return held_out_loss(network, update)._replace(bleu=None)

    trainer(tmp_path, training(updates=4), validate=validate).fit()
    progress = trainer(tmp_path, training(updates=12), validate=validate).fit()
    assert [validation.bleu for validation in progress.validations] == [None] * 3
    assert all("bleu" not in record for record in metrics(tmp_path))
    assert "BLEU" not in capsys.readouterr().err


def test_given_initial_weights_are_used_by_a_new_run_only(tmp_path):
    begun = []

    def start(network):
        begun.append(network)
        with torch.no_grad():
            network.output.bias.fill_(7)

    network = tiny_network()
    one = trainer(tmp_path, training(updates=1, ema=0.9), network=network, start=start)
    assert begun == [network]
    assert any(torch.equal(tensor, network.output.bias) for tensor in one.average.weights)
    one.fit()
    trainer(tmp_path, training(updates=2), start=start).fit()
    assert begun == [network]


def test_an_objective_receives_the_update_and_every_accumulated_batch(tmp_path):
    reported, plain = [], TeacherForcing(0.1, Precision.float32)

    def objective(network, batch, update):
        reported.append((update, [known.labels_P is batch.labels_P for known in SEVEN_BATCHES].index(True)))
        return plain(network, batch, update)

    trainer(tmp_path, training(updates=2, accumulate=2), objective=objective).fit()
    assert reported == [(1, 0), (1, 1), (2, 2), (2, 3)]

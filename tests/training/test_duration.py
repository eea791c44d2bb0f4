"""`training.time`: a measurement becomes a number of updates, once."""

import math
import signal
from dataclasses import replace

import pytest
import torch
import yaml
from conftest import TINY
from hypothesis import example, given
from hypothesis import strategies as st
from reversal import trainer, training

from seq2seq import train
from seq2seq.config.hydra import compose_train
from seq2seq.config.recipes import TrainConfig
from seq2seq.errors import ConfigError, RunError
from seq2seq.model.weights import load_weights
from seq2seq.run.resume import write_settings
from seq2seq.training import duration
from seq2seq.training.config import TrainingConfig, seconds_allowed, seconds_of
from seq2seq.training.duration import Speed, fitted, remembered, untimed, with_updates
from seq2seq.training.interrupt import Interrupted, InterruptFlag
from seq2seq.training.schedule import Exponential, InverseSquareRoot

SETTINGS = [*(setting for setting in TINY if "updates=" not in setting), "training.samples=0", "logger=none"]
SETTINGS += ["data.builtin.validation_size=4"]


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("1m5s", 65)])
def test_a_duration_is_read(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "0s", "m", "1.5h", "30m1h", "-1m", "30 m", "1h 30m", "٣m"])
@pytest.mark.parametrize("name", ["time", "time_limit"])
def test_other_text_is_refused_in_one_line(text, name):
    with pytest.raises(ConfigError, match=rf"^training\.{name} must be a time such as 90s, 30m, 2h or 1h30m, got"):
        TrainConfig(training=TrainingConfig(**{name: text})).check()


SPEEDS = st.builds(Speed, st.floats(1e-4, 20), st.floats(1e-3, 100))


@given(SPEEDS, st.integers(30, 20_000), st.integers(1, 20_000), st.integers(1, 9000))
def test_the_updates_and_validations_fit_into_the_time(speed, seconds, updates, every):
    training = TrainingConfig(time=f"{seconds}s", updates=updates, validate_every=every)
    fit = fitted(TrainConfig(training=training), speed).training
    validations = fit.updates / fit.validate_every
    assert validations == int(validations), "the last update is validated with the others"
    assert 1 <= validations <= max(1, round(updates / every))
    if fit.validate_every > 1:
        took = speed.training(fit.updates, int(validations) + 1)
        assert took <= seconds * 1.001
        assert took + validations * speed.update >= seconds * 0.999, "no more time is left than less than a round"


@example(Speed(update=0.5, validation=74.0), 157)
@given(SPEEDS, st.integers(1, 5000))
def test_a_limit_shortens_and_never_lengthens(speed, updates):
    config = TrainConfig(training=TrainingConfig(time_limit="5m", updates=updates, validate_every=100))
    fit = fitted(config, speed)
    assert fit.training.updates <= updates
    if speed.training(updates, max(1, round(updates / 100)) + 1) <= 300:
        assert fit is config


def test_the_schedule_follows():
    config = TrainConfig(
        training=TrainingConfig(time="100s", updates=1000, validate_every=500),
        schedule=Exponential(warmup=100, start=200, end=900),
    )
    fit = fitted(config, Speed(1.0, 0.0))
    assert (fit.training.updates, fit.training.validate_every) == (100, 50)
    assert (fit.schedule.warmup, fit.schedule.start, fit.schedule.end) == (10, 20, 90)
    longer = fitted(config, Speed(0.01, 0.0))
    assert (longer.training.updates, longer.schedule.warmup, longer.schedule.end) == (10_000, 100, 9000)
    fitted(TrainConfig(training=config.training, schedule=InverseSquareRoot()), Speed(60.0, 0.0)).check()


@pytest.mark.parametrize("updates", [1, 30, 99, 5000])
@pytest.mark.parametrize("start", [0, 10, 100])
@pytest.mark.parametrize("end", [101, 900])
def test_a_decay_keeps_its_order_in_any_number_of_updates(updates, start, end):
    """From the first update on, too, and if warm-up takes as long as the updates before the decay."""
    schedule = Exponential(warmup=start, start=start, end=end)
    fit = with_updates(TrainConfig(training=TrainingConfig(updates=1000), schedule=schedule), updates, 1)
    fit.check_length(updates)
    factors = [fit.schedule.factor(update, updates, []) for update in range(1 + fit.schedule.warmup, updates + 1)]
    assert factors == sorted(factors, reverse=True)
    assert fit.schedule.start < fit.schedule.end


def measured(monkeypatch, update):
    """Let a measurement find this duration of an update, and stop the clock."""
    monkeypatch.setattr(duration, "measure_update", lambda make: (make(), make(), update)[-1])
    monkeypatch.setattr(duration, "_seconds", lambda validate: (validate(), 0.0)[-1])
    monkeypatch.setattr("seq2seq.training.trainer.seconds_allowed", lambda config, update: math.inf)


def settings_of(folder):
    return yaml.safe_load((folder / "config.yaml").read_text("utf-8"))


def weights_of(folder):
    return load_weights(folder / "model.safetensors")


@pytest.mark.parametrize("name", ["time", "time_limit"])  # experiment=auto chooses the limit
def test_a_timed_run_that_resumes_has_the_bits_of_its_number_of_updates(tmp_path, monkeypatch, name):
    measured(monkeypatch, update=5.0)
    arguments = [*SETTINGS, "training.updates=40", "training.validate_every=20", f"training.{name}=1m"]
    config = compose_train(overrides=arguments)

    def crash(validation):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        train(config, tmp_path / "timed", on_validation=crash)
    measured(monkeypatch, update=1e-3)  # the machine is faster now
    train(config, tmp_path / "timed")
    training = settings_of(tmp_path / "timed")["training"]
    assert (training["updates"], training["validate_every"], training[name]) == (12, 6, "1m")
    overrides = [f"run={tmp_path / 'plain'}", f"training.{name}=null"]
    plain = compose_train(str(tmp_path / "timed/config.yaml"), overrides)
    assert plain.training.updates == 12
    train(plain)
    timed, plain = (weights_of(tmp_path / name) for name in ("timed", "plain"))
    assert all(torch.equal(timed[name], plain[name]) for name in timed)


def timed(text="20s", **values):
    return TrainConfig(training=TrainingConfig(time=text, **values))


def test_another_time_for_a_run_is_refused(tmp_path, caplog):
    write_settings(tmp_path, timed(updates=40))
    with caplog.at_level("INFO", "seq2seq"):
        assert remembered(timed(), tmp_path) == (timed(updates=40), True)
    assert "as measured when this run began; for another number, set training.time=null" in caplog.text
    with pytest.raises(RunError, match=r"run with training\.time=20s, this command says training\.time=1m.*updates=N"):
        remembered(timed("1m"), tmp_path)


def test_what_continues_a_measured_run_with_another_number_of_updates_is_named_and_works(tmp_path, caplog):
    config = TrainConfig(
        training=TrainingConfig(time="20s", updates=1000, validate_every=100), schedule=InverseSquareRoot(warmup=100)
    )
    write_settings(tmp_path, fitted(config, Speed(1.0, 0.0)))
    with caplog.at_level("INFO", "seq2seq"):
        remembered(config, tmp_path)
    advice = "training.updates=N schedule.warmup=2 training.validate_every=2"
    assert f"training.time=null training.time_limit=null {advice}" in caplog.text
    longer = replace(config, training=replace(config.training, time=None, updates=500))
    with pytest.raises(
        RunError, match=r"follows from training\.time=20s.*schedule\.warmup=2 training\.validate_every=2 to"
    ):
        remembered(longer, tmp_path)
    named = replace(
        longer, training=replace(longer.training, validate_every=2), schedule=replace(longer.schedule, warmup=2)
    )
    assert remembered(named, tmp_path) == (named, True)


def test_a_run_that_was_stopped_before_the_measurement_measures(tmp_path):
    write_settings(tmp_path, untimed(timed()))
    assert remembered(timed(), tmp_path) == (timed(), False)
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(RunError, match=r"run with training\.time=null, this command says training\.time=20s"):
        remembered(timed(), tmp_path)


@pytest.mark.slow
def test_the_measured_number_is_reported(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(duration, "SECONDS", 0)
    monkeypatch.setattr("seq2seq.training.trainer.seconds_allowed", lambda config, update: math.inf)
    outcome = recipe("train", f"run={tmp_path / 'run'}", *SETTINGS, "training.time=2s", "batch.tokens=100")
    assert outcome.code == 0, outcome.err
    updates = settings_of(tmp_path / "run")["training"]["updates"]
    assert "training.time=2s will take about" in outcome.out
    assert f": {updates:,} updates of " in outcome.out


def test_the_clock_stops_a_late_run_and_the_same_command_ends_it(tmp_path, monkeypatch):
    config = training(updates=14, time="20s")
    late = iter([False, False, False, True])
    with monkeypatch.context() as patch:
        patch.setattr(InterruptFlag, "time_is_over", lambda flag: next(late, True))
        with pytest.raises(Interrupted, match=r"at update \d and saved: training\.time=20s is over; rerun") as error:
            trainer(tmp_path, config).fit()
    assert error.value.exit_code == 130
    assert trainer(tmp_path, config).fit().update == 14


def test_a_clock_that_has_run_out_acts_as_ctrl_c():
    assert InterruptFlag().received() is None
    assert InterruptFlag(-1).received() == signal.SIGINT


def test_a_late_run_has_a_quarter_more_time_and_a_resumed_one_the_rest():
    hour = TrainingConfig(time="1h", updates=1000)
    assert seconds_allowed(hour, 0) == 4500
    assert seconds_allowed(hour, 800) == pytest.approx(1620)
    assert seconds_allowed(TrainingConfig(time="10s"), 0) == 70, "a minute at least"
    assert seconds_allowed(TrainingConfig(), 0) == float("inf")


def test_the_warm_up_of_a_preset_fits_into_fewer_updates():
    config = compose_train("multi30k_quick", ["training.updates=50"])
    assert config.schedule.warmup == 5
    assert compose_train("multi30k_quick", ["training.updates=500"]).schedule.warmup == 100
    own = compose_train("multi30k_quick", ["training.updates=50", "schedule.warmup=60"])
    with pytest.raises(ConfigError, match=r"schedule\.warmup=60 is longer than the run"):
        own.check()

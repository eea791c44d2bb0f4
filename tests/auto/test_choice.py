"""``experiment=auto``: chosen once, kept in auto.yaml, and the command line wins."""

import math
import shutil
from dataclasses import replace

import pytest
import torch
import yaml
from conftest import KNOWN

from seq2seq import train
from seq2seq.__main__ import experiments
from seq2seq.auto.choice import BASE, automatic_settings
from seq2seq.config.hydra import compose_train
from seq2seq.config.preflight import check_command
from seq2seq.errors import ConfigError, RunError
from seq2seq.model.weights import load_weights
from seq2seq.run.resume import open_run
from seq2seq.training import duration

SMALL = ["model.embedding_size=16", "model.encoder.size=12", "model.decoder.size=24", "logger=none"]
SHORT = ["training.samples=0", "training.updates=4", "training.validate_every=2", "search.max_length_ratio=0.5"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "pairs.tsv"
    file.write_text("".join(f"{a} {b}\t{KNOWN[a]} {KNOWN[b]}\n" for a in KNOWN for b in KNOWN), "utf-8")
    return f"data.file={file}"


@pytest.fixture(scope="module")
def chosen(pairs, tmp_path_factory):
    """A run with the choices of this text; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "chosen"
    train(compose_train("auto", [pairs, *SMALL, *SHORT]), folder)
    return folder


def settings_of(folder):
    return yaml.safe_load((folder / "config.yaml").read_text("utf-8"))


def weights_of(folder):
    return load_weights(folder / "model.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_the_choices_stand_in_auto_yaml_and_config_yaml(chosen):
    file, settings = yaml.safe_load((chosen / "auto.yaml").read_text("utf-8")), settings_of(chosen)
    assert file["model"]["dropout"] == settings["model"]["dropout"] == 0.4
    assert file["tokenizer"]["size"] == settings["tokenizer"]["size"] == 2000
    assert settings["auto"] == {"choose": False, "yours": []}, "config.yaml has nothing left to choose"
    assert "embedding_size" not in file["model"], "the command line repeats it"
    assert settings["model"]["embedding_size"] == 16


def test_the_same_command_resumes_to_the_bit_and_chooses_nothing(pairs, chosen, tmp_path, monkeypatch):
    config = compose_train("auto", [pairs, *SMALL, *SHORT])

    def crash(validation):
        raise ConnectionError

    with pytest.raises(ConnectionError):
        train(config, tmp_path / "run", on_validation=crash)
    monkeypatch.setattr("seq2seq.auto.choice.read_statistics", None)  # a call would fail
    train(config, tmp_path / "run")
    assert same(weights_of(tmp_path / "run"), weights_of(chosen))
    assert (tmp_path / "run/auto.yaml").read_bytes() == (chosen / "auto.yaml").read_bytes()


@pytest.mark.slow
def test_auto_yaml_is_an_experiment_for_another_folder(pairs, chosen, tmp_path):
    config = compose_train(str(chosen / "auto.yaml"), [pairs, *SMALL, *SHORT])
    assert not config.auto.choose
    train(config, tmp_path / "run")
    assert same(weights_of(tmp_path / "run"), weights_of(chosen))


def test_auto_yaml_says_what_the_experiment_says():
    stated = yaml.safe_load(experiments()["auto"].read_text("utf-8"))
    assert {name: value for name, value in stated.items() if name != "auto"} == BASE


def completed(arguments, folder):
    """The settings with which a run in a folder would begin."""
    with automatic_settings(compose_train("auto", arguments), folder) as config:
        return config


def test_what_is_edited_before_training_counts_and_the_command_line_wins(pairs, chosen, tmp_path):
    text = (chosen / "auto.yaml").read_text("utf-8")
    text = text.replace("dropout: 0.4", "dropout: 0.35\n  recurrent_dropout: 0.2").replace("size: 1000", "size: 500")
    (tmp_path / "auto.yaml").write_text(text, "utf-8")
    arguments = [pairs, *SMALL, *SHORT, "tokenizer.size=400"]
    begun = completed(arguments, tmp_path)
    assert (begun.model.dropout, begun.model.recurrent_dropout, begun.tokenizer.size) == (0.35, 0.2, 400)
    open_run(tmp_path, begun)
    (tmp_path / "auto.yaml").write_text(text.replace("0.35", "0.4"), "utf-8")
    with pytest.raises(RunError, match=r"holds a run with model\.dropout=0\.35, this command says model\.dropout=0\.4"):
        open_run(tmp_path, completed(arguments, tmp_path))


def test_the_limit_of_the_choices_does_not_hold_for_your_own_number_of_updates(pairs, tmp_path):
    """Also for a run that began with the chosen number, and is to be longer."""
    assert completed([pairs, *SMALL], tmp_path).training.time_limit == "1h"
    longer = completed([pairs, *SMALL, "training.updates=5000"], tmp_path).training
    assert (longer.updates, longer.time_limit) == (5000, None)
    limited = completed([pairs, *SMALL, "training.updates=5000", "training.time_limit=2h"], tmp_path).training
    assert (limited.updates, limited.time_limit) == (5000, "2h")


def test_your_own_time_replaces_the_limit_of_the_choices(pairs, tmp_path):
    """Also where the choices were made before, without the time."""
    for folder in (tmp_path / "new", tmp_path):
        completed([pairs, *SMALL], tmp_path)
        timed = completed([pairs, *SMALL, "training.time=30m"], folder).training
        assert (timed.time, timed.time_limit) == ("30m", None)
    with pytest.raises(ConfigError, match=r"time_limit=2h does nothing with training\.time=30m"):
        completed([pairs, *SMALL, "training.time=30m", "training.time_limit=2h"], tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model: {dropout: much}", "cannot be used .*much"),
        ("model: {unknown: 1}", "cannot be used .*unknown"),
        ("model: {dropout: 2}", r"cannot be used \(model.dropout must be in"),
        ("- 1", "not a mapping"),
        ("a: [", "cannot be used"),
        ("model: {dropout: 0.1}", "has other defaults.*use experiment=.*auto.yaml instead"),
    ],
)
def test_a_damaged_auto_yaml_is_one_line(pairs, tmp_path, content, message):
    (tmp_path / "auto.yaml").write_text(content, "utf-8")
    with pytest.raises(RunError, match=message) as error:
        completed([pairs, *SMALL, *SHORT], tmp_path)
    assert "\n" not in str(error.value)
    assert (tmp_path / "auto.yaml").read_text("utf-8") == content


def test_a_run_that_was_not_chosen_so_is_refused(pairs, chosen, tmp_path):
    shutil.copytree(chosen, tmp_path / "run")
    (tmp_path / "run/auto.yaml").unlink()
    with pytest.raises(RunError, match=r"holds a run without auto\.yaml"):
        train(compose_train("auto", [pairs, *SMALL, *SHORT]), tmp_path / "run")


def test_a_refused_run_leaves_no_choices_for_another_text(pairs, tmp_path):
    with pytest.raises(ConfigError, match=r"model\.tying=all shares one vocabulary"):
        train(compose_train("auto", [pairs, *SMALL, *SHORT, "tokenizer.joint=false", "model.tying=all"]), tmp_path)
    assert not (tmp_path / "auto.yaml").exists()


def test_choices_of_a_command_that_was_stopped_early_are_not_those_of_another(pairs, tmp_path):
    """Ctrl-C, or a killed process, while the text is read."""
    own = ["model.dropout=0.1", "training.patience=1", "training.criterion=loss"]
    with pytest.raises(KeyboardInterrupt), automatic_settings(compose_train("auto", [pairs, *own]), tmp_path / "run"):
        raise KeyboardInterrupt
    stopped = (tmp_path / "run/auto.yaml").read_text("utf-8")
    (tmp_path / "others.tsv").write_text("ein Haus\ta house\n" * 99)
    others = [f"data.{split}.file={tmp_path / 'others.tsv'}" for split in ("train", "validation")]
    for arguments in ([pairs], others):
        (tmp_path / "run/auto.yaml").write_text(stopped, "utf-8")
        assert completed(arguments, tmp_path / "run") == completed(arguments, tmp_path / "new")
        (tmp_path / "new/auto.yaml").unlink()
    (tmp_path / "run/auto.yaml").write_text(stopped, "utf-8")
    completed([pairs, *own], tmp_path / "run")
    assert (tmp_path / "run/auto.yaml").read_text("utf-8") == stopped, "the same command chooses the same"


def test_an_edit_before_training_survives_a_stopped_command(pairs, tmp_path):
    completed([pairs, *SMALL], tmp_path)
    edited = (tmp_path / "auto.yaml").read_text("utf-8").replace("dropout: 0.4", "dropout: 0.35")
    (tmp_path / "auto.yaml").write_text(edited, "utf-8")
    for arguments in ([pairs, *SMALL], [pairs, *SMALL, "seed=2"]):
        assert completed(arguments, tmp_path).model.dropout == 0.35
    assert (tmp_path / "auto.yaml").read_text("utf-8") == edited


def test_groups_and_files_of_the_command_line_win(pairs, tmp_path):
    config = compose_train("auto", [pairs, "optimizer=muon", "tokenizer=word", "training=debug", "seed=3"])
    assert all(
        map(config.auto.leaves, ["optimizer.learning_rate", "tokenizer.algorithm", "model.embedding_size", "seed"])
    )
    assert not any(map(config.auto.leaves, ["model.dropout", "tokenizer.size", "training.patience"]))
    (tmp_path / "mine.yaml").write_text("auto: {choose: true}\nmodel: {dropout: 0.1}")
    config = compose_train(str(tmp_path / "mine.yaml"), [pairs, "batch.tokens=99"])
    assert config.auto.leaves("model.dropout")
    assert config.auto.leaves("batch.tokens")
    assert not config.auto.leaves("model.word_dropout")


def test_check_says_what_would_be_chosen_and_why(pairs, tmp_path):
    lines = check_command("train", ["experiment=auto", pairs, f"run={tmp_path / 'run'}", "model.dropout=0.15"])
    assert "no header: column 1 is read as en, column 2 as de" in lines[0]
    assert "training pairs" in lines[1]
    assert any(line.split() == ["model.dropout=0.15", "yours"] for line in lines)
    assert any(line.startswith("  tokenizer.size=2000 ") for line in lines)
    assert not (tmp_path / "run").exists()


def test_every_choice_is_reported_with_its_reason(chosen):
    lines = (chosen / "run.log").read_text("utf-8").splitlines()
    assert any("model.dropout=0.4 " in line and "(Sennrich & Zhang 2019)" in line for line in lines)
    assert any(line.split()[-2:] == ["training.updates=4", "yours"] for line in lines)


@pytest.mark.slow
def test_a_sweep_chooses_in_each_job_and_skips_finished_ones(recipe, pairs, tmp_path, monkeypatch):
    monkeypatch.setattr(duration, "SECONDS", 0)
    monkeypatch.setattr("seq2seq.training.trainer.seconds_allowed", lambda config, update: math.inf)
    arguments = ["-m", pairs, "experiment=auto", f"run={tmp_path}", "seed=1,2", *SMALL, "training.time=1s"]
    arguments += ["training.samples=0", "batch.tokens=200"]
    assert recipe("train", *arguments).code == 0
    first, second = (settings_of(tmp_path / f"seed={seed}") for seed in (1, 2))
    assert first["model"] == second["model"]
    assert first["training"]["time"] == "1s"
    outcome = recipe("train", *arguments)
    assert outcome.out.count("finished before, skipped") == 2


def test_a_language_model_and_a_start_are_refused(pairs):
    with pytest.raises(ConfigError, match="experiment=auto chooses settings of translators"):
        compose_train("auto", [pairs, "model=language_model"]).check()
    with pytest.raises(ConfigError, match="experiment=auto chooses a network"):
        replace(compose_train("auto", [pairs, "training.start=x"])).check()


@pytest.mark.parametrize("schedule", ["constant", "halving", "plateau"])
def test_another_schedule_is_the_user_s(pairs, schedule, tmp_path):
    """It may lack settings that the rules choose for a cosine."""
    lines = check_command("train", ["experiment=auto", pairs, f"run={tmp_path / 'run'}", f"schedule={schedule}"])
    assert not any("schedule.floor" in line for line in lines)
    usual = check_command("train", ["experiment=auto", pairs, f"run={tmp_path / 'run'}"])
    assert any(line.split()[0] == "schedule.floor=0.02" for line in usual)

"""Command lines, and the one-line messages for mistakes."""

import argparse
import errno
import io
import os
import sys

import pytest
from hydra._internal.utils import get_args_parser

from seq2seq.config.error_lines import one_line_errors
from seq2seq.config.hydra import unformatted_help_allowed
from seq2seq.config.schemas import conf_folder
from seq2seq.recipes import average, train


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.dropot=0.1", ["model.dropot", "did you mean model.dropout?"]),
        ("modle.dropout=0.1", ["modle", "did you mean model?"]),
        ("model.dropout=lots", ["model.dropout", "lots"]),
        ("model.dropout=2.0", ["model.dropout must be in [0, 1), got 2"]),
        ("model.encoder.layers=-1", ["model.encoder.layers must be in [0, 8], got -1"]),
        ("model.encoder.layers=1.5", ["model.encoder.layers", "1.5"]),
        ("model.attention=luong", ["model.attention", "luong", "dot, general, scaled_dot, additive"]),
        ("model=atention", ["there is no model=atention", "attention", "context"]),
        ("optimizer=adamax", ["there is no optimizer=adamax", "adam", "sgd"]),
        ("optimizer.momentum=0.9", ["optimizer.momentum", "learning_rate"]),
        ("experiment=nothing", ["there is no experiment=nothing", "multi30k_attention"]),
        ("model.bridge=copy", ["model.bridge=copy", "model.decoder.size"]),
        ("training.device=tpu", ["device", "tpu", "cpu"]),
        ("search.n_best=9", ["search.n_best", "9"]),
        ("data.more=[{source: no.en}]", ["data.more[0].target"]),
        ("seed=null", ["seed"]),
        ("model.dropout=[0.1", ["model.dropout=[0.1"]),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field_and_what_is_allowed(recipe, tmp_path, override, words):
    outcome = recipe("train", f"run={tmp_path / 'run'}", "model.decoder.size=100", override)
    assert outcome.code == 1
    assert outcome.out == ""
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err
    assert not (tmp_path / "run").exists(), "a mistake must be found before any work"


def test_a_broken_config_file_is_one_line(recipe, tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "broken.yaml").write_text("model: {dropout: [}\n")
    outcome = recipe("train", "--config-dir", str(tmp_path), "experiment=broken", f"run={tmp_path / 'run'}")
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err


def test_a_user_config_folder_extends_the_search_path(recipe, tmp_path):
    (tmp_path / "experiment").mkdir()
    own = "# @package _global_\ndefaults:\n  - override /model: attention\nmodel: {dropout: 0.7}\n"
    (tmp_path / "experiment" / "mine.yaml").write_text(own)
    outcome = recipe("train", "--config-dir", str(tmp_path), "experiment=mine", "--cfg", "job")
    assert outcome.code == 0
    assert "dropout: 0.7" in outcome.out
    assert "attention: general" in outcome.out


@pytest.mark.parametrize(
    ("name", "override", "words"),
    [
        ("translate", "precision=int4", ["precision", "int4", "float32, bfloat16, int8"]),
        ("evaluate", "precision=half", ["precision", "half", "float32, bfloat16, int8"]),
        ("translate", "shortlist=some", ["shortlist", "some"]),
        ("quantize", "outptu=x", ["outptu", "did you mean output?"]),
        ("train", "shortlist.translations=0", ["shortlist.translations must be at least 1, got 0"]),
    ],
)
def test_invalid_translation_settings_give_one_line(recipe, name, override, words):
    outcome = recipe(name, override)
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err


def test_child_processes_do_not_inherit_hydra_full_error(recipe, tmp_path, monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    seen = []
    monkeypatch.setattr(
        "seq2seq.config.hydra.validate", lambda settings: seen.append(os.environ.get("HYDRA_FULL_ERROR"))
    )
    assert recipe("evaluate", f"run={tmp_path}").code == 1
    assert recipe("evaluate", "nonsense=1").code == 1
    assert seen == [None]
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_a_full_disk_gives_one_line_for_any_output(capsys):
    with pytest.raises(SystemExit) as left, one_line_errors(None):
        raise OSError(errno.ENOSPC, "No space left on device", "anything.txt")
    assert left.value.code == 1
    assert capsys.readouterr().err == (
        "error: anything.txt cannot be written (No space left on device): free some space and rerun the same command\n"
    )
    with pytest.raises(FileNotFoundError), one_line_errors(None):  # internal errors keep their traceback
        raise FileNotFoundError(errno.ENOENT, "No such file")


def test_a_recipe_composes_if_argparse_checks_help_texts(recipe, monkeypatch):
    """As in `_check_help` of Python 3.14; one help text of Hydra is not a string."""

    def check_help(self, action):
        if action.help and hasattr(self, "_get_formatter"):
            try:
                self._get_formatter()._expand_help(action)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError("badly formed help string") from error

    add_argument = argparse._ActionsContainer.add_argument

    def add_checked(self, *names, **more):
        action = add_argument(self, *names, **more)
        self._check_help(action)
        return action

    monkeypatch.setattr(argparse._ActionsContainer, "_check_help", check_help, raising=False)
    monkeypatch.setattr(argparse._ActionsContainer, "add_argument", add_checked)
    with pytest.raises(ValueError, match="badly formed"):
        get_args_parser()
    outcome = recipe("train", "--cfg", "job", "seed=4321", "model=attention")
    assert outcome.code == 0, outcome.err
    assert "seed: 4321\n" in outcome.out
    assert "badly formed" not in outcome.err
    with unformatted_help_allowed(), pytest.raises(ValueError, match="badly formed"):
        argparse.ArgumentParser().add_argument("--size", help="%(none)s")
    assert argparse._ActionsContainer._check_help is check_help, "as it was"


def test_characters_outside_the_output_encoding_are_escaped(monkeypatch):
    """Standard output redirected to a file has such an encoding on Windows."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="cp1252"))
    monkeypatch.setattr(sys, "argv", ["train.py", "--cfg", "job", "run='\u5f15ä'"])
    train.main()
    sys.stdout.flush()
    assert "run: \\u5f15ä\n" in written.getvalue().decode("cp1252")


def test_configs_are_found_in_a_clone_without_installation(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.resources.files", missing)
    assert (conf_folder() / "train.yaml").is_file()


def test_a_small_character_set_of_stderr_is_no_error(monkeypatch):
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, encoding="cp1252", errors="strict")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        patch.setattr(sys, "argv", ["average.py", "run='引ä'"])
        with pytest.raises(SystemExit):
            average.main()
        stream.flush()
    assert "\\u5f15ä" in written.getvalue().decode("cp1252")


def test_ctrl_c_is_one_line_and_its_exit_code(capsys):
    with pytest.raises(SystemExit) as stopped, one_line_errors(None):
        raise KeyboardInterrupt
    assert stopped.value.code == 130
    assert capsys.readouterr().err == "stopped\n"

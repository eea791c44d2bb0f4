"""Error messages are one line for any content."""

import pickle
import re
import shutil
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from seq2seq import errors
from seq2seq.comparison.config import CompareConfig
from seq2seq.corpora.corpus import FirstPairs, Pair, PairList
from seq2seq.corpora.files import TextFiles
from seq2seq.corpora.splitting import wanted_pairs
from seq2seq.doctor.diagnosis import diagnose
from seq2seq.errors import DISTRIBUTION, LONGEST, ConfigError, DataError, RunError, counted, install_hint
from seq2seq.metrics.score import check_lengths
from seq2seq.metrics.suspicious import blank_report
from seq2seq.training.config import TrainingConfig
from seq2seq.training.duration import Speed, expectation


@pytest.mark.parametrize("kind", [ConfigError, DataError, RunError])
def test_a_message_is_one_printable_line(kind):
    error = kind("a\nb\r\x1b[2J \u2028 \u202e \ud800 \0 ä 中 😀 …")
    assert str(error) == r"a\nb\r\x1b[2J \u2028 \u202e \ud800 \x00 ä 中 😀 …"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_message_that_is_too_long_keeps_its_beginning_and_its_end():
    message = str(DataError("first " + "x" * 10 * LONGEST + " last"))
    assert message.startswith("first x")
    assert message.endswith("x last")
    assert " … " in message
    assert len(message) == LONGEST + 3


@pytest.mark.parametrize(
    ("started", "named"), [("/usr/bin/seq2seq-train", "seq2seq-doctor"), ("recipes/train.py", "recipes/doctor.py")]
)
def test_a_recipe_is_named_as_the_user_starts_recipes(monkeypatch, tmp_path, started, named):
    monkeypatch.setattr("sys.argv", [started])
    (tmp_path / "a.en").write_text("a\nb\n")
    (tmp_path / "a.de").write_text("a\n")
    with pytest.raises(DataError, match=rf"misaligned line with {named} data\.train\.source="):
        list(TextFiles(tmp_path / "a.en", tmp_path / "a.de"))


ROOT = Path(__file__).parents[1]


def test_extras_are_installed_from_the_clone_or_by_the_name_of_the_distribution(monkeypatch, tmp_path):
    """``pip install seq2seq[serve]`` would fetch another project."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["name"] == DISTRIBUTION != "seq2seq"
    monkeypatch.chdir(ROOT)
    assert install_hint("serve") == 'python -m pip install -e ".[serve]"'
    monkeypatch.chdir(tmp_path)
    assert install_hint("serve") == f'python -m pip install -e "{ROOT}[serve]"'
    (tmp_path / "seq2seq").mkdir()
    installed = spec_from_file_location("installed", shutil.copy(errors.__file__, tmp_path / "seq2seq"))
    module = module_from_spec(installed)
    installed.loader.exec_module(module)
    assert module.install_hint("serve") == f'python -m pip install "{DISTRIBUTION}[serve]"'


@pytest.mark.parametrize("path", sorted((ROOT / "seq2seq").rglob("*.py")), ids=lambda path: path.name)
def test_no_hint_names_the_other_project(path):
    others = r"pip install (?!onnxruntime\b|-r )"  # what exported folders need, which are not this project
    assert not re.search(others, path.read_text("utf-8")) or path.name == "errors.py"


def test_one_is_singular(tmp_path):
    """In messages of several packages in which one can occur."""
    assert [counted(number, "pair") for number in (0, 1, 2, 2000)] == ["0 pairs", "1 pair", "2 pairs", "2,000 pairs"]
    assert counted(1, "entry", "entries") == "1 entry"
    assert counted(1000, "entry", "entries") == "1,000 entries"
    with pytest.raises(DataError, match=r"^made up: 1 pair cannot be split"):
        wanted_pairs(None, 1, "made up")
    with pytest.raises(DataError, match=r"^1 hypothesis but 2 references: "):
        check_lengths(["a"], ["a", "b"])
    with pytest.raises(ConfigError, match=r"^systems has 1 entry, "):
        CompareConfig(systems=["runs/a"]).check()
    (tmp_path / "one").write_text("a\n")
    (tmp_path / "two").write_text("a\nb\n")
    with pytest.raises(DataError, match=r"two has 2 lines, .*one 1: "):
        list(TextFiles(tmp_path / "one", tmp_path / "two"))
    assert blank_report([""], ["a"]) == "blank: 1 of 1 reference, 0 outputs"
    assert FirstPairs(PairList("made up", [Pair("a", "b")]), 1).name == "made up (first 1 pair)"
    line = expectation(TrainingConfig(updates=1), Speed(1.0, 1.0), "here")
    assert "1 update of 1.000 s, 1 validation of about" in line
    repeated = PairList("made up", [Pair("a", "b"), Pair("a", "c")])
    (diagnosis,) = diagnose({"train": repeated}, max_length=9, max_ratio=9.0)
    assert "1 different sentence" in [finding.note for finding in diagnosis.findings]

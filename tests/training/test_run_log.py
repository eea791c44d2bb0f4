"""run.log: what is kept, and that a training never fails or becomes louder because of it."""

import logging
import os
import re

import pytest

from seq2seq.errors import RunError
from seq2seq.training import run_log as module
from seq2seq.training.interrupt import Interrupted
from seq2seq.training.run_log import FILE_ONLY, is_reported, run_log

log = logging.getLogger("seq2seq")


def kept(folder):
    """Return the lines of run.log without their times."""
    lines = (folder / "run.log").read_text("utf-8").splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", line) for line in lines)
    return [line[21:] for line in lines if not line[21:].startswith("command: ")]


@pytest.mark.parametrize("level", [logging.WARNING, logging.INFO])
def test_lines_are_kept_at_any_level_and_users_see_those_of_their_level(tmp_path, caplog, level):
    caplog.set_level(level, "seq2seq")
    caplog.handler.setLevel(0)
    with run_log(tmp_path) as current:
        log.info("before")
        assert not (tmp_path / "run.log").exists(), "the folder may belong to another run"
        current.open()
        log.info("an %s line", "ordinary")
        log.log(FILE_ONLY, "two\nlines\n")
        log.warning("a warning")
        assert is_reported() == (level == logging.INFO)
    log.info("after")
    assert kept(tmp_path) == ["before", "an ordinary line", "two", "lines", "a warning"]
    shown = ["before", "an ordinary line", "a warning", "after"] if level == logging.INFO else ["a warning"]
    assert caplog.messages == shown
    assert log.level == level
    assert not log.filters


def test_a_resumed_run_appends(tmp_path):
    for text in ("Müller, 北京", "later\r\x1b[2K\x00"):
        with run_log(tmp_path) as current:
            current.open()
            log.info("%s", text)
    assert kept(tmp_path) == ["Müller, 北京", r"later\r\x1b[2K\x00"]
    assert (tmp_path / "run.log").read_text("utf-8").count("  command: ") == 2


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (RunError("the loss is not finite: lower optimizer.learning_rate"), ["error: the loss is not finite: lower"]),
        (Interrupted("stopped at update 7", 15), ["stopped at update 7"]),
        (ZeroDivisionError("a bug"), ["Traceback (most recent call last):", "ZeroDivisionError: a bug"]),
    ],
)
def test_the_error_that_ends_a_run_is_kept(tmp_path, error, lines):
    for opened in (False, True):
        with pytest.raises(type(error)):
            fail(tmp_path, opened, error)
        assert (tmp_path / "run.log").exists() == opened, "a refused command leaves the folder as it is"
    text = kept(tmp_path)
    assert text[0].startswith(lines[0])
    assert text[-1].startswith(lines[-1])


def fail(folder, opened, error):
    with run_log(folder) as current:
        if opened:
            current.open()
        raise error


def test_only_the_first_process_writes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "is_first", lambda: False)
    with run_log(tmp_path) as current:
        current.open()
        log.info("a line")
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_through_a_link(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run.log").symlink_to(tmp_path / "secret")
    with run_log(tmp_path) as current:
        current.open()
    assert (tmp_path / "secret").read_text() == "secret"
    assert not (tmp_path / "run.log").is_symlink()


@pytest.mark.parametrize("what", ["folder", "pipe"])
def test_a_file_that_cannot_be_written_is_reported_once(tmp_path, caplog, what):
    (tmp_path / "run.log").mkdir() if what == "folder" else os.mkfifo(tmp_path / "run.log")
    with run_log(tmp_path) as current:
        current.open()
        log.info("a line")
        log.info("another")
    [message] = [message for message in caplog.messages if "run.log" in message]
    assert message.endswith("the run continues without it")

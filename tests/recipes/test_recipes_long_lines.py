"""A line of standard input that is too long to be text."""

import io
import sys

import pytest

from seq2seq.corpora.lines import MAX_LINE_BYTES

LONG = b"We work.\n" + b"a" * (2 * MAX_LINE_BYTES + 100_000) + b"\nShe works.\n" + b"b" * (MAX_LINE_BYTES + 1)


@pytest.fixture
def long_line(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LONG)))


@pytest.mark.parametrize("stream", ["true", "false"])
def test_a_line_that_is_too_long_is_answered_by_a_blank_line(recipe, learned_run, long_line, stream):
    outcome = recipe("translate", f"run={learned_run}", f"stream={stream}", "beam_size=1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.split("\n") == ["Wir arbeiten.", "", "Sie arbeitet.", "", ""]
    assert "more than 1,000,000 bytes: 2 not translated, the first in line 2" in outcome.err


def test_lines_before_one_that_is_too_long_are_translated_before_the_error(recipe, learned_run, long_line):
    outcome = recipe("translate", f"run={learned_run}", "errors=stop", "beam_size=1")
    assert outcome.code == 1
    assert outcome.out == "Wir arbeiten.\n"
    assert outcome.err.startswith("error: standard input, line 2 has more than 1,000,000 bytes")


def test_lines_before_bytes_that_are_not_utf8_are_translated_before_the_error(recipe, learned_run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"We work.\n\xff\n")))
    outcome = recipe("translate", f"run={learned_run}", "beam_size=1")
    assert (outcome.code, outcome.out) == (1, "Wir arbeiten.\n")

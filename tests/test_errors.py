"""Error messages are one line for any content."""

import pickle

import pytest

from seq2seq.errors import LONGEST, ConfigError, DataError, RunError


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

from itertools import count, islice

import pytest

from seq2seq.translation.batching import CHUNK
from seq2seq.translation.progress import with_bar


def test_the_bar_says_what_is_done_how_fast_and_how_long_on_stderr_alone(capsys):
    assert list(with_bar(iter("abc"), 3, "translating")) == ["a", "b", "c"]
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("\rtranslating:   0%")
    last = shown.err.split("\r")[-1]
    for part in ("translating: 100%", "3/3", "sentence/s", "<"):
        assert part in last
    assert last.endswith("\n")


def test_without_a_total_there_is_a_count(capsys):
    assert list(with_bar([1, 2], None, "translating")) == [1, 2]
    assert "translating: 2sentence" in capsys.readouterr().err.split("\r")[-1]


def test_it_may_be_left_out(capsys):
    assert list(with_bar([1, 2], None, "translating", shown=False)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_it_moves_by_what_was_read_together(capsys, monkeypatch):
    """The wait is for the first of them: all are done when it comes."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("tqdm.std.time", map(float, count(0, 10)).__next__)  # any two looks are far apart
    assert len(list(with_bar(range(2 * CHUNK + 1), 2 * CHUNK + 1, "translating"))) == 2 * CHUNK + 1
    err = capsys.readouterr().err
    for done in (CHUNK, 2 * CHUNK, 2 * CHUNK + 1):
        assert f" {done}/{2 * CHUNK + 1}" in err
    assert f" 1/{2 * CHUNK + 1}" not in err


def test_no_more_is_drawn_than_was_read_together():
    drawn = []
    stream = with_bar((drawn.append(number) or number for number in count()), None, "translating")
    assert list(islice(stream, 3)) == [0, 1, 2]
    assert len(drawn) == CHUNK
    stream.close()


def test_an_error_comes_through_and_the_bar_is_closed(capsys):
    def broken():
        yield 1
        raise ValueError("anything")

    with pytest.raises(ValueError, match="anything"):
        list(with_bar(broken(), 2, "translating"))
    assert capsys.readouterr().err.endswith("\n")

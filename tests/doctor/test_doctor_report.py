"""What people and programs read."""

import json

import numpy as np

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.doctor.cleaning import Cleaned
from seq2seq.doctor.examination import Examination
from seq2seq.doctor.report import WIDTH, as_dict, details, fetch, shown, summary, told
from seq2seq.doctor.types import Found, Reason


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def reports() -> list[Examination]:
    train = PairList("train.tsv", [Pair(f"s{number}", f"t{number}") for number in range(9_000)])
    test = PairList("test.tsv", [Pair("s5", "\udcf6")])
    found = [
        Found(Reason.drift, rows(), note="not judged: too short"),
        Found(Reason.blank, rows(3, 4), "source"),
        Found(Reason.blank, rows(3, 8_000), "target"),
        Found(Reason.overlap_source, rows(5), partners=rows(0), place="test", note="pairs of test concerned: 1"),
        Found(Reason.several_targets, rows(6, 7, 8), partners=rows(-1, 6, 6)),
    ]
    return [
        Examination("train", train, 9_000, ["train.tsv: something"], found),
        Examination("test", test, 1, ["train.tsv: something"], [Found(Reason.invalid_utf8, rows(0), "target")]),
    ]


def test_the_summary_fits_a_screen():
    lines = summary(reports()).splitlines()
    assert lines[:2] == ["train: train.tsv", "test: test.tsv"]
    assert lines[2:4] == ["  train.tsv: something", "  drift in train: not judged: too short"]
    table = [line.split() for line in lines[4:10]]
    assert table == [
        ["train", "test", "fix=true"],
        ["pairs", "9,000", "1"],
        ["invalid_utf8", "0", "1", "drops"],
        ["blank", "3", "0", "drops"],  # a pair with both sides blank counts once
        ["overlap_source", "1", "0"],
        ["several_targets", "3", "0"],
    ]
    assert lines[10].startswith("not found: unreadable, drift,")
    everything = [Found(reason, rows(0)) for reason in Reason]
    full = summary([Examination("train", PairList("list", []), 1, [], everything)])
    assert len(full.splitlines()) == 3 + len(Reason) <= 25
    assert "not found" not in full


def test_details_show_the_lines_and_what_they_were_held_against():
    train, test = reports()
    texts = fetch([train, test], 2)
    text = details(train, texts, 2)
    assert "blank in train, target: 2 (nothing but white space" in text
    assert "  train 8,001: s8000\n               t8000" in text
    assert "  train 6: s5\n           t5\n  as test 1: s5\n             \\xf6" in text
    assert "  train 8: s7\n           t7\n  as train 7: s6" in text
    assert "not judged" not in text
    assert "train 6,901" not in text
    assert details(train, fetch([train, test], 0), 0).count("train") == 4


def test_only_what_is_shown_is_fetched():
    train, test = reports()
    assert {row for name, row in fetch([train, test], 1) if name == "train"} == {3, 5, 7, 6}


def test_characters_that_cannot_be_seen_are_spelt():
    assert shown("a\u200bb\udcf6\x00\xad ü €\ud800") == "a\\u200bb\\xf6\\x00\\xad ü €\\ud800"
    long = "a" * 500 + "\u2028" + "b" * 500
    assert "\\u2028" in shown(long)
    assert len(shown(long)) <= WIDTH + 10
    assert shown("a" * 200) == "a" * WIDTH + "…"
    assert shown("") == ""


def test_what_cleaning_did_in_a_line(tmp_path):
    done = Cleaned(tmp_path / "s", tmp_path / "t", 1_000, 990, {Reason.blank: 10}, {Reason.invisible: 3})
    assert told(done) == f"{tmp_path}/s and {tmp_path}/t: 990 of 1,000 pairs; dropped 10 blank; changed 3 invisible"
    assert told(Cleaned(tmp_path, tmp_path, 1, 1, {}, {})).endswith("1 of 1 pairs")


def test_json_has_every_line_and_survives_what_no_encoding_can(tmp_path):
    found = reports()
    done = Cleaned(tmp_path / "s", tmp_path / "t", 9_000, 8_997, {Reason.blank: 3}, {})
    report = json.loads(json.dumps(as_dict(found, {"train": done}, fetch(found, 1), 1)))
    assert report["train"]["findings"][2]["lines"] == [4, 8_001]
    assert report["train"]["findings"][3]["partners_in"] == "test"
    assert report["train"]["findings"][4]["partners"] == [None, 7, 7]
    assert report["train"]["cleaned"]["dropped"] == {"blank": 3}
    assert report["test"]["cleaned"] is None
    assert report["test"]["findings"][0]["examples"] == [{"line": 1, "source": "s5", "target": "\udcf6"}]

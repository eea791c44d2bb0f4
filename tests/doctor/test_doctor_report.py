"""The report for people and for programs."""

import json
import re
from pathlib import Path

import numpy as np

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.doctor.cleaning import CleaningResult
from seq2seq.doctor.diagnosis import Diagnosis
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason
from seq2seq.doctor.report import VERBS, WIDTH, as_dict, cleaning_summary, details, excerpt, read_examples, summary


def rows(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def diagnoses() -> list[Diagnosis]:
    train = PairList("train.tsv", [Pair(f"s{number}", f"t{number}") for number in range(9_000)])
    test = PairList("test.tsv", [Pair("s5", "\udcf6")])
    findings = [
        Finding(Reason.drift, rows(), note="not checked: too short"),
        Finding(Reason.blank, rows(3, 4), "source"),
        Finding(Reason.blank, rows(3, 8_000), "target"),
        Finding(
            Reason.overlap_source, rows(5), partners=rows(0), partner_corpus="test", note="affects 1 pairs of test"
        ),
        Finding(Reason.several_targets, rows(6, 7, 8), partners=rows(-1, 6, 6)),
    ]
    return [
        Diagnosis("train", train, 9_000, ["train.tsv: something"], findings),
        Diagnosis("test", test, 1, ["train.tsv: something"], [Finding(Reason.invalid_utf8, rows(0), "target")]),
    ]


def test_the_summary_fits_a_screen():
    lines = summary(diagnoses()).splitlines()
    assert lines[:2] == ["train: train.tsv", "test: test.tsv"]
    assert lines[2:4] == ["  train.tsv: something", "  drift in train: not checked: too short"]
    table = [line.split() for line in lines[4:10]]
    assert table == [
        ["train", "test", "fix=true"],
        ["pairs", "9,000", "1"],
        ["invalid_utf8", "0", "1", "drops"],
        ["blank", "3", "0", "drops"],  # a pair with both sides blank counts once
        ["overlap_source", "1", "0"],
        ["several_targets", "3", "0"],
    ]
    assert lines[10].startswith("not found: header, unreadable, drift,")
    all_reasons = [Finding(reason, rows(0)) for reason in Reason]
    full = summary([Diagnosis("train", PairList("list", []), 1, [], all_reasons)])
    assert len(full.splitlines()) == 3 + len(Reason)
    assert len(lines) <= 25
    assert "not found" not in full


def test_the_documents_have_each_finding_and_its_remedy():
    guide = (Path(__file__).parents[2] / "recipes" / "README.md").read_text("utf-8")
    section = guide.partition("\n## Check a corpus\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \| .* \| ?(\w*) \|$", section, flags=re.MULTILINE)
    documented = {name: verb for names, verb in rows for name in re.findall(r"`(\w+)`", names)}
    assert documented == {str(reason): VERBS.get(reason.remedy, "") for reason in Reason}


def test_details_show_pairs_and_their_partners():
    train, test = diagnoses()
    pairs = read_examples([train, test], 2)
    text = details(train, pairs, 2)
    assert "blank in train, target: 2 (one side or both have no visible" in text
    assert "  train 8,001: s8000\n               t8000" in text
    assert "  train 6: s5\n           t5\n  as test 1: s5\n             \\xf6" in text
    assert "  train 8: s7\n           t7\n  as train 7: s6" in text
    assert "not checked" not in text
    assert "train 6,901" not in text
    assert details(train, read_examples([train, test], 0), 0).count("train") == 4


def test_only_shown_pairs_are_read():
    train, test = diagnoses()
    assert {row for name, row in read_examples([train, test], 1) if name == "train"} == {3, 5, 7, 6}


def test_unprintable_characters_are_escaped():
    assert excerpt("a\u200bb\udcf6\x00\xad ü €\ud800") == "a\\u200bb\\xf6\\x00\\xad ü €\\ud800"
    long = "a" * 500 + "\u2028" + "b" * 500
    assert "\\u2028" in excerpt(long)
    assert len(excerpt(long)) <= WIDTH + 10
    assert excerpt("a" * 200) == "a" * WIDTH + "…"
    assert excerpt("") == ""


def test_the_outcome_of_cleaning_is_one_line(tmp_path):
    result = CleaningResult((tmp_path / "s", tmp_path / "t"), 1_000, 990, {Reason.blank: 10}, {Reason.invisible: 3})
    assert (
        cleaning_summary(result)
        == f"{tmp_path}/s and {tmp_path}/t: 990 of 1,000 pairs; dropped 10 blank; changed 3 invisible"
    )
    assert cleaning_summary(CleaningResult((tmp_path,), 1, 1, {}, {})).endswith("1 of 1 pair")


def test_json_has_all_line_numbers_and_holds_invalid_text(tmp_path):
    both = diagnoses()
    result = CleaningResult((tmp_path / "s", tmp_path / "t"), 9_000, 8_997, {Reason.blank: 3}, {})
    report = json.loads(json.dumps(as_dict(both, {"train": result}, read_examples(both, 1), 1)))
    assert report["train"]["findings"][2]["lines"] == [4, 8_001]
    assert report["train"]["findings"][3]["partners_in"] == "test"
    assert report["train"]["findings"][4]["partners"] == [None, 7, 7]
    assert report["train"]["cleaned"]["dropped"] == {"blank": 3}
    assert report["test"]["cleaned"] is None
    assert report["test"]["findings"][0]["examples"] == [{"line": 1, "source": "s5", "target": "\udcf6"}]

"""recipes/doctor.py as a user runs it."""

import json

import pytest

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig, Split
from seq2seq.corpora.files import TextFiles
from seq2seq.doctor.reasons import Reason

SIDES = ("source", "target")


@pytest.fixture
def corpus(tmp_path):
    """Overrides that name two files: a hundred distinct pairs, one repeated pair, and one blank target."""
    pairs = BuiltinCorpus(BuiltinConfig(train_size=200), Split.train)
    pairs = list({pair.source: pair for pair in pairs}.values())[:100]
    for side in SIDES:
        lines = [getattr(pair, side) for pair in [*pairs, pairs[3]]]
        lines[50] = lines[50] if side == "source" else " "
        (tmp_path / f"train.{side}").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return [f"data.train.{side}={tmp_path}/train.{side}" for side in SIDES]


def test_a_report_with_findings_is_a_success(recipe, corpus, tmp_path):
    outcome = recipe("doctor", *corpus)
    assert (outcome.code, outcome.err) == (0, "")
    assert f"train: {tmp_path}/train.source and {tmp_path}/train.target" in outcome.out
    assert "blank in train, target: 1" in outcome.out
    assert "train 101: " in outcome.out
    assert "as train 4: " in outcome.out
    assert len(list(tmp_path.iterdir())) == 2


def test_fix_writes_a_cleaned_copy_once(recipe, corpus, tmp_path):
    outcome = recipe("doctor", *corpus, "fix=true", "keep=[ratio]")
    assert outcome.code == 0, outcome.err
    assert f"{tmp_path}/train.clean.target: 99 of 101 pairs; dropped 1 blank, 1 duplicate" in outcome.out
    assert len(list(TextFiles(tmp_path / "train.clean.source", tmp_path / "train.clean.target"))) == 99
    again = recipe("doctor", *corpus, "fix=true")
    assert again.code == 1
    assert again.err.count("\n") == 1
    assert "train.clean.source already exists" in again.err


def test_json_is_one_object(recipe, corpus):
    outcome = recipe("doctor", *corpus, "json=true", "examples=1")
    report = json.loads(outcome.out)
    assert report["train"]["pairs"] == 101
    assert [finding["lines"] for finding in report["train"]["findings"] if finding["reason"] == "blank"] == [[51]]


def test_an_error_in_training_names_a_doctor_command_that_finds_the_line(recipe, corpus, tmp_path):
    with (tmp_path / "train.target").open("a") as file:
        file.write("Eine Zeile zu viel.\n")
    outcome = recipe(
        "train", f"run={tmp_path}/run", *corpus, *(line.replace("train", "validation", 1) for line in corpus)
    )
    assert outcome.code == 1
    advice = outcome.err.partition("with recipes/doctor.py ")[2]
    assert advice.split() == corpus
    outcome = recipe("doctor", *advice.split())
    assert outcome.code == 0
    assert "has 102 lines" in outcome.out


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["data.train.source=nowhere.en", "data.train.target=nowhere.de"], "no such file"),
        (["data.train.source=nowhere.en"], "names only one side"),
        (["fix=true"], "fix=true needs files"),
        (["fix=true", "keep=[everything]"], "keep"),
        (["max_ratio=1"], "max_ratio must be above 1"),
        (["data.builtin.train_size=50", "fixed=true"], "did you mean fix?"),
    ],
)
def test_a_wrong_command_is_one_line(recipe, overrides, words):
    outcome = recipe("doctor", *overrides)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert words in outcome.err


def test_the_built_in_corpus_has_no_serious_problems(recipe):
    outcome = recipe(
        "doctor",
        *(f"data.builtin.{split}_size=100" for split in ("train", "validation", "test")),
        "examples=0",
        "json=true",
    )
    report = json.loads(outcome.out)
    assert list(report) == ["train", "validation", "test"]
    serious = {finding["reason"] for part in report.values() for finding in part["findings"] if finding["lines"]}
    harmless = {Reason.duplicate, Reason.several_targets, Reason.several_sources, Reason.overlap_source}
    assert serious <= harmless

"""Scores do not depend on the Unicode form of the references; what is written is what was scored."""

import json
import logging
import unicodedata

import pytest
import sacrebleu

from seq2seq import Translator
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.data.config import BatchConfig
from seq2seq.data.preparation import encode_corpus
from seq2seq.evaluation.evaluate import evaluate
from seq2seq.evaluation.validation import Validator
from seq2seq.run.provenance import text_hash
from seq2seq.system.precision import Precision

LINES = ["Wo ist mein Schl\u00fcssel?", "F\u00fcnf M\u00e4nner schlafen \u00fcber dem K\u00e4se."]
SOURCES = ["Where is my key?", "Five men sleep above the cheese."]


def decomposed(lines):
    return [unicodedata.normalize("NFD", line) for line in lines]


def pairs(targets):
    return [Pair(*pair) for pair in zip(SOURCES, targets, strict=True)]


def evaluated(run, folder, targets):
    folder.mkdir(exist_ok=True)
    translator = Translator.load(run, "cpu")
    search = translator.search.beam(1)
    scores = evaluate(translator, pairs(targets), search, folder=folder, name="test", corpus="two", bootstrap=10)
    return scores["greedy"], json.loads((folder / "scores.json").read_text("utf-8"))["test"]


def test_references_in_another_form_give_the_same_scores(learned_run, tmp_path):
    composed, entry = evaluated(learned_run, tmp_path / "nfc", LINES)
    other, other_entry = evaluated(learned_run, tmp_path / "nfd", decomposed(LINES))
    assert composed.bleu.score > 20
    assert composed == other
    assert not (tmp_path / "nfc" / "references.test.txt").exists()
    assert entry["normalization"] == other_entry["normalization"] == "nfc"
    assert other_entry["references"] == text_hash(decomposed(LINES))  # identifies the test set as it was given
    assert other_entry["scored_references"] == text_hash(LINES)
    hypotheses, references = (
        (tmp_path / "nfd" / name).read_text("utf-8").splitlines()
        for name in ("hypotheses.test.greedy.txt", "references.test.txt")
    )
    assert references == LINES
    assert sacrebleu.corpus_bleu(hypotheses, [references]).score == pytest.approx(other.bleu.score)
    assert sacrebleu.corpus_chrf(hypotheses, [references]).score == pytest.approx(other.chrf.score)
    evaluated(learned_run, tmp_path / "nfd", LINES)
    assert not (tmp_path / "nfd" / "references.test.txt").exists()  # it would be of another command


def test_validation_does_not_depend_on_the_form_either(learned_run, tmp_path):
    member = Translator.load(learned_run, "cpu").members[0]
    found = []
    for number, targets in enumerate((LINES, decomposed(LINES))):
        table = encode_corpus(PairList("two", pairs(targets)), member.tokenizers, tmp_path / str(number), None)
        validator = Validator(table, pairs(targets), member.tokenizers, BatchConfig(), Precision.float32)
        found.append(validator(member.network, 1))
    assert found[0] == found[1]
    assert found[0].bleu > 20


def test_the_source_left_unchanged_is_scored_without_its_tag(learned_run, tmp_path, caplog):
    translator = Translator.load(learned_run, "cpu")
    same = [Pair(line, line) for line in LINES]
    with caplog.at_level(logging.INFO, "seq2seq"):
        evaluate(translator, same, translator.search.beam(1), folder=tmp_path, name="test", corpus="two", bootstrap=0)
    entry = json.loads((tmp_path / "scores.json").read_text("utf-8"))["test"]
    assert entry["copied_source"]["bleu"]["score"] == pytest.approx(100)
    warned = [record.message for record in caplog.records if "unchanged source" in record.message]
    assert len(warned) == 1
    assert "model.copy=pointer" in warned[0]


def test_files_of_both_forms_score_100(recipe, tmp_path):
    for name, lines in (("en", SOURCES), ("nfc", LINES), ("nfd", decomposed(LINES))):
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
    files = [f"data.test.source={tmp_path / 'en'}", f"data.test.target={tmp_path / 'nfc'}", "bootstrap=10"]
    outcome = recipe("evaluate", f"hypotheses={tmp_path / 'nfd'}", *files)
    result = json.loads(outcome.out.splitlines()[-1])
    assert [result[name]["score"] for name in ("bleu", "chrf")] == pytest.approx([100, 100])
    assert result["normalization"] == "nfc"
    assert result["references"] == text_hash(LINES)
    assert result["copied_source"]["bleu"]["score"] < 20
    report = tmp_path / "report.json"
    systems = f"systems=[{tmp_path / 'nfd'},{tmp_path / 'nfc'}]"
    outcome = recipe("compare", systems, *files, "randomization=10", f"output=[{report}]")
    assert outcome.code == 0, outcome.err
    found = json.loads(report.read_text("utf-8"))["systems"]
    assert [system["outputs"][0]["scores"]["bleu"]["score"] for system in found] == pytest.approx([100, 100])

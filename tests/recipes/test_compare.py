"""recipes/compare.py as a user runs it."""

import json
import shutil
import sys

import pytest
from comparing import FIRST, REFERENCES, SECOND, write_lines
from random_runs import random_run

QUICK = ["bootstrap=20", "randomization=20"]


@pytest.fixture
def files(tmp_path):
    """Return overrides with a test set and two files of translations."""
    write_lines(tmp_path / "test.en", [f"<b>line {number}</b>" for number in range(5)])
    write_lines(tmp_path / "test.de", REFERENCES)
    first, second = write_lines(tmp_path / "first.de", FIRST), write_lines(tmp_path / "second.de", SECOND)
    return [
        f"systems=[{first},{second}]",
        f"data.test.source={tmp_path}/test.en",
        f"data.test.target={tmp_path}/test.de",
        *QUICK,
    ]


def test_files_of_translations(recipe, files, tmp_path):
    outputs = [tmp_path / f"report.{ending}" for ending in ("json", "md", "html")]
    outcome = recipe("compare", *files, f"output=[{','.join(map(str, outputs))}]")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"{tmp_path}/second.de beside {tmp_path}/first.de: wins by rare words" in outcome.out
    assert json.loads(outputs[0].read_text())["sentences"] == 5
    assert "<b>" not in outputs[1].read_text()
    assert "&lt;b&gt;line 1&lt;/b&gt;" in outputs[2].read_text()


def test_chinese_is_tokenized_by_its_language_code(recipe, tmp_path):
    references = ["我们在厨房里工作。", "他在写信给他的母亲。", "孩子们在花园里吃苹果。"]
    first = write_lines(tmp_path / "first.zh", ["我们在厨房里睡觉。", *references[1:]])
    second, target = write_lines(tmp_path / "second.zh", references), write_lines(tmp_path / "test.zh", references)
    source = write_lines(tmp_path / "test.en", ["one", "two", "three"])
    report = tmp_path / "report.json"
    overrides = [f"systems=[{first},{second}]", f"data.test.source={source}", f"data.test.target={target}", *QUICK]
    outcome = recipe("compare", *overrides, "data.target_language=zho", "sentence_metric=bleu", f"output=[{report}]")
    assert (outcome.code, outcome.err) == (0, "")
    result = json.loads(report.read_text())
    assert "tok:zh" in outcome.out
    assert [wins["group"] for wins in result["contrasts"][0]["wins_by_length"]] == ["0–9", "10–19", "all"]
    assert result["contrasts"][0]["wins_by_length"][-1]["mean_other"] == pytest.approx(100)
    warned = recipe("compare", *overrides)
    assert warned.code == 0
    assert "tok:13a" in warned.out


def test_evaluated_runs_and_a_file(recipe, tiny_run, tmp_path):
    a, b = tmp_path / "a", random_run(tiny_run, tmp_path / "b", 1)
    shutil.copytree(tiny_run, a, ignore=shutil.ignore_patterns("data", "checkpoints", "tensorboard"))
    outcome = recipe("compare", f"systems=[{a},{b}]", *QUICK)
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: {b} has no beam translations of test in scores.json: evaluate it")
    assert recipe("evaluate", f"run={b}", "beam_size=2", "bootstrap=20").code == 0
    path = write_lines(tmp_path / "lines.de", ["Wir arbeiten."] * 8)
    outcome = recipe("compare", f"systems=[{a},{b},{path}]", *QUICK, "training_lines=100")
    assert outcome.code == 0, outcome.err
    assert all(": blank: " in line or ": suspicious translations" in line for line in outcome.err.splitlines())
    assert outcome.out.count("beam 2, float32") == 2
    assert "training text, target side, 100 lines of built-in corpus (train)" in outcome.out
    entry = json.loads((a / "scores.json").read_text())["test"]
    assert entry["models"][0][:12] in outcome.out
    assert entry["references"][:12] in outcome.out
    outcome = recipe("compare", f"systems=[{a},{b}]", *QUICK, "lowercase=true")
    assert outcome.code == 1
    assert "this comparison uses nrefs:1|case:lc" in outcome.err
    assert outcome.err.count("\n") == 1


def test_a_mistake_is_one_line(recipe, files, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "comet", None)
    for override, words in (
        ("comet=some/model", 'pip install -e ".[comet]"'),
        (f"systems=[{tmp_path}/first.de]", "needs two"),
        (f"output=[{tmp_path}/report.pdf]", "output must end in"),
        ("translations=widest", "beam, greedy"),
    ):
        outcome = recipe("compare", *files, override)
        assert outcome.code == 1
        assert outcome.err.startswith("error: ")
        assert outcome.err.count("\n") == 1
        assert words in outcome.err

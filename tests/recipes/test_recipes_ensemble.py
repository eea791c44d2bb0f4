"""Recipes with several runs: ensembles, fusion, averaged weights."""

import json
import shutil
from pathlib import Path

import pytest
from random_runs import random_run

from seq2seq import Translator
from seq2seq.model.weights import load_weights

MODEL_FILES = ["README.md", "config.yaml", "model.safetensors", "shortlist.safetensors", "tokenizer.model"]
SOURCES = ["We work.", "Where is my key?", "She sleeps."]


@pytest.fixture
def copied(tiny_run: Path, tmp_path: Path) -> Path:
    """A writable copy of the tiny run's model and checkpoints."""
    folder = tmp_path / "copy"
    folder.mkdir()
    for name in MODEL_FILES:
        shutil.copy(tiny_run / name, folder)
    shutil.copytree(tiny_run / "checkpoints", folder / "checkpoints")
    return folder


@pytest.fixture
def text(tmp_path: Path) -> list[str]:
    """Return overrides with a test set in files."""
    for side in ("source", "target"):
        (tmp_path / f"test.{side}").write_text("\n".join(SOURCES) + "\n", encoding="utf-8")
    return [f"data.test.{side}={tmp_path / 'test'}.{side}" for side in ("source", "target")]


def test_translate_with_an_ensemble_and_a_language_model(recipe, copied, tmp_path):
    others = [random_run(copied, tmp_path / str(seed), seed) for seed in (1, 2)]
    language = {"encoder.layers": 0, "attention": "none", "bridge": "zero"}
    language_model = random_run(copied, tmp_path / "language", 3, language)
    source, output = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("\n".join(SOURCES), encoding="utf-8")
    overrides = [f"run={copied}", f"ensemble=[{others[0]},{others[1]}]", f"input={source}", f"output={output}"]
    for fused in ([], [f"language_model={language_model}", "language_model_weight=0.7"]):
        outcome = recipe("translate", *overrides, *fused, "json=true")
        assert outcome.code == 0, outcome.err
        actual = [json.loads(line)["score"] for line in output.read_text(encoding="utf-8").splitlines()]
        how = {"language_model": language_model, "language_model_weight": 0.7} if fused else {}
        expected = Translator.load([copied, *others], **how).translate(SOURCES)
        assert actual == pytest.approx([one.score for one in expected], abs=1e-4)


def test_evaluate_adds_the_scores_of_an_ensemble_to_those_of_the_run(recipe, copied, tmp_path, text):
    other = random_run(copied, tmp_path / "other", 1)
    assert recipe("evaluate", f"run={copied}", "beam_size=1", *text).code == 0
    alone = json.loads((copied / "scores.json").read_text())["test"]
    outcome = recipe("evaluate", f"run={copied}", f"ensemble=[{other}]", "beam_size=2", *text)
    assert outcome.code == 0, outcome.err
    scores = json.loads((copied / "scores.json").read_text())
    assert scores["test"] == alone
    assert scores["test.ensemble"]["ensemble"] == [str(copied), str(other)]
    assert "ensemble" not in alone
    assert {path.name for path in copied.glob("hypotheses.*")} == {
        "hypotheses.test.greedy.txt",
        "hypotheses.test.ensemble.greedy.txt",
        "hypotheses.test.ensemble.beam.txt",
    }


def test_incompatible_runs_give_one_line(recipe, copied, tmp_path, text):
    missing = tmp_path / "missing"
    for name, more in (("translate", []), ("evaluate", text)):
        for override, words in {
            f"ensemble=[{missing}]": f"{missing} is not a run folder",
            f"language_model={copied}": f"{copied} is not a language model",
            "language_model_weight=-1": "language_model_weight must be at least 0, got -1",
        }.items():
            outcome = recipe(name, f"run={copied}", override, *more)
            assert outcome.code == 1
            assert words in outcome.err
            assert outcome.err.count("\n") == 1


def test_evaluate_refuses_an_ensemble_without_effect(recipe, copied, tmp_path, text):
    language_model = {"encoder.layers": 0, "attention": "none", "bridge": "zero"}
    language_model = random_run(copied, tmp_path / "language", 3, language_model)
    for override, words in {
        f"run={language_model}": f"run={language_model} is a language model and does not translate: leave ensemble out",
        f"hypotheses={tmp_path / 'test.target'}": "test.target is already translated: leave ensemble out",
    }.items():
        outcome = recipe("evaluate", override, f"ensemble=[{copied}]", *text)
        assert outcome.code == 1
        assert words in outcome.err
        assert outcome.err.count("\n") == 1
    assert not (language_model / "scores.json").exists()


def test_the_average_of_checkpoints_is_a_model(recipe, copied):
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    outcome = recipe("average", f"run={copied}/")
    assert outcome.code == 0, outcome.err
    output = copied.with_name("copy-average")
    assert f"evaluate.py run={output}" in outcome.out
    assert sorted(path.name for path in output.iterdir()) == MODEL_FILES
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before
    kept = [load_weights(path) for path in (copied / "checkpoints").glob("update-*.safetensors")]
    assert len(kept) == 2
    for name, tensor in load_weights(output / "model.safetensors").items():
        assert tensor.tolist() == ((kept[0][name] + kept[1][name]) / 2).tolist()
    assert Translator.load(output, shortlist=True).translate("We work.").source == "We work."


def test_the_average_of_runs_and_errors_without_checkpoints(recipe, copied, tmp_path):
    other, mean = random_run(copied, tmp_path / "other", 1), tmp_path / "new" / "mean"
    outcome = recipe("average", f"run={copied}", f"runs=[{other}]", f"output={mean}")
    assert outcome.code == 0, outcome.err
    first, second, result = (load_weights(folder / "model.safetensors") for folder in (copied, other, mean))
    assert all(tensor.tolist() == ((first[name] + second[name]) / 2).tolist() for name, tensor in result.items())
    deeper = random_run(copied, tmp_path / "deeper", 1, {"decoder.layers": 2})
    for override, words in {
        (f"runs=[{deeper}]", f"output={tmp_path / 'a'}"): f"{deeper} has model.decoder.layers=2",
        (f"runs=[{other}]", f"output={mean}"): f"{mean} already exists",
        (f"run={other}", f"output={tmp_path / 'b'}"): "an average needs two or more checkpoints",
    }.items():
        outcome = recipe("average", f"run={copied}", *override)
        assert outcome.code == 1
        assert words in outcome.err
        assert outcome.err.count("\n") == 1
    assert not (tmp_path / "a").exists()
    assert not (tmp_path / "b").exists()

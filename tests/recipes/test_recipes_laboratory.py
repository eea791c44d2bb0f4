"""recipes/laboratory.py as a user runs it."""

import json

import pytest
from laboratories import CONTEXT
from random_runs import random_run

QUICK = ["bootstrap=20", "device=cpu"]


def test_one_command_draws_all_figures_that_need_no_training(recipe, tiny_run, tmp_path):
    run = random_run(tiny_run, tmp_path / "run", 1, CONTEXT)
    before = sorted(path.name for path in run.iterdir())
    outcome = recipe("laboratory", f"run={run}/", *QUICK, "exposure.sentences=1")
    assert outcome.code == 0, outcome.err
    output = tmp_path / "run-laboratory"
    figures = ["contexts", "exposure", "interpolation", "lengths"]
    assert sorted(path.name for path in output.iterdir()) == [
        f"{name}{end}" for name in figures for end in (".json", ".png")
    ]
    read = {name: json.loads((output / f"{name}.json").read_text("utf-8")) for name in figures}
    assert len(read["contexts"]["found"]["run"]) == 2
    assert "built-in" in read["lengths"]["corpus"]
    assert len(read["interpolation"]["found"][0]["mixtures"]) == 11
    assert len(read["lengths"]["found"][0]["origin"]["models"][0]) == 64
    for name in figures:
        assert f"{output / name}.png" in outcome.out
    assert sorted(path.name for path in run.iterdir()) == before, "the run is unchanged"


@pytest.mark.slow
def test_several_runs_share_a_picture_and_attention_has_no_interpolation(recipe, tiny_run, tmp_path):
    other = random_run(tiny_run, tmp_path / "other", 1, CONTEXT)
    overrides = [f"run={tiny_run}", f"runs=[{other}]", f"output={tmp_path / 'out'}", *QUICK]
    outcome = recipe("laboratory", *overrides, "exposure.sentences=1")
    assert outcome.code == 0, outcome.err
    assert not (tmp_path / "out" / "interpolation.json").exists()
    curves = json.loads((tmp_path / "out" / "lengths.json").read_text("utf-8"))["found"]
    assert [curve["name"] for curve in curves] == ["tiny", "other"]
    outcome = recipe("laboratory", *overrides[:3], "figures=[interpolation]")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "leave interpolation out" in outcome.err


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["figures=[nonsense]"], "figures"),
        (["lengths.edges=[5,5]"], "must be positive and increase"),
        (["figures=[width]", "sweep.widths=[7]"], "use 8"),
        (["run=nowhere"], "run=PATH"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(recipe, tiny_run, tmp_path, overrides, words):
    outcome = recipe("laboratory", f"run={tiny_run}", f"output={tmp_path / 'out'}", *QUICK, *overrides)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert words in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_missing_variants_are_trained_once(recipe, tiny_run, tmp_path):
    out = tmp_path / "out"
    overrides = [f"run={tiny_run}", f"output={out}", *QUICK, "sweep.updates=10", "sweep.widths=[8,24]"]
    outcome = recipe("laboratory", *overrides, "figures=[attention,reversal,width]")
    assert outcome.code == 0, outcome.err
    trained = sorted(path.name for path in (out / "variants" / "tiny").iterdir())
    assert trained == [
        "bidirectional",
        "forward",
        "general-attention",
        "one-context-vector",
        "prepared",
        "reversed",
        "width-24",
        "width-8",
    ]
    vocabularies = {path.read_bytes() for path in [tiny_run / "tokenizer.model", *out.rglob("tokenizer.model")]}
    assert len(vocabularies) == 1
    result = {
        name: json.loads((out / f"{name}.json").read_text())["found"] for name in ("attention", "reversal", "width")
    }
    assert [curve["name"] for curve in result["attention"]] == ["one context vector", "general attention"]
    assert [point["width"] for point in result["width"][0]["points"]] == [8, 24]
    before = {path: path.stat().st_mtime_ns for path in (out / "variants").rglob("*") if path.is_file()}
    again = recipe("laboratory", *overrides, "figures=[reversal]")
    assert again.code == 0, again.err
    assert {path: path.stat().st_mtime_ns for path in (out / "variants").rglob("*") if path.is_file()} == before
    assert "parameters" not in again.out

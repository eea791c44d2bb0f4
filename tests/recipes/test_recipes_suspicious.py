"""Recipes say when their output can hardly be right."""

import shutil

import pytest


@pytest.fixture
def texts(tmp_path):
    """A source, references and the hypotheses of a broken model."""
    sources = [f"Sentence {number}." for number in range(6)]
    (tmp_path / "source").write_text("".join(f"{line}\n" for line in sources), "utf-8")
    (tmp_path / "references").write_text("Satz.\n" * 5 + "\n", "utf-8")
    (tmp_path / "hypotheses").write_text("the the the the the the\n" * 4 + "\n\n", "utf-8")
    return tmp_path


def test_translation_reports_on_stderr_what_was_cut_off(recipe, tiny_run, texts):
    outcome = recipe("translate", f"run={tiny_run}", f"input={texts / 'source'}")
    assert outcome.code == 0
    assert outcome.out.count("\n") == 6
    assert "suspicious translations of 6 sentences: " in outcome.err
    assert "6 cut off at the maximum length" in outcome.err


def test_translation_of_a_working_model_reports_nothing(recipe, learned_run, texts):
    (texts / "source").write_text("We work.\nWhere is my key?\n\n", "utf-8")
    assert recipe("translate", f"run={learned_run}", f"input={texts / 'source'}").err == ""


def test_evaluation_of_given_translations_reports_blank_and_looping_ones(recipe, texts):
    files = [f"data.test.source={texts / 'source'}", f"data.test.target={texts / 'references'}"]
    outcome = recipe("evaluate", f"hypotheses={texts / 'hypotheses'}", *files)
    assert outcome.code == 0, outcome.err
    first, second = outcome.err.splitlines()
    assert first == "blank: 1 of 6 references, 2 outputs"
    assert second.startswith("suspicious translations of 6 sentences: 2 blank, 4 looping")


def test_a_comparison_reports_them_for_each_system(recipe, texts):
    (texts / "good").write_text("Satz.\n" * 5 + "Satz!\n", "utf-8")
    systems = f"systems=[{texts / 'hypotheses'},{texts / 'good'}]"
    files = [f"data.test.source={texts / 'source'}", f"data.test.target={texts / 'references'}"]
    outcome = recipe("compare", systems, *files, "bootstrap=10", "randomization=10")
    assert outcome.code == 0, outcome.err
    first, second, third = outcome.err.splitlines()
    assert first == f"{texts / 'hypotheses'}: blank: 1 of 6 references, 2 outputs"
    assert second.startswith(f"{texts / 'hypotheses'}: suspicious translations of 6 sentences: 2 blank, 4 looping")
    assert third == f"{texts / 'good'}: blank: 1 of 6 references, 0 outputs"


def test_evaluation_of_an_ensemble_reports_blank_references(recipe, tiny_run, texts):
    files = [f"data.test.source={texts / 'source'}", f"data.test.target={texts / 'references'}"]
    run = texts / "run"
    shutil.copytree(tiny_run, run)
    outcome = recipe("evaluate", f"run={run}", f"ensemble=[{tiny_run}]", *files, "bootstrap=10")
    assert outcome.code == 0, outcome.err
    assert "greedy: blank: 1 of 6 references, " in outcome.err
    assert "beam: blank: 1 of 6 references, " in outcome.err

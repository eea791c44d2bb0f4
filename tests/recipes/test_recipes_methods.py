"""Recipes with every search method, documents, scoring and suggestions."""

import io
import json
import shutil
import sys

import pytest

TEXT = "We work.\n\nWhere is my key?\n"


@pytest.fixture
def stdin(monkeypatch):
    """``stdin(text)`` sets the standard input of the next recipe."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_every_method_by_its_group(recipe, stdin, learned_run):
    for options in (
        ["search=sampling", "search.top_p=0.9", "n_best=3"],
        ["search=diverse_beam", "n_best=3"],
        ["search=minimum_bayes_risk", "search.samples=6", "n_best=3"],
        ["search=greedy", "prefix=Das Ha"],
        ["search.beam_size=3", "phrases=[Haus,Mann]"],
    ):
        stdin(TEXT)
        outcome = recipe("translate", f"run={learned_run}", "json=true", *options)
        assert outcome.code == 0, outcome.err
        first, blank, _ = map(json.loads, outcome.out.splitlines())
        assert (first["source"], blank["translation"]) == ("We work.", "")
        assert 1 <= len(first.get("n_best", [first])) <= 3
        assert ("utility" in first) == ("search=minimum_bayes_risk" in options)
        assert first["translation"].startswith("Das Ha") or "prefix=Das Ha" not in options
        assert "Haus" in first["translation"] or "phrases=[Haus,Mann]" not in options


@pytest.mark.parametrize("group", ["greedy", "beam"])
def test_a_search_override_wins_over_the_method_of_the_run(recipe, stdin, tiny_run, tmp_path, group):
    own = tmp_path / "own"
    shutil.copytree(tiny_run, own)
    config = (own / "config.yaml").read_text("utf-8")
    assert "  method: beam\n" in config
    changed = config.replace("  method: beam\n", "  method: sampling\n").replace("  n_best: 1\n", "  n_best: 9\n")
    (own / "config.yaml").write_text(changed, "utf-8")
    result = []
    for run in (tiny_run, own):
        stdin(TEXT)
        outcome = recipe("translate", f"run={run}", f"search={group}", "search.n_best=1", "json=true")
        assert outcome.code == 0, outcome.err
        result.append(outcome.out)
    assert result[0] == result[1]
    stdin(TEXT)
    assert recipe("translate", f"run={own}", f"search={group}").code == 0, "the run's n_best does not prevent streaming"


def test_streaming_prints_the_same_translation(recipe, stdin, tiny_run):
    result = []
    for stream in ("true", "false"):
        stdin(TEXT)
        result.append(recipe("translate", f"run={tiny_run}", f"stream={stream}", "beam_size=1").out)
    assert result[0] == result[1]
    assert result[0].count("\n") == 3


def test_contradictory_settings_give_one_line(recipe, stdin, tiny_run):
    for options, message in (
        (["search=sampling", "phrases=[Haus]"], "error: search.method=sampling cannot force phrases"),
        (["stream=true", "json=true"], "error: stream=true shows a single translation"),
        (["search.top_k=3"], "error: search.top_k=3 does nothing with search.method=beam"),
        (["search.temperature=0"], "error: search.temperature must be in [1e-30, 1e+30], got 0"),
        (["search.temperature=1e-46"], "error: search.temperature must be in [1e-30, 1e+30], got 1e-46"),
        (["language_model_weight=0.5"], "error: language_model_weight=0.5 does nothing without a language model"),
        (
            ["search=sampling", "search.beam_size=3"],
            "error: search.beam_size=3 does nothing with search.method=sampling",
        ),
        (["n_best=2"], "error: n_best translations are written as JSON only"),
        (["copy=unknown"], "error: copy=unknown replaces <unk>"),
    ):
        stdin(TEXT)
        outcome = recipe("translate", f"run={tiny_run}", *options)
        assert outcome.code == 1
        assert outcome.err.startswith(message)
        assert outcome.err.count("\n") == 1


def test_a_document_keeps_its_layout(recipe, tiny_run, tmp_path):
    (tmp_path / "in.txt").write_text("  We work. Where is my key?\n\n- We work.\n")
    (tmp_path / "terms.tsv").write_text("key\tSchlüssel\n", encoding="utf-8")
    outcome = recipe(
        "document",
        f"run={tiny_run}",
        f"input={tmp_path / 'in.txt'}",
        f"output={tmp_path / 'out.txt'}",
        f"glossary={tmp_path / 'terms.tsv'}",
        "copy=numbers",
    )
    assert outcome.code == 0, outcome.err
    first, blank, last, end = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert first.startswith("  ")
    assert "Schlüssel" in first
    assert (blank, last[:2], end) == ("", "- ", "")


def test_pairs_are_scored_and_words_suggested(recipe, tiny_run, tmp_path):
    (tmp_path / "en").write_text("We work.\n\n")
    (tmp_path / "de").write_text("Wir arbeiten.\nDas Haus.\n")
    pairs = [f"run={tiny_run}", f"source={tmp_path / 'en'}", f"target={tmp_path / 'de'}"]
    plain, reported = recipe("score", *pairs), recipe("score", *pairs, "json=true")
    assert plain.code == reported.code == 0, plain.err
    values = [json.loads(line) for line in reported.out.splitlines()]
    assert plain.out.splitlines() == [f"{one['log_probability']:.4f}" for one in values]
    assert values[0]["tokens"][-1][0] == "</s>"
    assert sum(value for _, value in values[0]["tokens"]) == pytest.approx(values[0]["log_probability"])
    assert "2 pairs, " in plain.err
    assert "perplexity" in plain.err
    words = recipe("suggest", f"run={tiny_run}", "source=We work.", "prefix=D", "json=true")
    assert words.code == 0, words.err
    assert all(one["word"].startswith("D") for one in json.loads(words.out)["words"])

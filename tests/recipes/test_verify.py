"""recipes/verify.py as a user runs it."""

import json

import pytest


@pytest.fixture
def own(tmp_path):
    """Overrides with one claim that takes no time, in a folder of its own."""

    def overrides(found: float) -> list[str]:
        figure = r"{name: BLEU, shown: 'BLEU 40.0', expected: 40, spread: 1, pattern: 'BLEU ([0-9.]+)'}"
        claim = (
            f"{{name: quick, text: nothing, command: 'echo BLEU {found}', "
            f"run: ['mkdir -p {{folder}}', 'echo BLEU {found}'], figures: [{figure}]}}"
        )
        return ["claim=quick", f"output={tmp_path}", f"claims=[{claim}]"]

    return overrides


def test_without_a_name_claims_are_listed_and_none_is_run(recipe, monkeypatch):
    monkeypatch.setattr("seq2seq.claims.run", None)
    outcome = recipe("verify")
    assert (outcome.code, outcome.err) == (0, "")
    assert "demo: the main job" in outcome.out
    assert "  make demo\n  about 8 min\n  BLEU, greedy: BLEU " in outcome.out
    assert "about 28 min; needs Multi30k" in outcome.out


def test_a_claim_that_holds(recipe, own, tmp_path):
    outcome = recipe("verify", *own(40.6))
    assert outcome.code == 0, outcome.err
    assert outcome.out == "BLEU: 40.6, claimed 40 ± 1 (README.md: BLEU 40.0): holds\n"
    written = json.loads((tmp_path / "quick.json").read_text())
    assert written["figures"][0]["found"] == 40.6
    assert written["figures"][0]["holds"] is True
    assert written["commands"] == ["mkdir -p {folder}", "echo BLEU 40.6"]
    # What was measured once is not measured again by chance in the same folder.
    outcome = recipe("verify", *own(40.6))
    assert outcome.code == 1
    assert "is there already" in outcome.err
    assert recipe("verify", *own(40.6), "resume=true").code == 0


def test_a_claim_that_does_not_is_exit_code_1(recipe, own, tmp_path):
    outcome = recipe("verify", *own(38.9))
    assert outcome.code == 1
    assert outcome.out.endswith("does not hold\n")
    assert outcome.err.endswith(f"error: claim quick does not hold: BLEU (see {tmp_path}/quick.json)\n")
    assert json.loads((tmp_path / "quick.json").read_text())["figures"][0]["holds"] is False


def test_an_unknown_claim_is_one_line(recipe):
    outcome = recipe("verify", "claim=dmeo")
    assert outcome.code == 1
    assert outcome.err.startswith("error: there is no claim dmeo; did you mean demo?")
    assert outcome.err.count("\n") == 1

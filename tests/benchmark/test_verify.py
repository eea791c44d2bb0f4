"""The claims of RESULTS.md: the document contains them, and the tool measures them."""

import json
import re
import sys
from pathlib import Path

import pytest

from seq2seq.errors import ConfigError, RunError
from tests.tools.verify import (
    Bound,
    ClaimConfig,
    FigureConfig,
    Finding,
    find_claim,
    read_config,
    runnable,
    verify,
)

ROOT = Path(__file__).parents[2]
CLAIMS = read_config([]).claims
BLOCKS = (ROOT / "recipes" / "RESULTS.md").read_text(encoding="utf-8").split("\n\n")


def beside(shown: str, command: str) -> bool:
    """Return whether RESULTS.md contains both close to each other."""
    for number, block in enumerate(BLOCKS):
        near = " ".join("\n".join(BLOCKS[max(0, number - 1) : number + 3]).split())
        if shown in " ".join(block.split()) and command in near:
            return True
    return False


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.name for claim in CLAIMS])
def test_the_document_has_every_figure_next_to_its_command(claim):
    assert claim.figures
    for figure in claim.figures:
        assert beside(figure.shown, claim.command), f"RESULTS.md does not show {figure.shown} next to {claim.command}"
        numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", figure.shown)]
        assert figure.expected in numbers, f"{figure.shown} does not contain {figure.expected}"
        assert figure.spread > 0, "measured figures vary"
        assert (figure.pattern is None) != (figure.file is None and figure.key is None)
        if figure.bound is Bound.within and "[" in figure.shown:  # with an interval: the spread is its wider half
            low, high = numbers[1:]
            assert figure.spread == pytest.approx(max(high - figure.expected, figure.expected - low))


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.name for claim in CLAIMS])
def test_a_claim_runs_the_command_that_is_shown_in_its_own_folder(claim, recipe, tmp_path):
    first = claim.commands()[0].replace(" run={folder}", "").replace(" output={folder}", "")
    if claim.command.startswith("make "):
        target = claim.command.removeprefix("make ")
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        made = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
        assert {"python recipes/train.py": "python -m seq2seq.demo"}[first] in made, "test_commands: the demo trains"
    else:
        assert first == claim.command
    for line in claim.commands():
        assert "{folder}" in line
        name, *arguments = re.match(r"python recipes/(\w+)\.py (.*)", line.replace("{folder}", str(tmp_path)))[
            0
        ].split()[1:]
        outcome = recipe(Path(name).stem, *arguments, "--cfg", "job")
        assert outcome.code == 0, outcome.err


def test_names_of_claims_are_unique_and_patterns_match_the_right_number():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    printed = "beam\n  BLEU   40.9 [39.5, 42.4]  nrefs:1|bs:1000|seed:12345|case:mixed|eff:no\n  chrF   63.0\n"
    patterns = {figure.pattern for claim in CLAIMS for figure in claim.figures if figure.pattern}
    matched = {pattern: re.findall(pattern, printed) for pattern in patterns if "case:mixed" in pattern}
    assert list(matched.values()) == [["40.9"]]


def claim_of(*commands: str, **figure) -> ClaimConfig:
    settings = {"name": "BLEU", "shown": "BLEU 40.0", "expected": 40.0, "spread": 1.0, **figure}
    return ClaimConfig(name="mine", command=commands[0], run=list(commands), figures=[FigureConfig(**settings)])


def test_a_figure_is_found_in_the_output(tmp_path, capfd):
    claim = claim_of("echo BLEU 10.0", "echo 'BLEU 41,000.5'", pattern=r"BLEU ([\d.,]+)", scale=0.001)
    (finding,) = verify(claim, tmp_path / "f", ["x=1"])
    assert finding.value == pytest.approx(41.0005)
    assert not finding.holds
    printed = capfd.readouterr().err
    assert "$ echo BLEU 10.0 x=1\nBLEU 10.0 x=1\n" in printed  # arguments go to the first command
    assert "BLEU 41,000.5\n" in printed


def test_a_figure_is_found_in_a_file(tmp_path):
    folder = tmp_path / "f"
    text = json.dumps({"test": [{"bleu": 39.2}]})
    claim = claim_of(f"mkdir {{folder}}; echo '{text}' > {{folder}}/s.json", file="s.json", key="test.0.bleu")
    (finding,) = verify(claim, folder, [])
    assert finding.value == 39.2
    assert finding.holds
    assert str(finding) == "BLEU: 39.2, claimed 40 ± 1 (RESULTS.md: BLEU 40.0): holds"


@pytest.mark.parametrize(
    ("bound", "held"),
    [(Bound.within, [False, True, True, False]), (Bound.at_least, [False, True, True, True]),
     (Bound.at_most, [True, True, True, False])],
)  # fmt: skip
def test_a_bound_is_open_on_one_side(bound, held):
    figure = FigureConfig(name="ratio", expected=5.4, spread=0.2, bound=bound, shown="5.4")
    assert [Finding(figure, result).holds for result in (5.1, 5.2, 5.6, 5.7)] == held
    words = {Bound.within: "5.4 ± 0.2", Bound.at_least: "at least 5.2", Bound.at_most: "at most 5.6"}[bound]
    assert f"claimed {words} " in str(Finding(figure, 5.1))


@pytest.mark.parametrize(
    ("command", "figure", "error", "words"),
    [
        ("echo oops; exit 3", {"pattern": "(x)"}, RunError, "ended with code 3: oops; the claim was not checked"),
        ("true", {"pattern": "(x)"}, ConfigError, "matches nothing in 0 lines"),
        ("echo x", {"pattern": "(x)"}, ConfigError, "is not a number"),
        ("true", {"pattern": "x"}, ConfigError, "must have one group"),
        ("true", {"pattern": "("}, ConfigError, "is not a regular expression"),
        ("true", {}, ConfigError, "needs a pattern, or a file and a key"),
        ("true", {"file": "nowhere.json", "key": "a"}, ConfigError, "nowhere.json has no a"),
    ],
)
def test_a_claim_that_cannot_be_checked_gives_one_line(tmp_path, command, figure, error, words):
    with pytest.raises(error) as raised:
        list(verify(claim_of(command, **figure), tmp_path, []))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_commands_of_the_documents_are_run_by_this_python_in_this_clone(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/a b/python")
    monkeypatch.chdir(ROOT)
    line = runnable("python recipes/train.py run={folder}", Path("a b/c"), ["x=[1, 2]"])
    assert line == "'/a b/python' recipes/train.py run='a b/c' 'x=[1, 2]'"
    monkeypatch.chdir(ROOT / "tests")
    assert runnable("python recipes/train.py", Path("f"), []) == "'/a b/python' ../recipes/train.py"
    assert runnable("make demo", Path("f"), []) == "make demo"


def test_a_claim_is_found_by_its_name():
    claim = claim_of("true", pattern="(x)")
    assert find_claim([claim], "mine") is claim
    with pytest.raises(ConfigError, match=r"no claim mein; did you mean mine\? \(there are: mine\)"):
        find_claim([claim], "mein")
    claim.figures = []
    with pytest.raises(ConfigError, match="has no figure"):
        find_claim([claim], "mine")


@pytest.fixture
def own(tmp_path):
    """Return overrides with one fast claim in a separate folder."""

    def overrides(found: float) -> list[str]:
        figure = r"{name: BLEU, shown: 'BLEU 40.0', expected: 40, spread: 1, pattern: 'BLEU ([0-9.]+)'}"
        claim = (
            f"{{name: quick, text: nothing, command: 'echo BLEU {found}', "
            f"run: ['mkdir -p {{folder}}', 'echo BLEU {found}'], figures: [{figure}]}}"
        )
        return ["claim=quick", f"output={tmp_path}", f"claims=[{claim}]"]

    return overrides


def test_without_a_name_claims_are_listed_and_not_run(tool, monkeypatch):
    monkeypatch.setattr("tests.tools.verify.run", None)
    outcome = tool("verify")
    assert (outcome.code, outcome.err) == (0, "")
    assert "demo: the main job" in outcome.out
    assert "  make demo\n  about 8 min\n  BLEU, greedy: BLEU " in outcome.out
    assert "about 28 min; needs Multi30k" in outcome.out


def test_a_claim_that_holds(tool, own, tmp_path):
    outcome = tool("verify", *own(40.6))
    assert outcome.code == 0, outcome.err
    assert outcome.out == "BLEU: 40.6, claimed 40 ± 1 (RESULTS.md: BLEU 40.0): holds\n"
    written = json.loads((tmp_path / "quick.json").read_text())
    assert written["figures"][0]["found"] == 40.6
    assert written["figures"][0]["holds"] is True
    assert written["commands"] == ["mkdir -p {folder}", "echo BLEU 40.6"]
    # An existing output folder is not measured again.
    outcome = tool("verify", *own(40.6))
    assert outcome.code == 1
    assert "already exists" in outcome.err
    assert tool("verify", *own(40.6), "resume=true").code == 0


def test_a_claim_that_does_not_hold_gives_exit_code_1(tool, own, tmp_path):
    outcome = tool("verify", *own(38.9))
    assert outcome.code == 1
    assert outcome.out.endswith("does not hold\n")
    assert outcome.err.endswith(f"error: claim quick does not hold: BLEU (see {tmp_path}/quick.json)\n")
    assert json.loads((tmp_path / "quick.json").read_text())["figures"][0]["holds"] is False


def test_an_unknown_claim_gives_one_line(tool):
    outcome = tool("verify", "claim=dmeo")
    assert outcome.code == 1
    assert outcome.err.startswith("error: there is no claim dmeo; did you mean demo?")
    assert outcome.err.count("\n") == 1

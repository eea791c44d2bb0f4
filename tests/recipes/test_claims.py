"""Claims: that those of README.md stand there, and how any is checked."""

import json
import re
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from seq2seq.claims import Bound, ClaimConfig, FigureConfig, Finding, VerifyConfig, find_claim, runnable, verify
from seq2seq.config.hydra import register
from seq2seq.errors import ConfigError, RunError
from seq2seq.settings import validate

ROOT = Path(__file__).parents[2]


def claims() -> list[ClaimConfig]:
    """The claims of conf/verify.yaml."""
    register()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = OmegaConf.to_object(compose("verify"))
    assert isinstance(config, VerifyConfig)
    validate(config)
    return config.claims


CLAIMS = claims()
BLOCKS = (ROOT / "README.md").read_text(encoding="utf-8").split("\n\n")


def beside(shown: str, command: str) -> bool:
    """Whether README.md shows both, not far from each other."""
    for number, block in enumerate(BLOCKS):
        near = " ".join("\n".join(BLOCKS[max(0, number - 1) : number + 3]).split())
        if shown in " ".join(block.split()) and command in near:
            return True
    return False


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.name for claim in CLAIMS])
def test_every_figure_stands_in_the_readme_next_to_its_command(claim):
    assert claim.figures
    for figure in claim.figures:
        assert beside(figure.shown, claim.command), f"README.md does not show {figure.shown} beside {claim.command}"
        numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", figure.shown)]
        assert figure.expected in numbers, f"{figure.shown} does not hold {figure.expected}"
        assert figure.spread > 0, "nothing measured twice is the same to the last digit"
        assert (figure.pattern is None) != (figure.file is None and figure.key is None)
        if figure.bound is Bound.within and "[" in figure.shown:  # with an interval: the spread is its wider half
            low, high = numbers[1:]
            assert figure.spread == pytest.approx(max(high - figure.expected, figure.expected - low))


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim.name for claim in CLAIMS])
def test_what_is_run_is_the_command_that_is_shown_in_a_folder_of_its_own(claim, recipe, tmp_path):
    first = claim.commands()[0].replace(" run={folder}", "").replace(" output={folder}", "")
    if claim.command.startswith("make "):
        target = claim.command.removeprefix("make ")
        makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
        assert f"{first} run=runs/" in re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[1]
    else:
        assert first == claim.command
    for line in claim.commands():
        assert "{folder}" in line
        name, *arguments = re.match(r"python recipes/(\w+)\.py (.*)", line.replace("{folder}", str(tmp_path)))[
            0
        ].split()[1:]
        outcome = recipe(Path(name).stem, *arguments, "--cfg", "job")
        assert outcome.code == 0, outcome.err


def test_claims_have_names_of_their_own_and_figures_that_are_searched_for_well():
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)
    printed = "beam\n  BLEU   40.9 [39.5, 42.4]  nrefs:1|bs:1000|seed:12345|case:mixed|eff:no\n  chrF   63.0\n"
    patterns = {figure.pattern for claim in CLAIMS for figure in claim.figures if figure.pattern}
    matched = {pattern: re.findall(pattern, printed) for pattern in patterns if "case:mixed" in pattern}
    assert list(matched.values()) == [["40.9"]]


def claim_of(*commands: str, **figure) -> ClaimConfig:
    settings = {"name": "BLEU", "shown": "BLEU 40.0", "expected": 40.0, "spread": 1.0, **figure}
    return ClaimConfig(name="mine", command=commands[0], run=list(commands), figures=[FigureConfig(**settings)])


def test_a_figure_is_found_in_what_is_printed(tmp_path, capfd):
    claim = claim_of("echo BLEU 10.0", "echo 'BLEU 41,000.5'", pattern=r"BLEU ([\d.,]+)", scale=0.001)
    (finding,) = verify(claim, tmp_path / "f", ["x=1"])
    assert finding.found == pytest.approx(41.0005)
    assert not finding.holds
    told = capfd.readouterr().err
    assert "$ echo BLEU 10.0 x=1\nBLEU 10.0 x=1\n" in told  # arguments go to the first command
    assert "BLEU 41,000.5\n" in told


def test_a_figure_is_found_in_a_file(tmp_path):
    folder = tmp_path / "f"
    text = json.dumps({"test": [{"bleu": 39.2}]})
    claim = claim_of(f"mkdir {{folder}}; echo '{text}' > {{folder}}/s.json", file="s.json", key="test.0.bleu")
    (finding,) = verify(claim, folder, [])
    assert finding.found == 39.2
    assert finding.holds
    assert str(finding) == "BLEU: 39.2, claimed 40 ± 1 (README.md: BLEU 40.0): holds"


@pytest.mark.parametrize(
    ("bound", "held"),
    [(Bound.within, [False, True, True, False]), (Bound.at_least, [False, True, True, True]),
     (Bound.at_most, [True, True, True, False])],
)  # fmt: skip
def test_a_bound_is_open_where_it_says(bound, held):
    figure = FigureConfig(name="ratio", expected=5.4, spread=0.2, bound=bound, shown="5.4")
    assert [Finding(figure, found).holds for found in (5.1, 5.2, 5.6, 5.7)] == held
    words = {Bound.within: "5.4 ± 0.2", Bound.at_least: "at least 5.2", Bound.at_most: "at most 5.6"}[bound]
    assert f"claimed {words} " in str(Finding(figure, 5.1))


@pytest.mark.parametrize(
    ("command", "figure", "error", "words"),
    [
        ("echo oops; exit 3", {"pattern": "(x)"}, RunError, "left with code 3: oops; the claim was not checked"),
        ("true", {"pattern": "(x)"}, ConfigError, "matches nothing in 0 lines"),
        ("echo x", {"pattern": "(x)"}, ConfigError, "is no number"),
        ("true", {"pattern": "x"}, ConfigError, "must have one group"),
        ("true", {"pattern": "("}, ConfigError, "is no regular expression"),
        ("true", {}, ConfigError, "needs a pattern, or a file and a key"),
        ("true", {"file": "nowhere.json", "key": "a"}, ConfigError, "nowhere.json has no a"),
    ],
)
def test_what_cannot_be_checked_is_one_line(tmp_path, command, figure, error, words):
    with pytest.raises(error) as raised:
        list(verify(claim_of(command, **figure), tmp_path, []))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_commands_of_the_documents_are_run_from_here(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/seq2seq-verify"])
    line = runnable("python recipes/train.py run={folder}", Path("a b/c"), ["x=[1, 2]"])
    assert line == "seq2seq-train run='a b/c' 'x=[1, 2]'"
    monkeypatch.setattr(sys, "argv", ["recipes/verify.py"])
    assert runnable("python recipes/train.py", Path("f"), []).endswith(" recipes/train.py")
    assert runnable("make demo", Path("f"), []) == "make demo"


def test_a_claim_is_asked_for_by_name():
    claim = claim_of("true", pattern="(x)")
    assert find_claim([claim], "mine") is claim
    with pytest.raises(ConfigError, match=r"no claim mein; did you mean mine\? \(there are: mine\)"):
        find_claim([claim], "mein")
    claim.figures = []
    with pytest.raises(ConfigError, match="states no figure"):
        find_claim([claim], "mine")

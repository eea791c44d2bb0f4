"""The commands of "Your own language in an afternoon" (recipes/README.md) run in order on a made-up spreadsheet."""

import json
import re
import shlex
import tomllib
from itertools import permutations
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

ROOT = Path(__file__).parents[2]
QUICK = [
    *("training.updates=2", "training.validate_every=2", "schedule.warmup=0", "training.samples=0", "logger=none"),
    *("tokenizer.size=300", "batch.tokens=200", "search.max_length_ratio=1", "search.beam_size=2"),
]
"""For train.py: a run of a second. Nothing about the model, so that experiment=auto is taken."""


def commands() -> list[list[str]]:
    """Return the arguments of each command of the section."""
    readme = (ROOT / "recipes" / "README.md").read_text("utf-8").replace("\\\n", " ")
    section = readme.partition("## Your own language in an afternoon\n")[2].partition("\n## ")[0]
    return [shlex.split(line) for line in re.findall(r"^    (.+)$", section, flags=re.MULTILINE)]


def write_workbook(name: str, rows: list[tuple[object, ...]]) -> None:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(name)


@pytest.fixture
def spreadsheets(tmp_path, monkeypatch) -> int:
    """The spreadsheets of a reader, and the number of different filled pairs in the first."""
    monkeypatch.chdir(tmp_path)
    verbs = "ba", "ko", "li", "me", "su", "to"
    pairs = [(f"{a}ra {b}nt {c}x.", f"{c}ja {a}r {b}!") for a, b, c in permutations(verbs, 3)]
    rows = [(number, *pair, "note") for number, pair in enumerate(pairs)]
    rows[5:5] = [rows[0], (None,) * 4, (7, "only English", None, None), (8, "two\nlines", "doi\nrighes", None)]
    write_workbook("sentences.xlsx", [("id", "English", "Ladin", "note"), *rows])
    write_workbook("new.xlsx", [("English", "page"), ("bara kont lix.", 1), ("kora bant mex.", 2)])
    return len(pairs) + 1


def test_the_section_goes_from_a_spreadsheet_to_a_page(recipe, spreadsheets):
    named = []
    for program, *arguments in commands():
        if program.endswith("python") and "pip" in arguments:
            extras = re.fullmatch(r"\.\[(.*)\]", arguments[-1])[1].split(",")
            project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
            assert set(extras) <= project["optional-dependencies"].keys()
        if program != "python":
            continue
        name = Path(arguments.pop(0)).stem
        named.append(name)
        extra = {"train": QUICK, "serve": ["--cfg", "job"]}.get(name, [])
        outcome = recipe(name, *arguments, *extra)
        assert outcome.code == 0, outcome.err
        if name == "doctor":
            assert "the first row is a header: source 'English', target 'Ladin'" in outcome.out
        if name == "train":
            assert "own text without data= or experiment=: using experiment=auto" in outcome.out
    assert named == ["doctor", "doctor", "train", "evaluate", "translate", "train", "train", "serve"]

    rows = Path("sentences.clean.tsv").read_text("utf-8").splitlines()
    assert rows[0] == "English\tLadin"
    assert len(rows) == 1 + spreadsheets
    assert "two lines\tdoi righes" in rows
    translated = list(load_workbook("translated.xlsx").active.values)
    assert [row[:2] for row in translated] == [("English", "page"), ("bara kont lix.", 1), ("kora bant mex.", 2)]
    assert translated[0][2] == "lld"
    sets = {run: pairs(run) for run in ("ladin", "ladin2", "english")}
    assert sum(map(len, sets["ladin"].values())) == spreadsheets
    assert sets["ladin"] == sets["ladin2"]
    assert sets["english"] == {name: [pair[::-1] for pair in each] for name, each in sets["ladin"].items()}, (
        "the header row decides the direction"
    )


def pairs(run: str) -> dict[str, list[tuple[str, str]]]:
    """The pairs of each set of a run."""
    return {
        file.stem: [(row["source"], row["target"]) for row in map(json.loads, file.read_text("utf-8").splitlines())]
        for file in Path(f"runs/{run}/pairs").iterdir()
    }

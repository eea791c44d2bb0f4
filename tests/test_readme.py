"""Examples in the documents work: commands compose, Python runs, make targets exist."""

import csv
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from textwrap import dedent

import pytest

import seq2seq
from seq2seq import Request, SearchConfig, Translator
from seq2seq.config.schemas import CHOICES, RECIPES
from seq2seq.settings import walk

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *(ROOT / name for name in ("recipes/README.md", "recipes/RESULTS.md", "conf/README.md")),
]
PAGES = [*DOCUMENTS, *ROOT.glob("recipes/**/*.py")]


def commands() -> list[str]:
    """Return every documented recipe command, without pipes and redirections."""
    result = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        result += re.findall(r"(?:python|torchrun(?: --[^ ]+)+) (recipes/[a-z]+\.py(?: [^\n`|<>\"{]*)?)", text)
    return sorted({" ".join(command.split()) for command in result})


NAMES = {
    "run", "runs", "ensemble", "language_model", "systems", "source", "target", "file", "input", "output", "prefixes",
    "glossary", "hypotheses", "text", "prefix", "phrases", "start", "claim",
}  # fmt: skip
"""Last parts of settings that accept any name or text; commands may differ in their values."""


GROUPS = {*CHOICES, *(path.name for path in (ROOT / "conf").iterdir() if path.is_dir())}
"""Overrides that choose an option of a config group, which determines the valid settings."""


def chosen(settings: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name in GROUPS}


def together() -> list[tuple[str, dict[str, str]]]:
    """Return recipes with the combined overrides of commands with equal choices and no conflicting values."""
    merged: list[tuple[str, dict[str, str]]] = []
    for command in commands():
        program, *arguments = shlex.split(command)
        if any(word.startswith("-") for word in arguments):
            continue
        own = dict(word.split("=", 1) for word in arguments)
        fixed = {name: value for name, value in own.items() if name.split(".")[-1] not in NAMES}
        for other, settings in merged:
            compatible = other == program and chosen(settings) == chosen(own)
            if compatible and all(settings.get(name, value) == value for name, value in fixed.items()):
                settings.update(own)
                break
        else:
            merged.append((program, own))
    return merged


@pytest.mark.parametrize(("program", "settings"), together())
def test_documented_commands_compose_together(recipe, program, settings):
    overrides = [f"{name}={value}" for name, value in settings.items()]
    outcome = recipe(Path(program).stem, *overrides, "--cfg", "job")
    assert outcome.code == 0, outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_a_documented_command_composes(recipe, command, capsys):
    program, *arguments = shlex.split(command)
    if "--config-dir" in arguments or "-m" in arguments:
        pytest.skip("names a folder of the reader's own, or is a sweep: test_config runs both")
    name = Path(program).stem
    if "--help" not in arguments:
        arguments += [] if "--cfg" in arguments else ["--cfg", "job"]
    outcome = recipe(name, *arguments)
    assert outcome.code == 0, outcome.err


def test_commands_are_found():
    assert len(commands()) > 10


TINY_NETWORK = [
    *("training.updates=2", "training.validate_every=2", "schedule.warmup=0", "search.max_length_ratio=1"),
    *("model.embedding_size=8", "model.encoder.size=8", "model.decoder.size=16", "tokenizer.size=300"),
]


@pytest.fixture
def documented(tmp_path, monkeypatch) -> Callable[[str], None]:
    """Run documented code as it is written, beside a made-up pairs.tsv and pairs.csv, but with a tiny network."""
    words = [
        first + second for first in ("ba", "ko", "li", "me", "su", "to") for second in ("n", "ra", "t", "vi", "xu")
    ]
    rows = [(f"{a}, {b} is {c}.", f"{c.upper()} {a} {b}!") for a, b, c in permutations(words[:8], 3)]
    monkeypatch.chdir(tmp_path)
    Path("pairs.tsv").write_text("".join("\t".join(row) + "\n" for row in [("vi", "en"), *rows]), encoding="utf-8")
    with open("pairs.csv", "w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(rows)
    trained = seq2seq.train

    def train(data, folder, experiment=None, overrides=(), on_validation=None):
        return trained(data, folder, experiment, [*TINY_NETWORK, *overrides], on_validation)

    monkeypatch.setattr(seq2seq, "train", train)
    return lambda code: exec(compile(code, "README.md", "exec"), {})


def test_the_python_in_the_readme_runs(learned_run, documented, capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    translating, training = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    documented(translating.replace("runs/demo", str(learned_run)))
    assert len(capsys.readouterr().out.split("\n")) == 8
    documented(training)
    validation, score = capsys.readouterr().out.splitlines()
    assert validation.startswith("Validation(update=2, loss=")
    assert "tok:13a" in score
    # The header names the languages: "vi" is on the left in the file, and the target of the run.
    assert '"source": "' in Path("runs/vi/pairs/test.jsonl").read_text(encoding="utf-8")
    first = json.loads(Path("runs/vi/pairs/train.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert first["source"].isupper() or first["source"].endswith("!")
    assert first["target"].endswith(".")


def test_training_from_python_works_as_shown(documented, capsys):
    readme = (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")
    section = readme.partition("### Train from Python\n\n")[2].partition("\n`overrides` are settings")[0]
    for block in re.findall(r"(?:^(?:    .*)?\n)+", section, flags=re.MULTILINE):
        documented(dedent(block))
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert "ba" in Path("runs/mine/pairs/train.jsonl").read_text(encoding="utf-8")
    assert json.loads(Path("runs/mine/split.json").read_text())["sizes"] == [80, 10, 10]


def test_the_python_in_the_readme_of_the_recipes_runs(tiny_run):
    readme = (ROOT / "recipes" / "README.md").read_text(encoding="utf-8")
    lines = re.findall(r"^    (translator\..*)$", readme, flags=re.MULTILINE)
    assert any("SearchConfig(method=" in line for line in lines)
    names = {"translator": Translator.load(tiny_run), "Request": Request, "SearchConfig": SearchConfig}
    for line in lines:
        exec(compile(line, "recipes/README.md", "exec"), names)


def test_documented_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in DOCUMENTS:
        for target in re.findall(r"(?:`|^    )make ([a-z]+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"\n{target}:" in makefile


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_gpu_uses_the_given_python():
    def commands(*words: str) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHON"}
        return subprocess.run(
            ["make", "-n", "gpu", *words], cwd=ROOT, env=environment, capture_output=True, text=True
        ).stdout

    given = commands("PYTHON=python3")
    assert "python3 recipes/benchmark.py device=cuda" in given
    assert "python3 -m pytest -m gpu" in given
    assert ".venv" not in given
    assert ".venv/bin/python recipes/benchmark.py device=cuda" in commands()
    limits = [int(seconds) for seconds in re.findall(r"timeout (\d+)", given)]
    assert sum(limits) <= 8 * 60


@pytest.mark.slow
def test_gpu_tests_are_collected_when_they_run_alone():
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "gpu",
        "--collect-only",
        "-p",
        "no:cacheprovider",
        "tests/test_gpu.py",
    ]
    completed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout
    assert "test_float16_has_the_loss_of_float32" in completed.stdout


@pytest.mark.ci
@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_gpu_without_a_gpu_prints_what_to_do(tmp_path):
    words = ["make", "gpu", f"PYTHON={sys.executable}", f"GPU_OUTPUT={tmp_path / 'gpu'}"]
    completed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)  # conftest.py hides GPUs
    assert completed.returncode != 0
    assert re.search(r"^PyTorch \S+ sees no GPU\. If nvidia-smi lists one, install .* make test", completed.stderr)
    assert not (tmp_path / "gpu").exists()


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_links_have_a_target():
    for page in DOCUMENTS:
        for path, anchor in re.findall(r"\]\(([^)#:]*)#?([^):]*)\)", page.read_text(encoding="utf-8")):
            target = page.parent / path if path else page
            assert target.exists(), f"{page}: {path}"
            assert not anchor or anchor in anchors(target), f"{page}: {path}#{anchor}"


def test_settings_in_the_documents_exist():
    names = {name for schema in RECIPES.values() for name, *_ in walk(schema())}
    names |= {name for group, kinds in CHOICES.items() for kind in kinds.values() for name, *_ in walk(kind(), group)}
    sections = {name[: dot.start()] for name in names for dot in re.finditer(r"\.", name)}
    files = {"csv", "html", "json", "log", "png", "py", "safetensors", "txt", "yaml"}  # endings
    python = {"data.report"}  # an attribute of what `Corpus.split` returns
    for page in [*DOCUMENTS, ROOT / "CHANGELOG.md"]:
        for name in re.findall(r"`([a-z_]+(?:\.[a-z0-9_]+)+)[`=]", page.read_text(encoding="utf-8")):
            first, *_, last = name.split(".")
            if first in sections and last not in files:
                assert name in names | sections | python, f"{page}: there is no setting {name}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150

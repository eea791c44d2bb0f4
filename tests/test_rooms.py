"""The plan of the house: which room may look into which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "seq2seq").rglob("*.py"))

# Rooms (folders, or files at the top) that each room may import; errors and settings may be imported everywhere.
COMMON = {"errors", "settings"}
ALLOWED = {
    "errors": set(),
    "settings": set(),
    "system": set(),
    "report": {"system"},
    "weights": {"system", "model"},
    "text": {"system"},
    "data": {"system", "text"},
    "model": {"system"},
    "search": {"system"},
    "score": {"text"},
    "alignment": set(),
    "shortlist": {"weights", "data", "alignment"},
    "train": {"system", "weights", "data", "model"},
    "translation": {"system", "text", "data", "model", "search", "score", "shortlist", "run"},
    "reward": {"system", "text", "data", "model", "search", "train", "translation"},
    "start": {"weights", "text", "model", "run", "opening", "embeddings"},
    "embeddings": {"text", "model"},
    "run": {"system", "weights", "text", "data", "model", "search", "shortlist"},
    "opening": {"system", "run"},
    "averaging": {"weights", "model", "train", "run"},
    "translate": {"system", "text", "search", "shortlist", "translation", "run", "inspect"},
    "documents": {"text", "search", "translation", "translate"},
    "translate_config": {"model", "search", "translation"},
    "asking": {"system", "text", "translation", "translate", "translate_config"},
    "language_model": {"system", "text", "data", "search", "translation", "run", "inspect"},
    "sharing": {"system", "search", "translation", "translate"},
    "bar": {"translation"},
    "synthesis": {"system", "text", "search", "score", "translate", "bar"},
    "evaluation": {
        "system",
        "text",
        "data",
        "model",
        "search",
        "score",
        "train",
        "translation",
        "run",
        "translate",
        "language_model",
        "sharing",
        "provenance",
    },
    "benchmark": {
        "system",
        "report",
        "weights",
        "text",
        "data",
        "model",
        "search",
        "train",
        "translation",
        "run",
        "opening",
        "translate",
        "serving",
    },
    "doctor": {"system", "report", "text"},
    "inspect": {"system", "report", "text", "data", "model", "search", "score", "translation"},
    "laboratory": {
        "system",
        "report",
        "text",
        "data",
        "model",
        "search",
        "score",
        "train",
        "run",
        "opening",
        "translate",
        "translation",
        "evaluation",
        "recipe_config",
    },
    "provenance": {"run", "text"},
    "comparison": {"system", "report", "text", "score", "run", "provenance", "usage"},
    "claims": {"usage"},
    "serving": {"model", "translation", "translate", "inspect", "system"},
    "recipe_config": {"text", "data", "model", "search", "shortlist", "train", "embeddings", "doctor"},
    "ignored_settings": {"text", "model", "train", "recipe_config", "usage"},
    "usage": set(),
    "config": {
        "system",
        "train",
        "translate_config",
        "benchmark",
        "inspect",
        "laboratory",
        "comparison",
        "claims",
        "serving",
        "recipe_config",
        "usage",
    },
    "__init__": {"system", "search", "score", "translation", "translate", "language_model"},
}


def room(path: Path) -> str:
    return path.relative_to(ROOT / "seq2seq").with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """Modules a file imports, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_its_neighbours(path):
    own = room(path)
    rooms = {name.split(".")[1] for name in imported(path) if name.startswith("seq2seq.")}
    assert rooms - COMMON - {own} <= ALLOWED[own]


def test_only_the_config_file_knows_hydra():
    assert [path.name for path in FILES if any(name.split(".")[0] == "hydra" for name in imported(path))] == [
        "config.py"
    ]


def test_nothing_imports_recipes_or_configs():
    for path in FILES:
        assert not any(
            name.startswith(("recipes", "conf", "seq2seq.recipes", "seq2seq.conf")) for name in imported(path)
        )


@pytest.mark.parametrize("folder", ["model", "search"])
def test_state_goes_in_and_comes_out(folder):
    """No attribute is assigned outside __init__."""
    for path in (ROOT / "seq2seq" / folder).glob("*.py"):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef) or function.name == "__init__":
                continue
            for node in ast.walk(function):
                targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
                assert not any(
                    isinstance(target, ast.Attribute) and getattr(target.value, "id", "") == "self"
                    for target in targets
                ), f"{path}:{node.lineno} keeps state"


def test_the_top_of_the_house():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert folders - {"runs", "build", "dist"} - {path.name for path in ROOT.glob("*.egg-info")} == {
        "seq2seq",
        "conf",
        "recipes",
        "tests",
    }

"""The plan of the house: which room may look into which, and where a file's test is found."""

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
    "processes": set(),
    "device": {"processes"},
    "atomic": set(),
    "out_of_memory": set(),
    "lock": {"atomic", "processes"},
    "weights": {"atomic", "model"},
    "workers": set(),
    "text": {"atomic", "lock", "workers"},
    "data": {"text", "atomic", "lock", "processes", "workers"},
    "model": set(),
    "search": set(),
    "score": set(),
    "alignment": set(),
    "shortlist": {"data", "weights", "alignment"},
    "train": {"data", "model", "device", "weights", "atomic", "processes"},
    "similarity": set(),
    "reward": {"text", "data", "model", "search", "train", "device", "similarity"},
    "start": {"text", "model", "run", "weights"},
    "embeddings": {"text", "model"},
    "run": {"atomic", "text", "data", "model", "search", "weights", "shortlist"},
    "opening": {"run", "atomic", "lock", "processes"},
    "member": {"text", "data", "model", "device", "run", "shortlist"},
    "averaging": {"model", "run", "train", "weights"},
    "translation": {"search"},
    "members": {"text", "data", "model", "search", "shortlist", "member"},
    "copying": {"text", "translation"},
    "answer": {"text", "search", "similarity", "members", "copying", "translation"},
    "batching": {"text", "data", "search", "members", "out_of_memory", "translation"},
    "interactive": {"text", "search", "members", "answer", "batching", "translation"},
    "scoring": {"text", "data", "search", "members", "answer", "batching", "translation"},
    "translate": {
        "search",
        "device",
        "run",
        "shortlist",
        "member",
        "members",
        "answer",
        "batching",
        "interactive",
        "scoring",
        "translation",
        "inspect",
    },
    "documents": {"text", "search", "translate", "translation"},
    "translate_config": {"model", "search", "translation"},
    "asking": {"text", "atomic", "translate", "translate_config", "translation"},
    "language_model": {"text", "data", "search", "device", "run", "member", "inspect"},
    "sharing": {"processes", "search", "batching", "translate", "translation"},
    "bar": {"batching"},
    "synthesis": {"text", "translate", "atomic", "bar"},
    "evaluation": {
        "text",
        "data",
        "model",
        "search",
        "device",
        "train",
        "score",
        "atomic",
        "run",
        "member",
        "translate",
        "translation",
        "language_model",
        "processes",
        "sharing",
        "out_of_memory",
        "provenance",
    },
    "benchmark": {
        "text",
        "data",
        "model",
        "search",
        "train",
        "device",
        "weights",
        "atomic",
        "opening",
        "run",
        "translate",
        "translation",
        "member",
        "serving",
    },
    "doctor": {"text", "atomic"},
    "inspect": {"text", "data", "model", "search", "score", "member", "members", "atomic"},
    "laboratory": {
        "text",
        "data",
        "model",
        "search",
        "train",
        "device",
        "atomic",
        "lock",
        "recipe_config",
        "opening",
        "run",
        "translate",
        "evaluation",
        "score",
    },
    "provenance": {"run"},
    "comparison": {"text", "score", "run", "provenance", "atomic", "usage"},
    "claims": {"usage"},
    "serving": {"model", "inspect", "translate", "translation"},
    "recipe_config": {"doctor", "embeddings", "shortlist", "text", "data", "model", "search", "train"},
    "usage": set(),
    "config": {
        "atomic",
        "benchmark",
        "recipe_config",
        "train",
        "usage",
        "processes",
        "out_of_memory",
        "claims",
        "comparison",
        "inspect",
        "laboratory",
        "serving",
        "translate_config",
    },
    "__init__": {"score", "search", "translate", "translation", "language_model"},
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


def test_every_file_has_its_test():
    tests = {path.name for path in (ROOT / "tests").glob("test_*.py")}
    missing = [
        str(path.relative_to(ROOT))
        for path in FILES
        if path.stem != "__init__"
        and not {f"test_{path.stem}.py", f"test_{path.parent.name}_{path.stem}.py"} & tests
        and path.stem not in {"errors", "types"}
    ]
    assert missing == []


def test_the_top_of_the_house():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert folders - {"runs", "build", "dist"} - {path.name for path in ROOT.glob("*.egg-info")} == {
        "seq2seq",
        "conf",
        "recipes",
        "tests",
    }

"""Import rules: the packages that each package may import."""

import ast
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "seq2seq").rglob("*.py"))

# The packages that each package may import; all may import errors, settings, old names of settings, and the text
# functions of the portable package, which imports no other.
COMMON = {"errors", "settings", "config.renamed", "portable"}
ALLOWED = {
    "errors": set(),
    "settings": set(),
    "portable": set(),
    "system": set(),
    "report": {"system"},
    "grammar": set(),
    "corpora": {"grammar", "system"},
    "tokenizer": {"corpora", "system"},
    "data": {"corpora", "system", "tokenizer"},
    "model": {"system"},
    "search": {"system"},
    "metrics": {"corpora"},
    "inference": {"data", "model", "search", "system", "tokenizer"},
    "run": {"corpora", "data", "inference", "model", "search", "system", "tokenizer"},
    "training": {"corpora", "data", "model", "run", "system", "tokenizer"},
    "analysis": {"corpora", "data", "inference", "metrics", "model", "report", "search", "system", "tokenizer"},
    "translation": {
        *{"analysis", "corpora", "data", "inference", "metrics", "model", "run", "search", "system", "tokenizer"},
        "training",  # samples for minimum-risk training
    },
    "evaluation": {
        *{"corpora", "data", "inference", "metrics", "model", "run", "search", "system", "tokenizer", "training"},
        "translation",
    },
    "comparison": {"corpora", "metrics", "report", "run", "system", "tokenizer"},
    "doctor": {"corpora", "metrics", "report", "system", "tokenizer"},
    "export": {"corpora", "inference", "model", "run", "search", "system", "tokenizer", "translation"},
    "serving": {"analysis", "corpora", "inference", "system", "translation"},
    "benchmark": {
        *{"corpora", "data", "inference", "model", "report", "run", "search", "serving", "system", "tokenizer"},
        *{"training", "translation"},
    },
    "config": {
        *{"corpora", "data", "doctor", "inference", "model", "report", "search", "system", "tokenizer", "training"},
        "translation",
    },
    "figures": {
        *{"config", "corpora", "data", "evaluation", "inference", "metrics", "model", "report", "run", "search"},
        *{"system", "tokenizer", "training", "translation"},
    },
    "config.renamed": set(),
    "config.schemas": {
        *{"analysis", "benchmark", "comparison", "config", "figures", "report", "serving", "training", "translation"},
    },
    "config.sweep_table": {"report", "system"},
    "config.sweep_job": {"auto", "config", "config.schemas", "config.sweep_table", "run", "system", "training"},
    "config.sweep": {
        *{"config", "config.schemas", "config.sweep_job", "config.sweep_table", "report", "run", "system", "training"}
    },
    "config.help": {"config.schemas", "report"},
    "config.hydra": {"config", "config.help", "config.schemas", "config.sweep", "config.sweep_job", "system"},
    "config.preflight": {"auto", "config", "config.hydra", "config.schemas", "corpora", "system"},
    "__main__": {"__init__", "config", "config.preflight", "config.schemas", "report", "system"},
    "demo": {"__main__"},
    "auto": {"config", "corpora", "run", "system", "tokenizer"},
    "pipeline": {  # training uses all packages between text and weights
        *{"analysis", "config", "corpora", "data", "evaluation", "model", "run", "system", "tokenizer", "training"},
        "translation",
    },
    "api": {
        *{"auto", "config", "config.hydra", "corpora", "evaluation", "metrics", "model", "pipeline", "run", "system"},
        *{"training", "translation"},
    },
    "__init__": {"api", "corpora", "metrics", "search", "system", "translation"},
}


SEPARATE = (
    *("config.help", "config.hydra", "config.preflight", "config.renamed", "config.schemas", "config.sweep"),
    *("config.sweep_job", "config.sweep_table"),
)


def room_of(module: str) -> str:
    """Return the package of a module below seq2seq; modules of config that import other packages are separate."""
    return module if module in SEPARATE else module.split(".")[0]


def room(path: Path) -> str:
    return room_of(".".join(path.relative_to(ROOT / "seq2seq").with_suffix("").parts))


@cache
def imported(path: Path) -> set[str]:
    """Return the dotted names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_its_allowed_packages(path):
    own = room(path)
    rooms = {room_of(name.removeprefix("seq2seq.")) for name in imported(path) if name.startswith("seq2seq.")}
    assert rooms - (COMMON if own != "portable" else set()) - {own} <= ALLOWED[own]


def test_the_portable_package_imports_three_packages():
    """It is copied into exported folders, where nothing else is installed."""
    names = {name for path in FILES if room(path) == "portable" for name in imported(path)}
    others = {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"seq2seq"}
    assert others == {"numpy", "onnxruntime", "sentencepiece"}


def test_packages_have_no_import_cycle():
    TopologicalSorter(ALLOWED).prepare()  # raises CycleError with the names of the cycle


def test_only_six_modules_of_config_import_hydra():
    """Composing, the schemas of what is composed, help with their values, errors in one line, and sweeps."""
    files = [path for path in FILES if any(name.split(".")[0] == "hydra" for name in imported(path))]
    assert [f"{path.parent.name}/{path.name}" for path in files] == [
        "config/error_lines.py",
        "config/help.py",
        "config/hydra.py",
        "config/schemas.py",
        "config/sweep.py",
        "config/sweep_job.py",
    ]


def test_nothing_imports_recipes_or_configs():
    for path in FILES:
        assert not any(name.removeprefix("seq2seq.").split(".")[0] in ("recipes", "conf") for name in imported(path))


@pytest.mark.parametrize("folder", ["model", "search"])
def test_no_attribute_is_assigned_after_init(folder):
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


def test_the_top_level_files_are_listed():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "__"))}
    assert folders - {"runs", "build", "dist"} - {path.name for path in ROOT.glob("*.egg-info")} == {
        "seq2seq",
        "conf",
        "recipes",
        "tests",
    }

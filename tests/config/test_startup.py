"""Help, the version and mistakes in arguments are answered without PyTorch and other slow packages."""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from seq2seq.config.schemas import RECIPES
from seq2seq.settings import walk

SLOW = [
    "torch",
    "numpy",
    "sentencepiece",
    "sacrebleu",
    "datasets",
    "pyarrow",
    "matplotlib",
    "tensorboard",
    "safetensors",
]
PROGRAM = """
import importlib, io, json, sys
from contextlib import redirect_stderr, redirect_stdout

*cases, names, slow = map(json.loads, sys.argv[1:])
for name in names:
    importlib.import_module(f"seq2seq.recipes.{name}")
    assert not set(slow) & sys.modules.keys(), (name, set(slow) & sys.modules.keys())
for name, argument in cases:
    sys.argv = [f"{name}.py", *([argument] if argument else [])]
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            importlib.import_module(f"seq2seq.recipes.{name}").main()
            code = 0
        except SystemExit as exit:
            code = exit.code
    assert not set(slow) & sys.modules.keys(), (name, argument, set(slow) & sys.modules.keys())
    print(json.dumps([name, argument, code, out.getvalue(), err.getvalue()]))
"""


def mistakes(recipes: list[str]) -> list[tuple[str, str]]:
    """A value out of range and an unknown setting of some recipes, and values that contradict each other."""
    too_low = {
        name: f"{path}={item.metadata['bounds']['at_least'] - 1}"
        for name in recipes
        for path, item, _ in walk(RECIPES[name]())
        if "at_least" in item.metadata.get("bounds", {})
    }
    unknown = [(name, "nonsense=1") for name in recipes]
    return [*too_low.items(), *unknown, ("compare", ""), ("train", "schedule.warmup=9999")]


@pytest.mark.parametrize("recipes", [["train"], pytest.param(["translate", "serve"], marks=pytest.mark.ci)])
def test_help_and_mistakes_are_answered_without_slow_packages(recipes):
    """The decorator of recipes answers mistakes for all; each composing takes a third of a second."""
    answered = [("train", argument) for argument in ("--help", "--version", "--hydra-help")] + [("serve", "--help")]
    cases = [json.dumps(case) for case in (*mistakes(recipes), *answered)]
    command = [sys.executable, "-c", PROGRAM, *cases, json.dumps([*RECIPES]), json.dumps(SLOW)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name, argument, code, out, err in map(json.loads, done.stdout.splitlines()):
        if argument.startswith("--"):
            assert (code, err) == (0, ""), (name, argument)
            assert out.strip()
        else:
            assert code == 1, (name, argument)
            assert err.startswith("error: "), (name, argument)
            assert err.count("\n") == 1


def test_recipes_of_a_clone_that_is_not_installed_are_one_line(tmp_path):
    for path in sorted((Path(__file__).parents[2] / "recipes").glob("[a-z]*.py")):
        command = [sys.executable, "-S", str(path)]  # without site-packages
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        assert (done.returncode, done.stdout) == (1, ""), path
        advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
        assert done.stderr == f"error: seq2seq is not installed: {advice}\n", path


@pytest.mark.parametrize(
    "package", ["seq2seq", *(f"seq2seq.{name}" for name in ["inference", "model", "search", "training"])]
)
def test_every_public_name_of_a_lazy_package_can_be_imported(package):
    module = importlib.import_module(package)
    for name in module.__all__:
        assert not isinstance(getattr(module, name), ModuleType), f"{package}.{name} hides a module"
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nonsense'"):
        module.nonsense  # noqa: B018

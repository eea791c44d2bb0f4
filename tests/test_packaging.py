"""The wheel contains recipes and configs and works without a clone."""

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import TINY

ROOT = Path(__file__).parents[1]


def test_the_wheel_names_every_package():
    """Without building it, which takes minutes: the tests run in the clone, where a forgotten package is found."""
    named = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "seq2seq").rglob("*.py")}
    assert sorted(named) == sorted({".".join(folder.parts) for folder in folders} | {"seq2seq.recipes", "seq2seq.conf"})


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.slow
def test_the_wheel_contains_every_config_and_recipe(wheel):
    assert wheel.name.startswith("recurrent_translation-"), "seq2seq in package indexes is another project"
    names = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert f"seq2seq/conf/{path.relative_to(ROOT / 'conf')}" in names
    for path in (ROOT / "recipes").glob("*.py"):
        assert f"seq2seq/recipes/{path.name}" in names
    for path in (ROOT / "seq2seq").rglob("*.py"):
        assert str(path.relative_to(ROOT)) in names


@pytest.mark.slow
def test_the_wheel_trains_and_translates_without_a_clone(wheel, tmp_path):
    site = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site), str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(site)}

    def run(name: str, *arguments: str, text: str = "") -> str:
        code = (
            f"import seq2seq; assert {str(site)!r} in seq2seq.__file__; from seq2seq.recipes.{name} import main; main()"
        )
        command = [sys.executable, "-c", code, *arguments]
        completed = subprocess.run(command, input=text, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert completed.returncode == 0, completed.stderr
        return completed.stdout

    assert "BLEU" in run("train", "run=here", "model=attention", *TINY)
    assert run("translate", "run=here", text="We work.\n\n").count("\n") == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "prepared", "site"]

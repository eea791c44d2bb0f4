"""Reading an exported folder, its command line, and that nothing of it needs PyTorch."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from textwrap import dedent

import pytest
from translators import SENTENCES

from seq2seq import Translator
from seq2seq.portable.__main__ import main
from seq2seq.portable.errors import PortableError
from seq2seq.portable.translator import Translator as PortableTranslator

ROOT = Path(__file__).parents[2]
IMPORTS = """
import sys
import seq2seq.portable.__main__
from seq2seq.portable import Translator
rooms = {name.split(".")[1] for name in sys.modules if name.startswith("seq2seq.")}
assert rooms <= {"portable", "system"}, rooms
assert not {"torch", "safetensors", "hydra", "datasets", "onnx"} & sys.modules.keys()
"""


@pytest.fixture(scope="module")
def folder(exported) -> Path:
    return exported.folder


@pytest.fixture(scope="module")
def expected(folder) -> list[str]:
    return [str(each) for each in Translator.load(folder, "cpu", engine="torch").translate(SENTENCES)]


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    shutil.copytree(folder, tmp_path / "copy")
    return tmp_path / "copy"


def test_importing_the_package_imports_neither_torch_nor_other_packages_of_seq2seq():
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)


def test_the_copied_program_translates_without_torch_and_seq2seq(folder, expected, tmp_path):
    """Modules that cannot be imported stand in their place."""
    for name in ("torch", "seq2seq", "safetensors", "onnx"):
        (tmp_path / f"{name}.py").write_text("raise ImportError", "utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    assert translated(sys.executable, folder, environment) == expected


def translated(python: str, folder: Path, environment: dict[str, str], *options: str) -> list[str]:
    """Lines that the program in the folder writes, started elsewhere."""
    command = [python, str(folder / "translate.py"), *options]
    text = "\n".join(SENTENCES)
    done = subprocess.run(command, input=text, capture_output=True, encoding="utf-8", env=environment, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.slow
def test_the_folder_translates_in_an_environment_with_three_packages(copy, expected, tmp_path):
    venv.create(tmp_path / "empty", with_pip=False)
    python = str(tmp_path / "empty" / ("Scripts" if os.name == "nt" else "bin") / "python")
    install = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "-r",
        str(copy / "requirements.txt"),
    ]
    outcome = subprocess.run(install, capture_output=True, text=True)
    if outcome.returncode and "CI" not in os.environ:
        pytest.skip(f"packages cannot be downloaded: {outcome.stderr[-200:]}")
    assert outcome.returncode == 0, outcome.stderr
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    assert subprocess.run([python, "-c", "import torch"], capture_output=True, env=environment).returncode == 1
    for engine in ("onnx", "numpy"):
        assert translated(python, copy, environment, "--engine", engine) == expected
    assert "40 translations are those" in translated(python, copy, environment, "--check")[0]


def test_the_python_of_the_guide_runs(folder, monkeypatch):
    guide = (ROOT / "recipes" / "README.md").read_text("utf-8")
    code = re.search(r"((?:    .*\n)*    from seq2seq_portable import.*\n(?:    .*\n)*)", guide)[1]
    monkeypatch.syspath_prepend(folder)
    names: dict[str, object] = {}
    exec(dedent(code).replace('"exported"', repr(str(folder))), names)
    assert type(names["translator"]).__module__ == "seq2seq_portable.translator"
    for name in [name for name in sys.modules if name.startswith("seq2seq_portable")]:
        monkeypatch.delitem(sys.modules, name)


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    out, err = capsys.readouterr()
    return code, out, err


def test_the_command_line_translates_arguments_and_lines(folder, expected, capsys, monkeypatch):
    assert run(capsys, str(folder), *SENTENCES) == (0, "".join(f"{line}\n" for line in expected), "")
    lines = io.TextIOWrapper(io.BytesIO("".join(f"{line}\r\n" for line in SENTENCES).encode()), encoding="cp1252")
    monkeypatch.setattr(sys, "stdin", lines)
    assert run(capsys, str(folder), "--engine", "numpy")[1].splitlines() == expected


def test_json_has_scores_and_alternatives(folder, capsys):
    code, out, _ = run(capsys, str(folder), "--json", "--n-best", "3", "--beam-size", "4", "--shortlist", SENTENCES[0])
    found = json.loads(out)
    wanted = PortableTranslator.load(folder, shortlist=True).translate(SENTENCES[0], beam_size=4, n_best=3)
    assert (code, found["source"], found["translation"]) == (0, SENTENCES[0], wanted.text)
    assert [each["score"] for each in found["n_best"]] == [each.score for each in wanted.n_best]


def test_check_compares_all_translations(folder, capsys):
    code, out, _ = run(capsys, str(folder), "--check")
    assert (code, "40 translations are those of the exporting device" in out) == (0, True)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("config.json", None, "is not an exported model"),
        ("config.json", lambda old: b"{}", "is damaged"),
        ("config.json", lambda old: b"[" * 10_000, "cannot be read"),
        (
            "config.json",
            lambda old: old.replace(b'"format": 1', b'"format": 2'),
            "has format 2, and this program reads format 1",
        ),
        ("config.json", lambda old: old.replace(b'"beam_size"', b'"beam"'), "unknown search setting beam"),
        ("config.json", lambda old: old.replace(b'"layers": 2', b'"layers": 3'), "does not fit the other files"),
        ("config.json", lambda old: old.replace(b'"special"', b'"spec"'), "does not fit the other files"),
        ("model.safetensors", None, "cannot be read|is damaged"),
        ("model.safetensors", lambda old: old[:-1], "is damaged"),
        ("model.safetensors", lambda old: old[:-4] + b"\0\0\0\1", "checksum mismatch"),
        ("model.safetensors", lambda old: b"\xff" * 100, "is damaged"),
        ("tokenizer.model", lambda old: b"x", "cannot be read"),
        ("tokenizer.model", None, "cannot be read"),
        ("check.json", lambda old: b"{}", "is damaged"),
        ("check.json", lambda old: old.replace(b'"log_probability": -', b'"log_probability": -9'), "does not compute"),
    ],
)
def test_damage_is_one_line_that_says_what_to_do(copy, capsys, file, change, message):
    old = (copy / file).read_bytes()
    (copy / file).unlink()
    if change is not None:
        (copy / file).write_bytes(change(old))
    code, out, err = run(capsys, str(copy), "--engine", "numpy", "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert re.search(f"^error: .*({message})", err)


def test_engines_are_chosen_by_what_is_there(copy, monkeypatch):
    assert "onnx" in repr(PortableTranslator.load(copy))
    (copy / "step.onnx").unlink()
    assert "numpy" in repr(PortableTranslator.load(copy))
    with pytest.raises(PortableError, match="engine must be one of auto, onnx, numpy, got torch"):
        PortableTranslator.load(copy, "torch")
    monkeypatch.setattr("seq2seq.portable.translator.find_spec", lambda name: None)
    with pytest.raises(PortableError, match="engine=onnx needs onnxruntime: python -m pip install onnxruntime"):
        PortableTranslator.load(copy, "onnx")

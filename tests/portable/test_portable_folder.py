"""Reading an exported folder, its command line, and that nothing of it needs PyTorch."""

import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from translators import SENTENCES

from seq2seq import Translator
from seq2seq.model.weights import save_tensors
from seq2seq.portable.__main__ import main
from seq2seq.portable.check import check_translator
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import read_tensors, read_weights
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
        (
            "check.json",
            lambda old: old.replace(b'"log_probability": -', b'"log_probability": -9'),
            "gives other results",
        ),
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


def damage(folder: Path, file: str, change: Callable[[Any], object]) -> None:
    """Change the content of a JSON file."""
    content = json.loads((folder / file).read_text("utf-8"))
    change(content)
    (folder / file).write_text(json.dumps(content), "utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["text"]["source"].update(file="../tokenizer.model"), "is not the name of a tokenizer"),
        (lambda c: c["text"]["target"].update(file="/dev/zero"), "is not the name of a tokenizer"),
        (lambda c: c["text"]["source"].update(tags=None), "does not fit the other files"),
        (lambda c: c["vocabulary"].update(source=5), "does not fit the other files"),
        (lambda c: c["special"].update(eos=-1), "special has the ids"),
        (lambda c: c["special"].update(bos=10**30), "special has the ids"),
        (lambda c: c["model"]["decoder"].update(layers=10**9), "has 2 layers in the weights"),
        (lambda c: c["model"]["decoder"].update(layers=1), "has 2 layers in the weights"),
        (lambda c: c["model"].update(attention="other"), "attention=other is unknown"),
        (lambda c: c["model"]["decoder"].update(cell="other"), "cell=other is unknown"),
        (lambda c: c["search"].update(beam_size=10**9), "beam_size must be .* at most 10,000, got 1000000000"),
        (lambda c: c["search"].update(max_length_ratio=1e300), "max_length_ratio must be .* at most 100"),
        (lambda c: c["search"].update(length_penalty=10**400), "length_penalty must be .* at most 10, got 1000"),
    ],
)
def test_settings_that_cannot_be_are_one_line_before_anything_is_translated(copy, capsys, change, message):
    (copy / "check.json").unlink()
    damage(copy, "config.json", change)
    code, out, err = run(capsys, str(copy), "--engine", "numpy", "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert re.search(f"^error: .*{message}", err)
    assert len(err) < 500


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda entries: entries.update(a={"dtype": "I8", "shape": [9], "data_offsets": [0, 9]}), "header is wrong"),
        (lambda entries: entries["output.bias"].update(shape=[-1]), "header is wrong"),
        (lambda entries: entries["output.bias"].update(shape=[2**62, 2**62]), "header is wrong"),
        (lambda entries: entries["output.bias"].update(data_offsets=[-8, -4]), "header is wrong"),
        (lambda entries: entries.update(a={"dtype": "I8", "shape": [2**60], "data_offsets": None}), "is damaged"),
    ],
)
def test_a_header_that_claims_other_bytes_allocates_nothing(copy, capsys, engine, change, message):
    """A thousand names for the same bytes would fill the memory with copies of them."""
    content = (copy / "model.safetensors").read_bytes()
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    change(header)
    text = json.dumps(header).encode()
    (copy / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + content[end:])
    code, out, err = run(capsys, str(copy), "--engine", engine, "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert re.search(f"^error: .*model.safetensors is damaged.*{message}", err) or message in err


def test_scales_of_another_size_are_not_broadcast(exported, tmp_path):
    weights = read_tensors(exported.int8 / "model.safetensors")
    name = next(name for name in weights if name.endswith(".scales"))
    torch_weights = {key: torch.from_numpy(value.copy()) for key, value in weights.items()}
    save_tensors({**torch_weights, name: torch.ones(1)}, tmp_path / "model.safetensors")
    with pytest.raises(PortableError, match="has other scales"):
        read_weights(tmp_path / "model.safetensors")


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(copy, capsys, engine, number):
    """Both engines: graphs refer to the weights, and onnxruntime checks neither numbers nor their checksum."""
    (copy / "check.json").unlink()
    weights = {name: torch.from_numpy(each.copy()) for name, each in read_tensors(copy / "model.safetensors").items()}
    weights["output.bias"][3] = number
    save_tensors(weights, copy / "model.safetensors")
    code, out, err = run(capsys, str(copy), "--engine", engine, "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "output.bias has numbers that are not finite" in err


def test_a_changed_bit_is_found_before_onnxruntime_computes_with_it(copy):
    content = bytearray((copy / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (copy / "model.safetensors").write_bytes(content)
    with pytest.raises(PortableError, match="checksum mismatch"):
        PortableTranslator.load(copy, "onnx", check=False)


@pytest.mark.parametrize(
    "change",
    [
        lambda lists: lists["translations"].__setitem__((0, 0), 10**6),
        lambda lists: lists["frequent"].__setitem__(0, -2),
        lambda lists: lists.update(translations=lists["translations"][:-1]),
        lambda lists: lists.update(translations=lists["translations"][0]),
        lambda lists: lists.pop("frequent"),
    ],
)
def test_a_shortlist_of_other_vocabularies_is_refused(copy, capsys, change):
    file = copy / "shortlist.safetensors"
    lists = {name: each.copy() for name, each in read_tensors(file).items()}
    change(lists)
    save_tensors({name: torch.from_numpy(each.copy()) for name, each in lists.items()}, file)
    code, out, err = run(capsys, str(copy), "--shortlist", "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert re.search(r"shortlist.safetensors is (of other vocabularies|not a shortlist): copy or export it again", err)


def test_graphs_of_another_model_are_found_before_anything_is_translated(copy, capsys):
    (copy / "check.json").unlink()
    shutil.copy(copy / "encoder.onnx", copy / "step.onnx")
    code, out, err = run(capsys, str(copy), "--engine", "onnx", "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "does not fit the other files" in err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("file", ["check.json", "model.safetensors", "tokenizer.model"])
@pytest.mark.parametrize("kind", ["pipe", "endless"])
def test_what_is_no_file_is_not_read(copy, capsys, file, kind):
    """Reading it would never end."""
    (copy / file).unlink()
    if kind == "pipe":
        os.mkfifo(copy / file)
    else:
        (copy / file).symlink_to("/dev/zero")
    code, out, err = run(capsys, str(copy), "--engine", "numpy", "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "not a regular file" in err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sentence: sentence.update(source="a " * 1_000), "its tokens differ"),
        (lambda sentence: sentence["greedy"].update(tokens=[5] * 10_000), "longer than the search allows"),
        (lambda sentence: sentence["greedy"].update(log_probability=math.nan), "differs by nan"),
        (lambda sentence: sentence["greedy"].update(tokens=[5], score=math.nan), "instead of nan"),
        (lambda sentence: sentence.update(source=None), "is damaged"),
    ],
)
def test_a_check_that_cannot_be_passed_ends_at_once(copy, capsys, change, message):
    damage(copy, "check.json", lambda content: change(content["sentences"][0]))
    code, out, err = run(capsys, str(copy), "--engine", "numpy", "a")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert message in err


def test_lines_end_at_line_feeds_only(folder, capsys, monkeypatch):
    """A carriage return or U+2028 inside a line would shift all lines after it."""
    lines = "a\rb\n\u2028c\x85d\r\n\x0ce\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines.encode()), encoding="utf-8"))
    code, out, _ = run(capsys, str(folder), "--json")
    sources = [json.loads(line)["source"] for line in out.removesuffix("\n").split("\n")]
    assert (code, sources) == (0, ["a\rb", "\u2028c\x85d", "\x0ce"])


@pytest.mark.parametrize(
    ("encoding", "before"), [("cp1252", 1), ("utf-16", 0), ("utf-16-le", 0), ("utf-16-be", 0), ("shift_jis", 1)]
)
def test_input_that_is_not_utf8_is_an_error_that_names_its_line(folder, capsys, monkeypatch, encoding, before):
    """Lines before it are translated, and nothing after."""
    special = "子供は本を読む" if encoding == "shift_jis" else "el niño come"
    data = f"Wir arbeiten.\n{special}\nWir.\n".encode(encoding)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))
    code, out, err = run(capsys, str(folder), "--engine", "numpy")
    assert (code, out.count("\n")) == (1, before)
    assert re.fullmatch(rf"error: line {before + 1} of standard input is not UTF-8: save .* as UTF-8.*\n", err)


def test_bytes_that_are_no_text_are_written_as_valid_json(folder):
    """Python passes such bytes of the command line as lone surrogates."""
    command = [sys.executable, str(folder / "translate.py"), "--json", b"\xff"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert json.loads(done.stdout)["source"] == "\udcff"


def test_a_shortlist_changes_nothing_of_the_check(folder):
    """Scores with a shortlist are others, since only its tokens share the probability."""
    translator = PortableTranslator.load(folder, "numpy", shortlist=True)
    assert check_translator(translator, folder) == 40
    assert translator.shortlist is not None


def test_engines_are_chosen_by_what_is_there(copy, monkeypatch):
    assert "onnx" in repr(PortableTranslator.load(copy))
    (copy / "step.onnx").unlink()
    assert "numpy" in repr(PortableTranslator.load(copy))
    with pytest.raises(PortableError, match="engine must be one of auto, onnx, numpy, got torch"):
        PortableTranslator.load(copy, "torch")
    monkeypatch.setattr("seq2seq.portable.translator.find_spec", lambda name: None)
    with pytest.raises(PortableError, match="engine=onnx needs onnxruntime: python -m pip install onnxruntime"):
        PortableTranslator.load(copy, "onnx")


def test_an_onnxruntime_that_cannot_be_imported_is_named(exported, monkeypatch):
    """One that was built for NumPy 1 is installed, and raises an ImportError without a text."""
    monkeypatch.setitem(sys.modules, "seq2seq.portable.onnx_engine", None)
    advice = "python -m pip install onnxruntime --upgrade, or set engine=numpy"
    with pytest.raises(PortableError, match=rf"^onnxruntime cannot be imported \(.+\): {advice}$"):
        PortableTranslator.load(exported.int8)

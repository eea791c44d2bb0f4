"""Exporting a run: the folder, what is refused, and the comparison of engines with PyTorch."""

import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from disk import full_disk
from exported_runs import SEARCH, SMALL
from translators import SENTENCES

from seq2seq import Translator
from seq2seq.errors import ConfigError, RunError
from seq2seq.export import limits
from seq2seq.export.folder import check_folder, export
from seq2seq.export.limits import check_exportable
from seq2seq.model import EncoderConfig
from seq2seq.model.weights import load_weights
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import read_config, read_json, read_weights
from seq2seq.portable.translator import Translator as PortableTranslator
from seq2seq.run.folder import RunFolder
from seq2seq.search import Method, SearchConfig
from seq2seq.system import plain_yaml


@pytest.fixture(scope="module")
def run(exported) -> RunFolder:
    return exported.run


@pytest.fixture(scope="module")
def folder(exported) -> Path:
    return exported.folder


def test_the_folder_has_everything_that_translates(folder):
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files >= {
        *("config.json", "model.safetensors", "tokenizer.model", "shortlist.safetensors", "check.json"),
        *("encoder.onnx", "step.onnx", "translate.py", "requirements.txt", "README.md"),
        *("index.html", "service_worker.js", "manifest.webmanifest"),
        *("seq2seq_portable/__init__.py", "seq2seq_portable/translator.py", "seq2seq_portable/LICENSE"),
    }
    assert not any(file.endswith((".js", ".ts", ".wasm", ".pyc")) for file in files - {"service_worker.js"})
    card = (folder / "README.md").read_text("utf-8")
    assert "CC-BY-4.0" in card
    assert "`config.yaml` of the run folder, which is not part of this one, holds all settings." in card
    assert all(b"seq2seq.portable" not in file.read_bytes() for file in (folder / "seq2seq_portable").iterdir())


@pytest.mark.parametrize("engine", ["numpy", "onnx"])
def test_both_engines_translate_as_torch(run, folder, engine):
    portable, reference = PortableTranslator.load(folder, engine), Translator.load(run.path, "cpu", "float32")
    for beam_size in (1, 5):
        found, wanted = (each.translate(SENTENCES, beam_size=beam_size) for each in (portable, reference))
        assert [each.tokens for each in found] == [each.tokens for each in wanted]
        np.testing.assert_allclose([each.score for each in found], [each.score for each in wanted], rtol=1e-4)


def test_config_json_has_everything_by_name(run, folder):
    config = read_config(folder)
    assert list(config) == [
        *("format", "seq2seq", "languages", "licence", "precision", "model", "special", "vocabulary", "text", "search"),
    ]
    assert config["languages"] == {"source": "de", "target": "en"}
    assert config["licence"] == "CC-BY-4.0"
    assert config["model"]["decoder"]["cell"] == "lstm"
    assert "dropout" not in config["model"]
    assert config["text"]["source_tag"] == "<2en>"
    assert "<2en>" in config["text"]["source"]["tags"]
    assert config["search"]["beam_size"] == SEARCH.beam_size


def test_weights_are_read_as_torch_reads_them(run, folder):
    weights = load_weights(run.path / "model.safetensors")
    found = read_weights(folder / "model.safetensors")
    assert found.keys() == weights.keys()
    assert all(np.array_equal(found[name], weights[name].numpy()) for name in weights)
    assert (folder / "model.safetensors").read_bytes() == (run.path / "model.safetensors").read_bytes()


def test_int8_weights_are_those_of_quantize(exported):
    reference = RunFolder.open(exported.int8).load()
    assert reference.quantized
    found = read_weights(exported.int8 / "model.safetensors")
    for name, parameter in reference.network.named_parameters():
        np.testing.assert_allclose(found[name], parameter.detach().numpy(), rtol=1e-6)
    both = PortableTranslator.load(exported.int8), Translator.load(exported.int8, "cpu", "float32", engine="torch")
    found, wanted = ([each.tokens for each in translator.translate(SENTENCES)] for translator in both)
    assert found == wanted


def test_an_exported_folder_opens_as_a_run(run, folder, tmp_path):
    reopened = RunFolder.open(folder)
    assert reopened.section("search", SearchConfig) == SEARCH
    assert reopened.load().source_language == "de"
    export(reopened, tmp_path / "again")
    for name in ("config.json", "model.safetensors", "check.json", "step.onnx"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()


def test_an_exported_folder_is_not_evaluated_on_another_corpus(recipe, folder):
    """Its config.json names no text, and the default would be the built-in corpus."""
    for split in ("test", "validation", "train"):
        outcome = recipe("evaluate", f"run={folder}", f"split={split}")
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert re.search(r"data\.|no test|not-in-the-exported-folder", outcome.err)


def test_check_json_has_twenty_sentences_with_tokens_and_scores(folder):
    sentences = read_json(folder / "check.json")["sentences"]
    assert len(sentences) == 20
    assert len({each["source"] for each in sentences}) == 20
    lengths = [len(each["source_tokens"]) for each in sentences]
    assert lengths == sorted(lengths)
    assert all(each["source"].startswith("<2en> ") for each in sentences)
    assert {each["beam"]["beam_size"] for each in sentences} == {SEARCH.beam_size}
    assert check_folder(folder) == [f"{name}: 40 translations are those of PyTorch" for name in ("numpy", "onnx")]


def test_a_device_that_computes_something_else_says_so(folder, tmp_path):
    """Other weights with a right checksum stand for other arithmetic."""
    shutil.copytree(folder, tmp_path / "copy")
    content = bytearray((tmp_path / "copy" / "model.safetensors").read_bytes())
    content[-40:-20] = np.full(5, 3, np.float32).tobytes()
    content = content.replace(b'"crc32"', b'"crcXX"')
    (tmp_path / "copy" / "model.safetensors").write_bytes(content)
    with pytest.raises(PortableError, match="gives other results than the exporting device"):
        PortableTranslator.load(tmp_path / "copy", "numpy")
    with pytest.raises(RunError, match="check=False skips this check"):
        check_folder(tmp_path / "copy")
    assert PortableTranslator.load(tmp_path / "copy", "numpy", check=False).translate("Wo?").source == "Wo?"


@pytest.mark.parametrize(
    ("model", "search", "message"),
    [
        (replace(SMALL, encoder=EncoderConfig(layers=0)), SEARCH, "model.encoder.layers=0 is a language model"),
        (SMALL, SearchConfig(method=Method.sampling), "search.method=sampling is not exported: set search=beam"),
        (SMALL, SearchConfig(method=Method.diverse_beam), "search.method=diverse_beam is not exported"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_name(model, search, message):
    with pytest.raises(ConfigError, match=message):
        check_exportable(model, search)


def test_a_new_setting_is_refused_until_it_is_exported(monkeypatch):
    monkeypatch.setattr(limits, "MODEL", limits.MODEL - {"coverage"})
    with pytest.raises(ConfigError, match=r"model\.coverage is not exported"):
        check_exportable(SMALL, SEARCH)
    monkeypatch.setattr(limits, "SEARCH", ("beam_size",))
    monkeypatch.setattr(limits, "MODEL", limits.MODEL | {"coverage"})
    with pytest.raises(ConfigError, match=r"search\.length_penalty is not exported"):
        check_exportable(SMALL, SEARCH)


REFUSED = {
    "SafeLoader": r"has half a character \(.*CC \\ud800'\): correct its config.yaml",
    "CSafeLoader": r"config\.yaml is damaged \(.*invalid Unicode character.*line 5.*\): restore it or retrain",
}
"""libyaml refuses half a character where the run is opened; a build of PyYAML may lack it."""


@pytest.mark.parametrize("loader", [loader for loader in REFUSED if hasattr(yaml, loader)])
def test_half_a_character_in_a_setting_is_one_line(run, tmp_path, monkeypatch, loader):
    monkeypatch.setattr(plain_yaml, "LOADER", getattr(yaml, loader))
    shutil.copytree(run.path, tmp_path / "run")
    text = (tmp_path / "run" / "config.yaml").read_text("utf-8").replace("CC-BY-4.0", '"CC \\ud800"')
    (tmp_path / "run" / "config.yaml").write_text(text, "utf-8")
    with pytest.raises(RunError, match=REFUSED[loader]):
        export(RunFolder.open(tmp_path / "run"), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_without_onnx_the_error_says_what_to_install(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "seq2seq.export.onnx_graph", None)
    with pytest.raises(ConfigError, match=r"exporting needs .*: python -m pip install .*\[portable\]"):
        export(run, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_the_recipe_writes_all_or_nothing(recipe, run, tmp_path):
    output = tmp_path / "new" / "folder"
    outcome = recipe("export", f"run={run.path}", f"output={output}", "precision=int8", "beam_size=1")
    assert outcome.code == 0, outcome.err
    assert read_config(output)["search"]["beam_size"] == 1
    assert f"python {output / 'translate.py'}" in outcome.out
    outcome = recipe("export", f"output={output}", "check=true")
    assert (outcome.code, outcome.out.count("are those of PyTorch")) == (0, 2)
    for arguments, message in (
        ([f"output={output}"], "already exists"),
        ([f"output={tmp_path / 'x'}", "search=sampling"], "search.method=sampling is not exported"),
        ([f"output={tmp_path / 'x'}", f"run={tmp_path / 'none'}"], "is not a run folder"),
    ):
        outcome = recipe("export", f"run={run.path}", *arguments)
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1
        assert message in outcome.err
    with full_disk(3000):
        outcome = recipe("export", f"run={run.path}", f"output={tmp_path / 'x'}")
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "free some space" in outcome.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]
    assert [path.name for path in output.parent.iterdir()] == ["folder"]

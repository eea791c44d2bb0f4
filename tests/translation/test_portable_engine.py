"""seq2seq.Translator with onnxruntime: which engine it takes, and that translations are equal."""

import logging
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from translators import SENTENCES

from seq2seq import Request, Translator
from seq2seq.errors import ConfigError, RunError
from seq2seq.search import SearchConfig
from seq2seq.translation import portable_engine
from seq2seq.translation.portable_engine import EngineChoice


@pytest.fixture(scope="module")
def folder(exported) -> Path:
    return exported.folder


@pytest.fixture(scope="module")
def forced(folder) -> Translator:
    return Translator.load(folder, engine="onnx")


@pytest.fixture(scope="module")
def reference(folder) -> Translator:
    return Translator.load(folder, "cpu", engine="torch")


def equal(found, wanted) -> bool:
    return (
        found.tokens == wanted.tokens
        and found.text == wanted.text
        and np.isclose(found.score, wanted.score, rtol=1e-4)
        and len(found.n_best) == len(wanted.n_best)
        and all(map(equal, found.n_best, wanted.n_best))
    )


@pytest.mark.parametrize("options", [{"beam_size": 1}, {"beam_size": 3, "n_best": 3}, {"attention": True}])
def test_both_engines_translate_equally(forced, reference, options):
    assert (forced.portable.forced, reference.portable) == (True, None)
    texts = [*SENTENCES, "", " ".join(SENTENCES * 20)]
    found, wanted = (each.translate(texts, **options) for each in (forced, reference))
    assert all(map(equal, found, wanted))
    assert equal(forced.translate(texts[0], **options), wanted[0])
    for own, other in zip(found, wanted, strict=True):
        assert (own.attention is None) == (other.attention is None)
        assert own.attention is None or torch.allclose(own.attention, other.attention, atol=1e-4)
    assert all(map(equal, forced.translate_all(iter(texts), **options), wanted))


def test_streams_are_equal(forced, reference):
    found, wanted = (list(each.stream(SENTENCES[0], beam_size=1)) for each in (forced, reference))
    assert [each.text for each in found] == [each.text for each in wanted]


def test_auto_takes_onnxruntime_for_single_sentences(folder, forced, caplog, monkeypatch):
    with caplog.at_level(logging.INFO, "seq2seq"):
        translator = Translator.load(folder, "cpu")
    assert f"{folder}: engine=onnx, single sentences" in caplog.text
    assert "onnxruntime" in repr(translator)
    used = []
    translate = portable_engine.PortableEngine.translate
    monkeypatch.setattr(
        portable_engine.PortableEngine, "translate", lambda *args: used.append(args[1].text) or translate(*args)
    )
    assert equal(translator.translate(SENTENCES[0]), forced.translate(SENTENCES[0]))
    translator.translate(SENTENCES)
    translator.translate(SENTENCES[1], prefix="Th")
    translator.translate(SENTENCES[1], search="sampling")
    assert used == SENTENCES[:1] * 2, "one by auto, one by onnx"


@pytest.mark.parametrize(
    "arguments",
    [{"engine": "torch"}, {"shortlist": True}, {"precision": "bfloat16"}],
    ids=lambda arguments: next(iter(arguments)),
)
def test_auto_takes_pytorch_for_everything_else(folder, arguments):
    assert Translator.load(folder, **{"device": "cpu"} | arguments).portable is None


def test_auto_takes_pytorch_for_a_run_folder_and_for_int8(exported):
    """In int8, a sentence alone would get other tokens than in a list."""
    assert Translator.load(exported.run.path).portable is None
    assert Translator.load(exported.int8).portable is None
    assert Translator.load(exported.int8, engine="onnx").portable is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda each: each.translate("a", prefix="b"), "prefix needs PyTorch: load the translator with engine=torch"),
        (lambda each: each.translate([Request("a", phrases=("b",))]), "phrases needs PyTorch"),
        (lambda each: each.translate("a", search="sampling"), r"search\.method=sampling needs PyTorch"),
        (lambda each: each.translate("a", copy="numbers"), "copy=numbers needs PyTorch"),
        (lambda each: each.stream("a", prefix="b"), "prefix needs PyTorch"),
    ],
)
def test_onnx_refuses_what_it_does_not_support(forced, call, message):
    with pytest.raises(ConfigError, match=message):
        call(forced)


def test_onnx_needs_an_exported_folder_and_its_settings(exported, folder):
    for arguments, message in (
        ({"run": exported.run.path}, "engine=onnx needs one exported folder"),
        ({"run": [folder, folder]}, "engine=onnx needs one exported folder"),
        ({"run": folder, "precision": "int8"}, "engine=onnx needs precision=auto or float32, not int8"),
        ({"run": folder, "engine": "x"}, "engine must be one of auto, torch, onnx, got x"),
    ):
        with pytest.raises(ConfigError, match=message):
            Translator.load(**{"device": "cpu", "engine": EngineChoice.onnx} | arguments)


def test_damage_is_an_error_if_forced_and_a_warning_otherwise(folder, tmp_path, caplog):
    (tmp_path / "copy").mkdir()
    for file in folder.iterdir():
        if file.is_file():
            (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "copy" / "step.onnx").write_bytes(b"x")
    with pytest.raises(RunError, match=r"step\.onnx"):
        Translator.load(tmp_path / "copy", engine="onnx")
    translator = Translator.load(tmp_path / "copy", "cpu")
    assert translator.portable is None
    assert "using PyTorch" in caplog.text
    assert caplog.text.count("\n") == 1


def test_a_copy_has_the_same_engine(forced, reference):
    copy = pickle.loads(pickle.dumps(forced))
    assert copy.portable.forced
    assert equal(copy.translate(SENTENCES[0]), reference.translate(SENTENCES[0]))


def test_a_shortlist_is_used_by_both_engines(folder):
    found, wanted = (Translator.load(folder, "cpu", shortlist=True, engine=engine) for engine in ("onnx", "torch"))
    search = SearchConfig(beam_size=3, max_length_ratio=1)
    assert all(map(equal, found.translate(SENTENCES, search=search), wanted.translate(SENTENCES, search=search)))

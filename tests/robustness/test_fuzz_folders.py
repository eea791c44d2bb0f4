"""Damaged and malicious model folders: each translates or is an error of one line, and nothing in it is executed."""

import copy
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from fuzzing import ODD, ROUNDS, folder, fuzz, limited_memory, one_line, tampered
from hypothesis import strategies as st
from reversal import SEVEN_BATCHES, Stream, metrics, tiny_network, trainer, training

from seq2seq import Translator
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.data.batch import Batch
from seq2seq.data.batch_sampler import StreamPosition
from seq2seq.errors import RunError, Seq2SeqError
from seq2seq.inference.shortlist import Shortlist
from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import save_quantized, save_weights
from seq2seq.run.folder import RunFolder
from seq2seq.search import SearchConfig
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, UNK, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers
from seq2seq.training import Trainer

__all__ = ["folder"]

CONFIG = {
    "model": {"embedding_size": 4, "encoder": {"size": 2}, "decoder": {"size": 3}, "attention": "general"},
    "search": {"max_length_ratio": 0.1, "max_length_offset": 2, "beam_size": 2},
}
CORPUS = PairList("pairs", [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 4)
SECTIONS = {"model": ModelConfig, "search": SearchConfig}
MODEL, STATE = "model.safetensors", "checkpoints/last.pt"


class Harmful:
    """A pickle that executes code: it creates a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.fixture(scope="module")
def world(folder: Path) -> dict[str, list[bytes]]:
    """Write a tiny untrained model into the folder; return the possible contents of each file."""
    tokenizers = build_tokenizers(TokenizerConfig(size=281), CORPUS)
    torch.manual_seed(1)
    network = Network(config_of(CONFIG["model"]), tokenizers.source.size, tokenizers.target.size, joint=True)
    save_tokenizers(tokenizers, folder)
    (folder / "config.yaml").write_text(yaml.safe_dump(CONFIG))
    pieces = torch.arange(tokenizers.target.size, dtype=torch.int32)
    frequent = torch.tensor([EOS, UNK], dtype=torch.int32)
    Shortlist(pieces[:, None], frequent, len(pieces)).save(folder / "shortlist.safetensors")
    save_quantized(network, folder / MODEL)
    quantized = (folder / MODEL).read_bytes()
    save_weights(network, folder / MODEL)
    files = {path.name: [path.read_bytes()] for path in folder.iterdir()}
    files[MODEL].append(quantized)
    harmful = Harmful(folder / "executed")
    zipped = io.BytesIO()
    torch.save(harmful, zipped)
    files["pickle"] = [pickle.dumps(harmful), pickle.dumps(harmful, protocol=0), zipped.getvalue()]
    return files


def config_of(values: dict[str, Any]) -> ModelConfig:
    config = ModelConfig(embedding_size=values["embedding_size"])
    config.encoder.size, config.decoder.size = values["encoder"]["size"], values["decoder"]["size"]
    config.attention = type(config.attention)(values["attention"])
    return config


# Contents of config.yaml and of the header of a safetensors file

BOMB = "a: &a [1, 1]\n" + "".join(f"{b}: &{b} [*{a}, *{a}, *{a}, *{a}]\n" for a, b in pairwise("abcdefghi"))
SNIPPETS = [
    BOMB + "model: *i\nsearch: *i\n",
    "model: &m {encoder: *m}\nsearch: {}\n",
    "base: &b {embedding_size: 4}\nmodel: {<<: *b}\nsearch: {}\n",
    "model: !!python/object/apply:os.mkdir [executed]\nsearch: {}\n",
    "model: {_target_: os.mkdir, path: executed}\nsearch: {}\n",
    "model: {embedding_size: '${oc.env:HOME}'}\nsearch: {}\n",
    "model: {embedding_size: '${oc.decode:\"9\"}'}\nsearch: {}\n",
    "model: {dropout: '${.word_dropout}', word_dropout: '${.dropout}'}\nsearch: {}\n",
    "model: " + "[" * 900 + "]" * 900 + "\nsearch: {}\n",
    "model: " + "{a: " * 900 + "}" * 900 + "\nsearch: {}\n",
    "model: {embedding_size: " + "9" * 5_000 + "}\nsearch: {}\n",
    "model: {embedding_size: 1" + ":1" * 500 + "}\nsearch: {}\n",
    "? [model]\n: 1\n? {a: b}\n: 2\n",
    "1: 2\n2024-01-01: x\nnull: y\n1.5: z\nmodel: {1: 2, null: 3}\nsearch: {true: 1}\n",
    "model: !!set {a, b}\nsearch: !!omap [a: 1]\n",
    "model: !!binary aGVsbG8=\nsearch: !!timestamp 2024-01-01\n",
    "%YAML 9.9\n---\nmodel: {}\n...\n---\nsearch: {}\n",
]
WILD = [None, True, [], {}, "", "0", -1, 0, 1, 3, 5, 10**6, 10**9, 2**31, 2**63, 10**30, 10**400, 0.5, float("nan")]
WILD += [float("inf"), "1e3", "${model}", "???", [1, 2], {"a": 1}, "lstm", "additive", "none", b"x", "9" * 5_000]
WILD += ODD[:9]
SETTINGS = ["embedding_size", "encoder", "encoder.size", "encoder.layers", "encoder.cell", "encoder.direction", "tying"]
SETTINGS += ["decoder.size", "decoder.layers", "decoder.readout_size", "decoder.residual_from", "attention", "dropout"]
SETTINGS += ["attention_heads", "attention_size", "attention_window", "bridge", "coverage", "initial_range", "unknown"]
SEARCH = ["beam_size", "n_best", "length_penalty", "max_length_ratio", "max_length_offset"]
NAMES = [*(f"model.{one}" for one in SETTINGS), *(f"search.{one}" for one in SEARCH), "model", "search"]
DTYPES = ["F64", "F16", "BF16", "I64", "I8", "BOOL", "F8_E4M3", "C64", "F4", "U64"]
SIZES = [0, 1, 2, 3, 4, 290, 2**31, 2**62, 2**64, -1, 1.5]
wild = st.sampled_from(WILD) | st.text(max_size=5) | st.integers() | st.floats()


@st.composite
def configs(draw: st.DrawFn) -> bytes:
    """A config.yaml with arbitrary values, or one that is not a config at all."""
    if not draw(st.integers(0, 4)):
        return draw(st.sampled_from(SNIPPETS)).encode()
    values = json.loads(json.dumps(CONFIG))
    for name in draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3)):
        *parents, last = name.split(".")
        place: Any = values
        for parent in parents:
            place = place.setdefault(parent, {}) if isinstance(place, dict) else {}
        if isinstance(place, dict):
            place[last] = draw(wild)
    return yaml.safe_dump(values, allow_unicode=draw(st.booleans())).encode("utf-8", "surrogatepass")


@st.composite
def headers(draw: st.DrawFn, originals: list[bytes]) -> bytes:
    """A safetensors file with a header that contradicts its content."""
    data = draw(st.sampled_from(originals))
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    if draw(st.booleans()):
        header.pop("__metadata__", None)  # which contains the checksum
    for name in draw(st.lists(st.sampled_from([*header]), min_size=1, max_size=2)):
        field = draw(st.sampled_from(["dtype", "shape", "data_offsets", "name", "all", "more"]))
        entry = header.get(name)
        if field == "name" and entry is not None:
            header[draw(st.sampled_from(["../../evil", "/etc/passwd", "", "a" * 10_000, *ODD]))] = header.pop(name)
        elif field == "all" or not isinstance(entry, dict):
            header[name] = draw(wild.filter(lambda one: not isinstance(one, bytes)))
        elif field == "dtype":
            entry[field] = draw(st.sampled_from(DTYPES))
        elif field == "shape":
            entry[field] = draw(st.lists(st.sampled_from(SIZES), max_size=4))
        elif field == "data_offsets":
            entry[field] = draw(st.lists(st.sampled_from([0, 4, 8, 99, 2**40, 2**63, 2**64, -1]), max_size=3))
        else:
            header[f"more{draw(st.integers(0, 9))}"] = {"dtype": "F32", "shape": [2**60], "data_offsets": [0, 2**62]}
    written = json.dumps(header).encode("utf-8", "surrogatepass")
    length = draw(st.sampled_from([len(written)] * 8 + [0, 1, len(written) + 9, 2**27, 2**63, 2**64 - 1]))
    return length.to_bytes(8, "little") + written + body


def damages(world: dict[str, list[bytes]]) -> st.SearchStrategy[tuple[str, bytes]]:
    """The name of a file and its new content."""
    binary = [file for files in world.values() for file in files]
    weights = st.sampled_from([MODEL, "shortlist.safetensors"])
    return st.one_of(
        st.tuples(st.just("config.yaml"), configs()),
        st.tuples(st.just("config.yaml"), tampered(world["config.yaml"])),
        st.tuples(st.just("tokenizer.model"), tampered(world["tokenizer.model"])),
        weights.flatmap(lambda name: st.tuples(st.just(name), headers(world[name]))),
        weights.flatmap(lambda name: st.tuples(st.just(name), tampered(world[name]))),
        st.tuples(
            st.sampled_from([*world, "tokenizer.source.model"]), st.sampled_from(binary)
        ),  # a file under another name
        st.tuples(st.sampled_from([*world]), tampered(world["pickle"])),
    )


@pytest.mark.parametrize("number", ROUNDS)
def test_any_model_folder_translates_or_is_an_error_of_one_line(folder, world, monkeypatch, number):
    """An unchanged config.yaml is read once only, since that takes longer than everything else."""
    names = [name for name in world if name != "pickle"]
    sections = {name: RunFolder.open(folder).section(name, schema) for name, schema in SECTIONS.items()}

    def check(case: tuple[str, bytes]) -> None:
        name, data = case
        (folder / name).write_bytes(data)
        if name != "config.yaml":
            monkeypatch.setattr(RunFolder, "section", lambda _, section, __: copy.deepcopy(sections[section]))
        try:
            translator = Translator.load(folder, "cpu", shortlist=True)
            assert len(translator.translate(["the dog", "\U0001f600"])) == 2
        except Seq2SeqError as error:
            one_line(error)
        finally:
            monkeypatch.undo()
            assert not (folder / "executed").exists()
            (folder / name).unlink()
            if name in names:
                (folder / name).write_bytes(world[name][0])

    fuzz(damages(world), check, number, quick=50)


# A training state


def states(folder: Path) -> list[Any]:
    """The training state of a run after some updates, as values."""
    trainer(folder, training(updates=6), network=tiny_network()).fit()
    return [torch.load(folder / STATE, weights_only=True)]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of all values in nested dictionaries and lists."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def any_place(place: StreamPosition) -> Iterator[tuple[Batch, StreamPosition]]:
    """Like the stream over a corpus: a position after the last batch is the start of the next epoch."""
    return Stream(SEVEN_BATCHES)(place if place.batch < 7 else StreamPosition(place.epoch + 1, 0))


TENSORS = [torch.zeros(0), torch.zeros(1), torch.full((8, 8), float("nan")), torch.zeros(3, dtype=torch.int64)]
odd = st.sampled_from([*(one for one in WILD if not isinstance(one, bytes)), *TENSORS])


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    if not path:
        return other
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], other)
    return changed


@pytest.mark.parametrize("number", ROUNDS)
def test_any_training_state_is_resumed_or_is_an_error_of_one_line(folder, world, number):
    """A tenth of the cases, since writing and resuming a state takes a hundredth of a second."""
    run = folder / "run"
    [state] = states(run)
    files = [(run / STATE).read_bytes(), *world["pickle"]]
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    cases = st.one_of(tampered(files), st.tuples(st.sampled_from(places(state)), odd))

    def check(case: bytes | tuple[tuple[Any, ...], Any]) -> None:
        (run / STATE).write_bytes(case if isinstance(case, bytes) else written(replaced(state, *case)))
        try:
            resumed: Trainer = trainer(run, training(updates=7), network=tiny_network(), stream=any_place)
            resumed.fit()
            assert metrics(run)
        except RunError as error:
            one_line(error)
        finally:
            assert not (folder / "executed").exists()
            for path, data in kept.items():
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(data)

    fuzz(cases, check, number, quick=20, share=10)
    shutil.rmtree(run)


def written(state: Any) -> bytes:
    file = io.BytesIO()
    torch.save(state, file)
    return file.getvalue()


# Single cases


@pytest.mark.parametrize("name", ["config.yaml", "tokenizer.model", MODEL, "shortlist.safetensors"])
@pytest.mark.parametrize("how", ["missing", "folder", "pipe", "loop", "nowhere", "device", "root"])
def test_anything_in_place_of_a_file_is_an_error_at_once(folder, world, name, how):
    path = folder / name
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how == "pipe":
        os.mkfifo(path)
    elif how != "missing":
        path.symlink_to({"loop": path, "nowhere": folder / "nowhere", "device": "/dev/zero", "root": "/"}[how])
    try:
        with pytest.raises(Seq2SeqError) as error:
            Translator.load(folder, "cpu", shortlist=True)
        one_line(error.value)
    finally:
        path.rmdir() if how == "folder" else path.unlink(missing_ok=True)
        path.write_bytes(world[name][0])


IMPOSSIBLE = ["a" * 300, "a/" * 3_000, "nul\0", "\ud800", "line\nbreak", "/proc/self/mem", "/dev/null"]


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_an_impossible_path_is_not_a_run_folder(name):
    with pytest.raises(RunError, match="is not a run folder") as error:
        Translator.load(name)
    one_line(error.value)


def test_yaml_aliases_are_rejected(folder, world, tmp_path):
    for text in (BOMB, "model: &m {encoder: *m}\n"):
        (tmp_path / "config.yaml").write_text(text)
        with pytest.raises(RunError, match=r"config\.yaml is damaged \(it has aliases\)"):
            RunFolder.open(tmp_path)
    (tmp_path / "config.yaml").write_text("model: {}\n" + "#" * 1_000_000)
    with pytest.raises(RunError, match="more than 1,000,000 bytes"):
        RunFolder.open(tmp_path)


@pytest.mark.parametrize("setting", ["embedding_size", "encoder", "decoder"])
def test_a_config_of_an_absurd_size_takes_no_memory(folder, world, setting):
    """It would be forty gigabytes, allocated before the weights turn out to have other shapes."""
    values = json.loads(json.dumps(CONFIG))
    values["model"][setting] = 30_000 if setting == "embedding_size" else {"size": 30_000, "layers": 3}
    (folder / "config.yaml").write_text(yaml.safe_dump(values))
    try:
        with limited_memory(1 << 28), pytest.raises(RunError, match=r"does not belong to config\.yaml"):
            RunFolder.open(folder).load()
    finally:
        (folder / "config.yaml").write_bytes(world["config.yaml"][0])

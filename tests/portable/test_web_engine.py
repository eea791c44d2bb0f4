"""The page's network and search in node, against PyTorch: the same tokens and scores, in float32 and int8."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from networks import BOS, COPIES, EOS, EVERY, VOCABULARY, model_configs, random_network, random_sentences

from seq2seq.data.batch import source_tensors
from seq2seq.export.config_json import SEARCH, nested_architecture
from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.shortlist import Shortlist
from seq2seq.model import (
    AttentionKind,
    BridgeKind,
    CopyKind,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    Network,
    Readout,
    Summary,
    Tying,
)
from seq2seq.model.choices import CellKind
from seq2seq.model.weights import dequantized, load_weights, save_quantized, save_weights
from seq2seq.search import SearchConfig, search
from seq2seq.search.exclusion import ExclusionStepper
from seq2seq.search.hypothesis import Hypothesis
from seq2seq.search.streaming import stream_beam_search
from tests.node import WEB, run_node

SCRIPTS = [
    f"{name}.js"
    for name in [
        "model",
        "weights",
        "cells",
        "products",
        "encoder",
        "attention",
        "decoder",
        "output",
        "engine",
        "search",
    ]
]
CODE = (Path(__file__).parent / "engine_cases.js").read_text("utf-8")
TRANSLATES = [model for model in EVERY if model.encoder.layers]
PRECISIONS = ("float32", "int8")
TOLERANCE = {"float32": 2e-5, "int8": 5e-3}
"""Of scores. int8 rounds inputs to 14 bits, and the output layers of these networks have large weights."""

GREEDY = SearchConfig(beam_size=1, max_length_ratio=1.0, max_length_offset=3)
BEAM = replace(GREEDY, beam_size=5, n_best=5)
OTHER = replace(BEAM, beam_size=3, n_best=2, no_repeat_ngram=2, repetition_penalty=1.3, length_penalty=0.5)

Case = dict[str, Any]


def write_folder(folder: Path, model: ModelConfig, precision: str, seed: int, spread: float = 1.5) -> Network:
    """Write config.json and model.safetensors; return the network with the weights that were written."""
    network = random_network(model, seed, spread, dtype=torch.float32)
    folder.mkdir()
    file = folder / "model.safetensors"
    (save_quantized if precision == "int8" else save_weights)(network, file)
    network.load_state_dict(dequantized(load_weights(file), file), strict=False)
    config = {
        "format": 1,
        "model": nested_architecture(model),
        "special": {"pad": 0, "unk": 3, "bos": BOS, "eos": EOS},
        "vocabulary": {"source": VOCABULARY, "target": VOCABULARY, "joint": True},
        "search": {name: value for name, value in asdict(SearchConfig()).items() if name in SEARCH},
        "copies": COPIES,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return network


def options(config: SearchConfig) -> dict[str, float]:
    """The settings of a search as `translate` of search.js takes them."""
    words = {name: name.split("_") for name in SEARCH}
    return {words[name][0] + "".join(map(str.capitalize, words[name][1:])): getattr(config, name) for name in SEARCH}


def case(folder: Path, sentences: Sequence[Sequence[int]], config: SearchConfig) -> Case:
    return {"folder": str(folder), "sources": [[*each, EOS] for each in sentences], "options": options(config)}


def run(cases: list[Case]) -> list[Any]:
    """Run all cases in one process of node."""
    return run_node(SCRIPTS, CODE, {"cases": cases, "wasm": str(WEB / "kernels.wasm")})


def stepper(network: Network, sentence: Sequence[int], lists: Shortlist | None = None) -> NetworkStepper:
    source_1S, lengths = source_tensors([sentence])
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    chosen = lists and lists.choose(source_1S, lengths, torch.tensor(COPIES))
    return NetworkStepper(network, decoder, source_1S, lengths, BOS, EOS, chosen)


@torch.no_grad()
def expected(
    network: Network, sentence: Sequence[int], config: SearchConfig, lists: Shortlist | None = None
) -> list[Hypothesis]:
    """The hypotheses of seq2seq.search, with ids of the whole vocabulary."""
    bound = stepper(network, sentence, lists)
    return [each._replace(tokens=bound.ids(each.tokens)) for each in search(bound, config)[0]]


def check(found: list[Case], wanted: list[Hypothesis], tolerance: float) -> None:
    """Compare n-best lists. Hypotheses whose scores are equal up to the tolerance may change places."""
    np.testing.assert_allclose([each["score"] for each in found], [each.score for each in wanted], atol=tolerance)
    ties = [other.score for other in wanted[1:] if wanted[0].score - other.score < tolerance]
    if not ties:
        assert found[0]["ids"] == wanted[0].tokens
        assert found[0]["finished"] == wanted[0].finished
        assert found[0]["logProbability"] == pytest.approx(wanted[0].log_probability, abs=20 * tolerance)
    scores = {tuple(each.tokens): each.score for each in wanted}
    for each in found:
        score = scores.get(tuple(each["ids"]), wanted[-1].score)  # another one at the end of the list
        assert each["score"] == pytest.approx(score, abs=tolerance)


@pytest.fixture(scope="module")
def translated(tmp_path_factory) -> dict[tuple[int, str], tuple[Network, list[Any]]]:
    """Every model in both precisions: the network, and node's results of `SENTENCES` for each search."""
    folder, networks, cases = tmp_path_factory.mktemp("web"), {}, []
    for number, model in enumerate(TRANSLATES):
        for precision in PRECISIONS:
            name = folder / f"{number}-{precision}"
            networks[number, precision] = write_folder(name, model, precision, number + 1)
            cases += [case(name, sentences_of(number), config) for config in (GREEDY, BEAM, OTHER)]
    results = run(cases)
    return {key: (network, results[3 * i : 3 * i + 3]) for i, (key, network) in enumerate(networks.items())}


def sentences_of(number: int) -> list[list[int]]:
    return random_sentences(number, [1, 4])


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("number", range(len(TRANSLATES)))
def test_tokens_and_scores_are_those_of_torch(translated, number, precision):
    network, results = translated[number, precision]
    for config, found in zip((GREEDY, BEAM, OTHER), results, strict=True):
        assert isinstance(found, list), found
        for each, sentence in zip(found, sentences_of(number), strict=True):
            check(each["found"], expected(network, sentence, config), TOLERANCE[precision])


@pytest.mark.slow
@settings(max_examples=5, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_model_translates_as_in_torch(tmp_path_factory, data):
    """The models of an example share a process of node; shrinking them would take too long."""
    folder, networks, cases = tmp_path_factory.mktemp("web"), [], []
    translates = model_configs().filter(lambda model: model.encoder.layers > 0)
    sentences, configs = random_sentences(1, [1, 5]), (GREEDY, BEAM)
    for number in range(20):
        precision = PRECISIONS[number % 2]
        networks.append((write_folder(folder / str(number), data.draw(translates), precision, number), precision))
        cases += [case(folder / str(number), sentences, config) for config in configs]
    results = iter(run(cases))
    for network, precision in networks:
        for config, found in zip(configs, results, strict=False):
            for each, sentence in zip(found, sentences, strict=True):
                check(each["found"], expected(network, sentence, config), TOLERANCE[precision])


RELU = ModelConfig(
    embedding_size=5,
    encoder=EncoderConfig(cell=CellKind.rnn_relu, layers=2, size=6),
    summary=Summary.mean,
    bridge=BridgeKind.linear,
    decoder=DecoderConfig(cell=CellKind.rnn_relu, layers=2, size=7, readout=Readout.maxout),
    attention=AttentionKind.general,
)


def test_large_inputs_are_not_rounded(tmp_path):
    """The integers of int8 end at 4; these states are ten times as large, and so are errors of logits."""
    network, sentences = write_folder(tmp_path / "model", RELU, "int8", 1, spread=3), random_sentences(1, [3, 6])
    with torch.no_grad():
        memory, _ = network.encode(*source_tensors(sentences))
    assert memory.context_BD.amax() > 20
    [found] = run([case(tmp_path / "model", sentences, GREEDY)])
    for each, sentence in zip(found, sentences, strict=True):
        check(each["found"], expected(network, sentence, GREEDY), 0.05)


# ---- what else a translation has ----

ATTENDING = ModelConfig(
    embedding_size=5,
    encoder=EncoderConfig(layers=1, size=9),
    decoder=DecoderConfig(layers=2, size=11),
    attention=AttentionKind.additive,
)
SEED = 51
"""A network with this seed finishes most hypotheses of [4, 7, 3], which begin with the same tokens."""


def test_attention_weights_are_those_of_torch(tmp_path):
    """One row for each predicted token of a finished hypothesis, EOS included."""
    network, sentence = write_folder(tmp_path / "model", ATTENDING, "float32", SEED), [4, 7, 3]
    [[result]] = run([case(tmp_path / "model", [sentence], BEAM)])
    source_1S, lengths = source_tensors([sentence])
    assert any(each["finished"] for each in result["found"])
    for each in result["found"]:
        target = torch.tensor([[BOS, *each["ids"]]])[:, : len(each["ids"]) + each["finished"]]
        with torch.no_grad():
            wanted = network.attention_weights(source_1S, lengths, target)
        np.testing.assert_allclose(each["attention"], wanted[0].numpy(), atol=1e-6)


def test_a_model_without_attention_has_no_weights(tmp_path):
    write_folder(tmp_path / "model", EVERY[0], "float32", 5)
    [[result]] = run([case(tmp_path / "model", [[4]], BEAM)])
    assert [each["attention"] for each in result["found"]] == [None] * len(result["found"])


@pytest.mark.parametrize("config", [GREEDY, BEAM])
def test_tokens_are_reported_once_they_cannot_change(tmp_path, config):
    network, sentence = write_folder(tmp_path / "model", ATTENDING, "float32", SEED), [4, 7, 3]
    [[result]] = run([case(tmp_path / "model", [sentence], config)])
    with torch.no_grad():
        *partial, last = [each.tokens for each in stream_beam_search(stepper(network, sentence), config)]
    assert len(partial) > 1
    assert result["partial"] == partial
    assert result["found"][0]["ids"] == last


def test_a_search_stops_when_it_is_aborted(tmp_path):
    """Sentences of one engine wait for each other, so that the next one is translated as if alone."""
    write_folder(tmp_path / "model", ATTENDING, "float32", 5)
    plain = case(tmp_path / "model", [[4, 7, 3]], GREEDY)
    before, aborted, after = run([plain, {**plain, "abortAfter": 2}, plain])
    assert aborted == {"error": "aborted by the test"}
    assert after == before


def test_sentences_of_an_engine_wait_for_each_other(tmp_path):
    """Longer ones need more memory than those before, and nothing of one sentence is left in the next."""
    write_folder(tmp_path / "model", ATTENDING, "int8", 5)
    sentences = random_sentences(3, [5, 90, 1, 5])
    for number in range(len(sentences)):
        (tmp_path / str(number)).symlink_to("model", target_is_directory=True)  # an engine of its own
    alone = [case(tmp_path / str(number), [sentence], BEAM) for number, sentence in enumerate(sentences)]
    together, *separate = run([case(tmp_path / "model", sentences, BEAM), *alone])
    assert together == [result for [result] in separate]


@pytest.mark.parametrize("copy", CopyKind)
@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_shortlist_restricts_the_tokens(tmp_path, precision, copy):
    network = write_folder(tmp_path / "model", replace(ATTENDING, copy=copy), precision, 5)
    translations_VK = torch.tensor([[-1, -1]] * 3 + [[5, 3], [5, -1], [3, -1], [5, 6], [-1, -1]], dtype=torch.int32)
    lists = Shortlist(translations_VK, torch.tensor([EOS, 3], dtype=torch.int32), VOCABULARY)
    lists.save(tmp_path / "model" / "shortlist.safetensors")
    sentences = [[3], [4, 4, 5], [6, 3, 3, 3, 7]]
    configs = (GREEDY, OTHER)
    for config, found in zip(
        configs, run([case(tmp_path / "model", sentences, each) for each in configs]), strict=True
    ):
        for each, sentence in zip(found, sentences, strict=True):
            check(each["found"], expected(network, sentence, config, lists), TOLERANCE[precision])


def test_excluded_tokens_are_never_chosen(tmp_path):
    """Beam rows keep their attention weights after a longer sentence with an exclusion."""
    network, sentence = write_folder(tmp_path / "model", ATTENDING, "float32", SEED), [4, 7, 3]
    plain = case(tmp_path / "model", [sentence], BEAM)
    without = {**plain, "options": {**plain["options"], "excluded": [7, 4]}}
    longer = {**without, "sources": [[*[4, 7] * 60, EOS]]}
    before, [found], _, after = run([plain, without, longer, plain])
    assert before == after
    with torch.no_grad():
        bound = ExclusionStepper(stepper(network, sentence), [4, 7], [[True, True]])
        check(found["found"], search(bound, BEAM)[0], TOLERANCE["float32"])


# ---- damaged and unsupported folders ----

REFUSED = [
    ("format", 2, "config.json has format 2, and this page reads format 1: use the page of that export"),
    ("model.attention", "sparse", "model.attention=sparse is not supported: export the model again"),
    ("model.decoder.cell", "qrnn", "cell=qrnn is not supported: export the model again"),
    ("model.encoder.layers", 0, "model.encoder.layers=0 is a language model, which does not translate"),
    ("model.copy", "pointer", "model.copy=pointer needs the target token of each source token: pass copies"),
    ("model.tying", "none", "model.safetensors has no source_embedding.weight: copy or export the model again"),
    ("search.beam_size", 0, "beamSize must be a whole number of at least 1, got 0"),
    ("search.n_best", 0, "nBest must be a whole number of at least 1 and at most beamSize=5, got 0"),
    ("vocabulary.source", 3, "source tokens must be ids below 3, EOS included, got 3"),
]


def test_what_is_unsupported_is_named(tmp_path):
    for number, (name, value, _) in enumerate(REFUSED):
        write_folder(tmp_path / str(number), replace(ATTENDING, tying=Tying.all), "float32", 1)
        config = json.loads((tmp_path / str(number) / "config.json").read_text()) | {"copies": None}
        *path, last = name.split(".")
        section = config
        for part in path:
            section = section[part]
        section[last] = value
        (tmp_path / str(number) / "config.json").write_text(json.dumps(config))
    cases = [{"folder": str(tmp_path / str(number)), "sources": [[3, EOS]]} for number in range(len(REFUSED))]
    assert [result["error"] for result in run(cases)] == [message for _, _, message in REFUSED]


def test_damaged_weights_are_refused(tmp_path):
    write_folder(tmp_path / "truncated", ATTENDING, "int8", 1)
    write_folder(tmp_path / "empty", ATTENDING, "int8", 1)
    file = tmp_path / "truncated" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])
    (tmp_path / "empty" / "model.safetensors").write_bytes(b"")
    truncated, empty = run([case(tmp_path / name, [[3]], GREEDY) for name in ("truncated", "empty")])
    assert empty == {"error": "model.safetensors is damaged (it has no header): copy or export it again"}
    assert truncated["error"].startswith("model.safetensors is damaged (")

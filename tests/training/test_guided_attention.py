"""Guided attention, compared with loops over the definition."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TINY
from networks import ARRANGEMENTS, VOCABULARY, random_network
from reversal import SEVEN_BATCHES, Stream, tiny_network, trainer, training
from reversal import VOCABULARY as LETTERS

from seq2seq import train
from seq2seq.config.hydra import compose_train
from seq2seq.data import ibm_model1
from seq2seq.data.batch import Batch, make_batch
from seq2seq.data.ibm_model1 import Bitext, Lexicon, make_bitext, model1
from seq2seq.model import ModelConfig, Network
from seq2seq.model.choices import AttentionKind
from seq2seq.run.folder import SHORTLIST
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.tokenizer import load_tokenizers
from seq2seq.training import LossConfig, RiskConfig, ScheduledSamplingConfig, build_objective
from seq2seq.training.consistency import Consistency, SimCut
from seq2seq.training.guided_attention import SMALLEST, GuidedAttention, Links
from seq2seq.training.objective import TeacherForcing

F32, CPU = Precision.float32, torch.device("cpu")
BATCH = make_batch([[4, 5, 6], [7]], [[5, 3], [6, 7, 4, 3]])
PAIRS = [([4, 5], [5, 3]), ([6, 5], [3, 4, 4]), ([7], [6, 7])]


def lexicon(pairs: list[tuple[list[int], list[int]]], size: int = VOCABULARY) -> Lexicon:
    sources, targets = ([np.array(row, dtype=np.int32) for row in side] for side in zip(*pairs, strict=True))
    return model1(make_bitext(sources, targets, size, size), 4)[0]


def links(size: int = VOCABULARY) -> Links:
    return Links(lexicon(PAIRS, size), size, size, CPU)


def posterior(source: list[int], label: int) -> list[float]:
    """P(a = i | e, f) = t(f | e_i) / Σ t(f | e_i'), with the empty word in the sum (Brown et al. 1993, §4.1)."""
    t = {(int(e), int(f)): float(p) for e, f, p in zip(*lexicon(PAIRS), strict=True)}
    whole = sum(t.get((token, label), 0.0) for token in [*source, VOCABULARY])
    return [t.get((token, label), 0.0) / whole if whole else 0.0 for token in source]


def test_links_are_the_posteriors_of_model_1():
    sources = [[4, 5, 6, 2], [7, 2, 0, 0], [5, 5, 4, 2], [3, 2, 0, 0]]
    for label in range(VOCABULARY):
        actual = links()(torch.tensor(sources), torch.full((len(sources),), label))
        expected = torch.tensor([posterior(source, label) for source in sources])
        assert torch.allclose(actual, expected, atol=1e-6)
    assert links()(torch.tensor([[4, 5]]), torch.tensor([5])).sum() < 1 - 1e-3  # the empty word has a share


def by_loops(network: Network, batch: Batch) -> float:
    weights_BTS = network.attention_weights(batch.source_BS, batch.source_lengths_B, batch.target_BT)
    width, total = batch.target_BT.size(1), 0.0
    for position, label in zip(batch.positions_P.tolist(), batch.labels_P.tolist(), strict=True):
        sentence, place = divmod(position, width)
        weights = weights_BTS[sentence, place].detach().tolist()
        guide = posterior(batch.source_BS[sentence].tolist(), label)
        total -= sum(link * math.log(max(weight, SMALLEST)) for link, weight in zip(guide, weights, strict=True))
    return total


@pytest.mark.parametrize("config", ARRANGEMENTS, ids=range(len(ARRANGEMENTS)))
def test_the_penalty_is_that_of_the_definition_in_every_arrangement(config: ModelConfig):
    network = random_network(replace(config, dropout=0.0), 3, spread=0.5).train()
    plain = TeacherForcing(0.1, F32)
    loss = GuidedAttention(plain, links(), 2.0, 10)(network, BATCH, 1)
    expected = by_loops(network, BATCH)
    assert expected > 0.1
    assert (loss.objective - plain(network, BATCH, 1).objective).item() == pytest.approx(2 * expected, rel=1e-4)
    assert loss.cross_entropy == plain(network, BATCH, 1).cross_entropy
    loss.objective.backward()
    assert all(parameter.grad is not None for parameter in network.decoder.attention.parameters())


def test_the_weight_falls_in_a_line_to_zero():
    network, plain = random_network(ARRANGEMENTS[5], 3), TeacherForcing(0.1, F32)
    guided = GuidedAttention(plain, links(), 2.0, 4)
    base = plain(network, BATCH, 1).objective
    added = [(guided(network, BATCH, update).objective - base).item() for update in range(1, 7)]
    assert added[0] > 0.1
    assert [value / added[0] for value in added] == pytest.approx([1, 0.75, 0.5, 0.25, 0, 0], abs=1e-5)


TWO_PASSES = [(Consistency(1.0, 0.1, F32), 0.0), (Consistency(1.0, 0.1, F32), 0.3), (SimCut(1.0, 0.3, 0.1, F32), 0.0)]


@pytest.mark.parametrize(("objective", "recurrent_dropout"), TWO_PASSES, ids=["r-drop", "r-drop, in turn", "simcut"])
def test_of_two_passes_the_first_is_guided(objective, recurrent_dropout: float):
    config = replace(ARRANGEMENTS[5], dropout=0.0, recurrent_dropout=recurrent_dropout)
    network = random_network(config, 3, dtype=torch.float32).train()
    values = []
    for each in (objective, GuidedAttention(objective, links(), 1.0, 10)):
        torch.manual_seed(1)
        values.append(each(network, BATCH, 1).objective.item())
    torch.manual_seed(1)
    assert values[1] - values[0] == pytest.approx(by_loops(network, BATCH), rel=1e-3)


def test_guided_attention_is_inside_of_sampled_inputs_and_risk():
    def built(found: Links | None, weight: float):
        return build_objective(
            LossConfig(guided_attention=weight, guided_until=0.3),
            ScheduledSamplingConfig(rate=0.5),
            RiskConfig(weight=0.5),
            training(updates=10),
            lambda network, batch: [],
            links=found,
        )

    guided = built(links(), 1.5).objective.objective
    assert type(guided) is GuidedAttention
    assert (guided.weight, guided.updates) == (1.5, 3)
    assert type(built(None, 0.0).objective.objective) is TeacherForcing


def test_the_lexicon_of_a_run_is_learned_once_and_the_shortlist_is_the_same(tmp_path, monkeypatch):
    learned = []
    monkeypatch.setattr(ibm_model1, "model1", lambda *arguments: learned.append(arguments) or model1(*arguments))
    small = ["data.builtin.train_size=60", "data.builtin.validation_size=2", "training.updates=1"]
    for name, weight in (("plain", 0), ("guided", 1)):
        settings = [*TINY, *small, "model=attention", f"loss.guided_attention={weight}"]
        train(compose_train(overrides=settings), tmp_path / name)
        assert len(learned) == 1, name
        learned.clear()
    plain, guided = ((tmp_path / name / SHORTLIST).read_bytes() for name in ("plain", "guided"))
    assert plain == guided


def bitexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *settings: str) -> list[Bitext]:
    """What a run with guided attention learns from: first for its shortlist, then for its links."""
    learned = []
    monkeypatch.setattr(ibm_model1, "model1", lambda *arguments: learned.append(arguments[0]) or model1(*arguments))
    small = ["data.builtin.train_size=60", "data.builtin.validation_size=2", "training.updates=1"]
    train(compose_train(overrides=[*TINY, *small, "model=attention", "loss.guided_attention=1", *settings]), tmp_path)
    return learned


def test_pairs_in_both_directions_have_links_of_both(tmp_path, monkeypatch):
    one, both = map(pairs_of, bitexts(tmp_path, monkeypatch, "training.bidirectional=1", "data.source_tag=<2de>"))
    sources, targets = zip(*one, strict=True)
    [tag] = load_tokenizers(tmp_path).source.ids_of_tags(["<2de>"])
    assert all(tag in source for source in sources)
    assert both[: len(one)] == one
    assert [source for source, _ in both[len(one) :]] == [*targets]
    for (_, written), source in zip(both[len(one) :], sources, strict=True):
        assert tag not in written
        assert {*written} <= {*source}


def test_resegmented_pairs_have_links_of_their_tokens(tmp_path, monkeypatch):
    stored, resegmented = map(pairs_of, bitexts(tmp_path, monkeypatch, "tokenizer.sampling=0.2"))
    decode = load_tokenizers(tmp_path)
    assert len(stored) == len(resegmented) == 60
    for side in (0, 1):
        tokens = [sum(len(pair[side]) for pair in pairs) for pairs in (stored, resegmented)]
        assert tokens[1] > 1.1 * tokens[0]
        texts = ["".join(sorted(decode[side].decode(pair[side]).replace(" ", ""))) for pair in stored]
        assert texts == ["".join(sorted(decode[side].decode(pair[side]).replace(" ", ""))) for pair in resegmented]


def pairs_of(bitext: Bitext) -> list[tuple[list[int], list[int]]]:
    """The sentence pairs, their tokens sorted."""
    pairs = []
    for pair, (start, length) in enumerate(zip(bitext.starts_P, bitext.lengths_P, strict=True)):
        own = bitext.pairs_N == pair
        targets = np.repeat(bitext.targets_N[own], bitext.repeats_N[own])
        pairs.append((sorted(bitext.sources_W[start : start + length - 1].tolist()), targets.tolist()))
    return pairs


@pytest.mark.slow
def test_attention_finds_the_words_sooner(tmp_path):
    """Letters in reverse order: the attention on the letter that is written next, from small embeddings."""
    shares = {}
    rows = [
        batch.source_BS[row, :length].tolist()
        for batch in SEVEN_BATCHES
        for row, length in enumerate((batch.source_lengths_B - 1).tolist())
    ]
    found = Links(lexicon([(row, row[::-1]) for row in rows], LETTERS), LETTERS, LETTERS, CPU)
    for weight in (0.0, 1.0):
        network = tiny_network(0.0)
        torch.manual_seed(5)
        network = Network(replace(network.config, attention=AttentionKind.general), LETTERS, LETTERS, joint=True)
        objective = GuidedAttention(TeacherForcing(0.1, F32), found, weight, 200)
        config = training(updates=200, validate_every=200)
        trainer(
            tmp_path / str(weight), config, network=network, stream=Stream(SEVEN_BATCHES), objective=objective
        ).fit()
        batch = make_batch([[4, 5, 6, 7]], [[7, 6, 5, 4]])
        weights_BTS = network.eval().attention_weights(batch.source_BS, batch.source_lengths_B, batch.target_BT)
        shares[weight] = weights_BTS[0, :4, :4].flip(1).diagonal().mean().item()
    assert shares[1.0] > 1.5 * shares[0.0]

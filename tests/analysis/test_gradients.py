"""The reach of gradients: distances as the recurrence walks, norms as autograd gives them one by one."""

import math

import pytest
import torch
from letters import lettered
from networks import ARRANGEMENTS, SAMPLES

from seq2seq.analysis.gradients import GradientSums, Reach, leafing, spread, walk
from seq2seq.analysis.teacher_forcing import taught
from seq2seq.corpora.corpus import Pair
from seq2seq.model import DecoderConfig, Direction, EncoderConfig, ModelConfig

FORWARD = ModelConfig(
    embedding_size=4,
    encoder=EncoderConfig(size=3, direction=Direction.forward),
    decoder=DecoderConfig(size=3),
)


def test_walks():
    assert [walk(Direction.forward, place, 4) for place in range(4)] == [3, 2, 1, 0]
    assert [walk(Direction.reversed, place, 4) for place in range(4)] == [0, 1, 2, 3]
    assert [walk(Direction.bidirectional, place, 4) for place in range(4)] == [0, 1, 1, 0]


def test_positions_are_spread_to_the_end():
    assert spread(5, 8) == [0, 1, 2, 3, 4]
    assert spread(10, 2) == [4, 9]
    assert spread(1, 3) == [0]


def test_the_factor_of_a_geometric_fall_is_its_base():
    assert Reach("target", [0, 1, 2, 5], [2.0, 1.0, 0.5, 0.0625], [9, 1, 4, 2]).factor == pytest.approx(0.5)
    assert math.isnan(Reach("target", [0], [2.0], [9]).factor)
    assert Reach("target", [0, 1, 2], [0.0, 1.0, 3.0], [1, 1, 1]).factor == pytest.approx(3)


@pytest.mark.parametrize("config", [FORWARD, ARRANGEMENTS[1], SAMPLES[5]], ids=["forward", "unshared", "tied"])
def test_norms_are_those_of_single_sentences(config):
    """Every pair alone, every position by itself, put together by hand: the batch gives the same means."""
    member = lettered(config, spread=0.5)
    pairs = [Pair("abc", "de"), Pair("ed", "abcd"), Pair("a", "b")]
    sums = GradientSums(member.network)
    for batch in taught(member, pairs):
        sums.add(batch, positions=99)
    found = {reach.side: reach for reach in sums.reaches()}
    wanted: dict[tuple[str, int], list[float]] = {}
    for pair in pairs:
        (one,) = taught(member, [pair])
        source_BS, lengths_B, target_BT, positions_P, labels_P = one.batch
        for position in range(len(labels_P)):
            leaves: list[torch.Tensor] = []
            copy = leafing(member.network, leaves)
            logits = copy(source_BS, lengths_B, target_BT, positions_P)
            loss = torch.nn.functional.cross_entropy(logits[position], labels_P[position])
            source, target = torch.autograd.grad(loss, leaves)
            length = int(lengths_B[0])
            for place in range(length):
                distance = walk(config.encoder.direction, place, length) + position
                wanted.setdefault(("source", distance), []).append(float(source[0, place].norm()))
            for place in range(position + 1):
                wanted.setdefault(("target", position - place), []).append(float(target[0, place].norm()))
    for (side, distance), norms in wanted.items():
        where = found[side].distances.index(distance)
        assert found[side].counts[where] == len(norms)
        assert found[side].norms[where] == pytest.approx(sum(norms) / len(norms), rel=1e-3, abs=1e-6)


def test_a_language_model_has_no_source():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(size=3))
    member = lettered(config)
    sums = GradientSums(member.network)
    sums.add(taught(member, [Pair("", "abc")])[0])
    (reach,) = sums.reaches()
    assert reach.side == "target"
    assert reach.distances == [0, 1, 2, 3]
    assert all(parameter.grad is None for parameter in member.network.parameters())

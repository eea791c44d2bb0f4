"""Gradient norms by distance equal those that autograd gives position by position."""

import math
from dataclasses import replace

import pytest
import torch
from letters import lettered
from networks import ARRANGEMENTS, SAMPLES

from seq2seq.analysis.gradients import GradientNorms, GradientSums, embedding_leaves, encoder_steps, evenly_spaced
from seq2seq.analysis.replay import teacher_forced_batches
from seq2seq.corpora.corpus import Pair
from seq2seq.model import DecoderConfig, Direction, EncoderConfig, ModelConfig

FORWARD = ModelConfig(
    embedding_size=4,
    encoder=EncoderConfig(size=3, direction=Direction.forward),
    decoder=DecoderConfig(size=3),
)


@pytest.mark.parametrize("direction", Direction)
@pytest.mark.parametrize(("layers", "decoder_layers"), [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)])
def test_encoder_steps_are_those_of_the_shortest_path(direction, layers, decoder_layers):
    """Compared with a search through the graph of all states, in which a step within a layer costs 1."""
    length, encoder = 5, EncoderConfig(size=3, layers=layers, direction=direction)
    config = replace(FORWARD, encoder=encoder, decoder=DecoderConfig(size=3, layers=decoder_layers))
    moves = [
        [step for step, reads in zip((1, -1), direction.reads(layer), strict=True) if reads] for layer in range(layers)
    ]
    last = {(layer, step, length - 1 if step == 1 else 0) for layer in config.bridged_layers for step in moves[layer]}
    for position in range(length):
        reached, steps = {(0, step, position) for step in moves[0]}, 0
        while True:
            for layer in range(1, layers):
                reached |= {
                    (layer, step, at) for below, _, at in reached if below == layer - 1 for step in moves[layer]
                }
            if reached & last:
                break
            reached |= {(layer, step, at + step) for layer, step, at in reached if 0 <= at + step < length}
            steps += 1
        assert encoder_steps(config, position, length) == steps


def test_positions_are_evenly_spaced_and_include_the_last():
    assert evenly_spaced(5, 8) == [0, 1, 2, 3, 4]
    assert evenly_spaced(10, 2) == [4, 9]
    assert evenly_spaced(1, 3) == [0]


def test_the_factor_of_a_geometric_decay_is_its_ratio():
    assert GradientNorms("target", [0, 1, 2, 5], [2.0, 1.0, 0.5, 0.0625], [9, 1, 4, 2]).factor == pytest.approx(0.5)
    assert math.isnan(GradientNorms("target", [0], [2.0], [9]).factor)
    assert GradientNorms("target", [0, 1, 2], [0.0, 1.0, 3.0], [1, 1, 1]).factor == pytest.approx(3)


@pytest.mark.parametrize("config", [FORWARD, ARRANGEMENTS[1], SAMPLES[5]], ids=["forward", "unshared", "tied"])
def test_norms_of_a_batch_equal_those_of_single_sentences(config):
    """Compute every pair and position separately and average by hand."""
    member = lettered(config, spread=0.5)
    pairs = [Pair("abc", "de"), Pair("ed", "abcd"), Pair("a", "b")]
    sums = GradientSums(member.network)
    for batch in teacher_forced_batches(member, pairs):
        sums.add(batch, positions=99)
    means = {norms.side: norms for norms in sums.means()}
    expected: dict[tuple[str, int], list[float]] = {}
    for pair in pairs:
        (single,) = teacher_forced_batches(member, [pair])
        source_BS, lengths_B, target_BT, positions_P, labels_P = single.batch
        for position in range(len(labels_P)):
            leaves: list[torch.Tensor] = []
            copy = embedding_leaves(member.network, leaves)
            logits = copy(source_BS, lengths_B, target_BT, positions_P)
            loss = torch.nn.functional.cross_entropy(logits[position], labels_P[position])
            source, target = torch.autograd.grad(loss, leaves)
            length = int(lengths_B[0])
            for token in range(length):
                distance = encoder_steps(config, token, length) + position
                expected.setdefault(("source", distance), []).append(float(source[0, token].norm()))
            for token in range(position + 1):
                expected.setdefault(("target", position - token), []).append(float(target[0, token].norm()))
    for (side, distance), norms in expected.items():
        index = means[side].distances.index(distance)
        assert means[side].counts[index] == len(norms)
        assert means[side].norms[index] == pytest.approx(sum(norms) / len(norms), rel=1e-3, abs=1e-6)


def test_a_language_model_has_target_gradients_only():
    config = ModelConfig(embedding_size=4, encoder=EncoderConfig(layers=0), decoder=DecoderConfig(size=3))
    member = lettered(config)
    sums = GradientSums(member.network)
    sums.add(teacher_forced_batches(member, [Pair("", "abc")])[0])
    (norms,) = sums.means()
    assert norms.side == "target"
    assert norms.distances == [0, 1, 2, 3]
    assert all(parameter.grad is None for parameter in member.network.parameters())

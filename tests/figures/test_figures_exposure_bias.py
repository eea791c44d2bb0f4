"""Loss by position, the target given or not."""

import math
from contextlib import nullcontext

import pytest
import torch
from laboratories import system
from networks import EVERY, VOCABULARY, random_network, random_sentences

from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import make_batch
from seq2seq.figures.config import ExposureConfig
from seq2seq.figures.exposure_bias import losses, measure
from seq2seq.tokenizer.tokenizer import BOS, EOS
from seq2seq.training.scheduled_sampling import Prediction


@torch.no_grad()
def by_hand(network, source, target):
    """(teacher-forced, free-running, same so far) of each position, one at a time, up to the free run's end."""
    batch = make_batch([source], [target])

    def log_probabilities(read):
        logits = network(batch.source_BS, batch.source_lengths_B, torch.tensor([read]), torch.tensor([len(read) - 1]))
        return logits[0].double().log_softmax(0)

    given, own, rows = [BOS], [BOS], []
    for label in [*target, EOS]:
        if EOS in own:
            break
        after_own = log_probabilities(own)
        rows.append((-float(log_probabilities(given)[label]), -float(after_own[label]), own == given))
        given, own = [*given, label], [*own, int(after_own.argmax())]
    return rows


@pytest.mark.parametrize("config", EVERY[::4], ids=str)
def test_losses_are_those_found_position_by_position(config):
    network = random_network(config, 3, spread=0.8, dtype=torch.float32)
    sources, targets = random_sentences(1, [3, 5, 2, 4, 1]), random_sentences(2, [4, 1, 6, 3, 2])
    expected = [row for pair in zip(sources, targets, strict=True) for row in by_hand(network, *pair)]
    found = losses(network, make_batch(sources, targets), Prediction.argmax)
    assert len(found.position_P) == len(expected)
    assert found.teacher_forced_P == pytest.approx([row[0] for row in expected], abs=2e-3)
    assert found.free_running_P == pytest.approx([row[1] for row in expected], abs=2e-3)
    assert found.same_P.tolist() == [row[2] for row in expected]
    first = found.position_P == 1
    assert (found.teacher_forced_P[first] == found.free_running_P[first]).all()
    assert found.teacher_forced_P[found.same_P] == pytest.approx(found.free_running_P[found.same_P], abs=1e-5)


@torch.no_grad()
def test_a_model_without_doubt_reads_itself_as_it_reads_the_reference():
    """Its own greedy output as the reference: both losses are one, at every position."""
    network = random_network(EVERY[0], 3, dtype=torch.float32)
    network.output.bias[: EOS + 2] = -1e4  # no marks: it never ends by itself
    sources, targets = random_sentences(1, [3, 4]), [[], []]
    for target, source in zip(targets, sources, strict=True):
        for _ in range(6):
            batch = make_batch([source], [target])
            last = torch.tensor([len(target)])
            target.append(int(network(batch.source_BS, batch.source_lengths_B, batch.target_BT, last).argmax()))
    found = losses(network, make_batch(sources, targets), Prediction.argmax)
    assert found.same_P.all()
    assert (found.free_running_P == found.teacher_forced_P).all()
    assert found.position_P.tolist() == [*range(1, 8), *range(1, 8)]


def test_a_run_is_measured_by_position_whatever_the_batches(tiny_run, tmp_path, monkeypatch):
    one = system(tiny_run, tmp_path / "context")
    pairs = [Pair("We work.", "Wir arbeiten."), Pair("The man helps the woman.", "Der Mann hilft der Frau.")] * 4
    found = measure(one, pairs, ExposureConfig(sentences=1))
    monkeypatch.setattr("seq2seq.figures.exposure_bias.BATCH_PIECES", 10)
    again = measure(one, pairs, ExposureConfig(sentences=1))
    assert [one.sentences for one in again.positions] == [one.sentences for one in found.positions]
    assert [one.free_running for one in again.positions] == pytest.approx([one.free_running for one in found.positions])
    first = found.positions[0]
    assert (first.position, first.sentences, first.same, first.gap_ci95) == (1, 8, 1.0, (0.0, 0.0))
    assert first.teacher_forced == first.free_running
    assert found.counted == sum(one.sentences for one in found.positions)
    total = sum(one.free_running * one.sentences for one in found.positions)
    assert found.free_running == pytest.approx(total / found.counted)
    assert all(low <= high for low, high in (one.gap_ci95 for one in found.positions))
    few = measure(one, pairs, ExposureConfig(sentences=8, positions=2))
    assert [at.position for at in few.positions] == [1, 2][: len(few.positions)]
    assert few.counted == found.counted, "what is not shown counts all the same"


def test_samples_are_drawn_alike_each_time_and_leave_the_generator_alone(tiny_run, tmp_path):
    one = system(tiny_run, tmp_path / "context")
    pairs = [Pair("The man helps the woman.", "Der Mann hilft der Frau.")] * 6
    config = ExposureConfig(sentences=1, prediction=Prediction.sample)
    before = torch.get_rng_state()
    found = measure(one, pairs, config)
    assert torch.equal(torch.get_rng_state(), before)
    assert measure(one, pairs, config) == found
    assert found.teacher_forced != measure(one, pairs, ExposureConfig(sentences=1)).teacher_forced or math.isfinite(
        found.free_running
    )


def test_the_generators_of_gpus_that_are_not_used_are_left_alone(tiny_run, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("torch.random.fork_rng", lambda devices: asked.append(devices) or nullcontext())
    measure(
        system(tiny_run, tmp_path / "context"), [Pair("We work.", "Wir arbeiten.")] * 2, ExposureConfig(sentences=1)
    )
    assert asked == [[]]


def test_the_world_of_the_test_has_the_marks_of_the_library():
    assert max(BOS, EOS) < VOCABULARY

"""Teacher-forced and free-running loss by position."""

from contextlib import nullcontext

import pytest
import torch
from laboratories import system
from networks import EVERY, VOCABULARY, random_network, random_sentences

from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import make_batch
from seq2seq.figures.config import ExposureConfig
from seq2seq.figures.exposure_bias import batch_losses, measure_exposure
from seq2seq.tokenizer.tokenizer import BOS, EOS
from seq2seq.training.config import Prediction


@torch.no_grad()
def by_hand(network, source, target):
    """Compute (teacher-forced, free-running, equal so far) at each position, one at a time, to the free run's end."""
    batch = make_batch([source], [target])

    def log_probabilities(read):
        logits = network(batch.source_BS, batch.source_lengths_B, torch.tensor([read]), torch.tensor([len(read) - 1]))
        return logits[0].double().log_softmax(0)

    reference, free, rows = [BOS], [BOS], []
    for label in [*target, EOS]:
        if EOS in free:
            break
        after_free = log_probabilities(free)
        rows.append((-float(log_probabilities(reference)[label]), -float(after_free[label]), free == reference))
        reference, free = [*reference, label], [*free, int(after_free.argmax())]
    return rows


@pytest.mark.parametrize("config", EVERY[::4], ids=str)
def test_losses_equal_those_computed_position_by_position(config):
    network = random_network(config, 3, spread=0.8, dtype=torch.float32)
    sources, targets = random_sentences(1, [3, 5, 2, 4, 1]), random_sentences(2, [4, 1, 6, 3, 2])
    expected = [row for pair in zip(sources, targets, strict=True) for row in by_hand(network, *pair)]
    result = batch_losses(network, make_batch(sources, targets), Prediction.argmax)
    assert len(result.position_P) == len(expected)
    assert result.teacher_forced_P == pytest.approx([row[0] for row in expected], abs=2e-3)
    assert result.free_running_P == pytest.approx([row[1] for row in expected], abs=2e-3)
    assert result.same_P.tolist() == [row[2] for row in expected]
    first = result.position_P == 1
    assert (result.teacher_forced_P[first] == result.free_running_P[first]).all()
    assert result.teacher_forced_P[result.same_P] == pytest.approx(result.free_running_P[result.same_P], abs=1e-5)


@torch.no_grad()
def test_losses_are_equal_if_the_reference_is_the_greedy_output():
    """With the greedy output as the reference, both losses are equal at every position."""
    network = random_network(EVERY[0], 3, dtype=torch.float32)
    network.output.bias[: EOS + 2] = -1e4  # special tokens are excluded, so it never ends by itself
    sources, targets = random_sentences(1, [3, 4]), [[], []]
    for target, source in zip(targets, sources, strict=True):
        for _ in range(6):
            batch = make_batch([source], [target])
            last = torch.tensor([len(target)])
            target.append(int(network(batch.source_BS, batch.source_lengths_B, batch.target_BT, last).argmax()))
    result = batch_losses(network, make_batch(sources, targets), Prediction.argmax)
    assert result.same_P.all()
    assert (result.free_running_P == result.teacher_forced_P).all()
    assert result.position_P.tolist() == [*range(1, 8), *range(1, 8)]


def test_the_result_does_not_depend_on_the_batches(tiny_run, tmp_path, monkeypatch):
    context = system(tiny_run, tmp_path / "context")
    pairs = [Pair("We work.", "Wir arbeiten."), Pair("The man helps the woman.", "Der Mann hilft der Frau.")] * 4
    result = measure_exposure(context, pairs, ExposureConfig(sentences=1))
    monkeypatch.setattr("seq2seq.figures.exposure_bias.MAX_BATCH_TOKENS", 10)
    again = measure_exposure(context, pairs, ExposureConfig(sentences=1))
    assert [at.sentences for at in again.positions] == [at.sentences for at in result.positions]
    assert [at.free_running for at in again.positions] == pytest.approx([at.free_running for at in result.positions])
    first = result.positions[0]
    assert (first.position, first.sentences, first.same, first.gap_ci95) == (1, 8, 1.0, (0.0, 0.0))
    assert first.teacher_forced == first.free_running
    assert result.counted == sum(at.sentences for at in result.positions)
    total = sum(at.free_running * at.sentences for at in result.positions)
    assert result.free_running == pytest.approx(total / result.counted)
    assert all(low <= high for low, high in (at.gap_ci95 for at in result.positions))
    few = measure_exposure(context, pairs, ExposureConfig(sentences=8, positions=2))
    assert [at.position for at in few.positions] == [1, 2][: len(few.positions)]
    assert few.counted == result.counted, "hidden positions are counted too"


def test_samples_are_reproducible_and_keep_the_random_state(tiny_run, tmp_path):
    context = system(tiny_run, tmp_path / "context")
    pairs = [Pair("The man helps the woman.", "Der Mann hilft der Frau.")] * 6
    config = ExposureConfig(sentences=1, prediction=Prediction.sample)
    before = torch.get_rng_state()
    result = measure_exposure(context, pairs, config)
    assert torch.equal(torch.get_rng_state(), before)
    assert measure_exposure(context, pairs, config) == result
    assert result.free_running != measure_exposure(context, pairs, ExposureConfig(sentences=1)).free_running


def test_the_random_state_of_unused_gpus_is_not_touched(tiny_run, tmp_path, monkeypatch):
    forked = []
    monkeypatch.setattr("torch.random.fork_rng", lambda devices: forked.append(devices) or nullcontext())
    context, pairs = system(tiny_run, tmp_path / "context"), [Pair("We work.", "Wir arbeiten.")] * 2
    measure_exposure(context, pairs, ExposureConfig(sentences=1))
    assert forked == [[]]


def test_the_vocabulary_of_the_test_contains_bos_and_eos():
    assert max(BOS, EOS) < VOCABULARY

"""Dropout over sequences."""

import pytest
import torch

from seq2seq.model.dropout import SequenceDropout, WordDropout

RATE = 0.25


def dropped(shared_over_time: bool, rate: float = RATE, units: int = 40) -> torch.Tensor:
    """Ones (64, 10, units) after dropout."""
    torch.manual_seed(1)
    return SequenceDropout(rate, shared_over_time)(torch.ones(64, 10, units))


def test_a_shared_mask_is_constant_over_steps_and_differs_between_sentences():
    dropped_values = dropped(shared_over_time=True)
    assert torch.equal(dropped_values, dropped_values[:, :1].expand_as(dropped_values))
    assert len({tuple(row) for row in dropped_values[:, 0].tolist()}) == 64


def test_an_unshared_mask_differs_at_every_step():
    dropped_values = dropped(shared_over_time=False)
    assert len({tuple(row) for row in dropped_values.flatten(0, 1).tolist()}) == 640


@pytest.mark.parametrize("shared_over_time", [True, False])
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_the_share_is_dropped_and_the_mean_stays(shared_over_time, rate):
    dropped_values = dropped(shared_over_time, rate, units=400)
    assert dropped_values.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    assert (dropped_values == 0).float().mean().item() == pytest.approx(rate, abs=0.015)  # 5 deviations of 25,600 masks
    assert dropped_values.mean().item() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("shared_over_time", [True, False])
def test_evaluation_mode_and_rate_zero_change_nothing(shared_over_time):
    inputs = torch.randn(2, 3, 4)
    assert torch.equal(SequenceDropout(RATE, shared_over_time).eval()(inputs), inputs)
    assert torch.equal(SequenceDropout(0.0, shared_over_time)(inputs), inputs)


def test_dropped_units_have_no_gradient():
    inputs = torch.randn(4, 5, 6, requires_grad=True)
    outputs = SequenceDropout(0.5, shared_over_time=False)(inputs)
    outputs.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad == 0, outputs == 0)
    assert set(inputs.grad.unique().tolist()) == {0.0, 2.0}


def test_the_precision_is_kept():
    assert (
        SequenceDropout(0.5, shared_over_time=True)(torch.ones(2, 3, 4, dtype=torch.bfloat16)).dtype is torch.bfloat16
    )


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_word_dropout_drops_whole_embeddings(rate):
    torch.manual_seed(1)
    dropped_values = WordDropout(rate)(torch.ones(64, 100, 7))
    assert torch.equal(dropped_values, dropped_values[..., :1].expand_as(dropped_values))
    assert dropped_values.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    assert (dropped_values[..., 0] == 0).float().mean().item() == pytest.approx(
        rate, abs=0.03
    )  # 5 deviations of 6,400 words
    assert len({tuple(row) for row in dropped_values[..., 0].tolist()}) == 64


def test_word_dropout_is_off_in_evaluation_and_at_rate_zero():
    embedded = torch.randn(2, 3, 4)
    assert torch.equal(WordDropout(0.9).eval()(embedded), embedded)
    assert torch.equal(WordDropout(0.0)(embedded), embedded)


@pytest.mark.parametrize("shared_over_time", [True, False])
def test_a_mask_has_the_requested_number_of_units(shared_over_time):
    dropout = SequenceDropout(RATE, shared_over_time)
    mask = dropout.mask(torch.ones(4, 10, 3), 50)
    assert mask is not None
    assert mask.shape == (4, 1 if shared_over_time else 10, 50)
    assert dropout.eval().mask(torch.ones(4, 10, 3), 50) is None

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from seq2seq.model.logits import CHUNK
from seq2seq.training.loss import evaluating, label_log_probabilities, loss_sums

positions = st.sampled_from([1, 2, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 3])


def world(count: int, vocabulary: int, seed: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits_PV = scale * torch.randn(count, vocabulary, generator=generator)
    return logits_PV, torch.randint(vocabulary, (count,), generator=generator)


def reference(logits_PV: torch.Tensor, labels_P: torch.Tensor, smoothing: float) -> tuple[float, float, torch.Tensor]:
    """PyTorch's results in float64: objective, plain cross entropy, gradient of the objective."""
    exact_PV = logits_PV.detach().double().requires_grad_()
    objective = cross_entropy(exact_PV, labels_P, reduction="sum", label_smoothing=smoothing)
    objective.backward()
    assert exact_PV.grad is not None
    return objective.item(), cross_entropy(exact_PV, labels_P, reduction="sum").item(), exact_PV.grad


@given(positions, st.integers(2, 40), st.integers(0, 10**6), st.floats(0, 0.9), st.floats(0.01, 20))
def test_value_and_gradient_are_pytorchs(count, vocabulary, seed, smoothing, scale):
    logits_PV, labels_P = world(count, vocabulary, seed, scale)
    objective, plain, gradient_PV = reference(logits_PV, labels_P, smoothing)
    logits_PV.requires_grad_()
    loss = loss_sums(logits_PV, labels_P, smoothing)
    loss.objective.backward()
    assert loss.objective.item() == pytest.approx(objective, rel=1e-6, abs=1e-6 * count)
    assert loss.cross_entropy.item() == pytest.approx(plain, rel=1e-6, abs=1e-6 * count)
    assert torch.allclose(logits_PV.grad.double(), gradient_PV, rtol=0, atol=1e-6)


@given(positions, st.integers(2, 40), st.integers(0, 10**6), st.floats(0, 0.9))
def test_bfloat16_logits_are_summed_in_float32_and_only_their_gradient_is_rounded(count, vocabulary, seed, smoothing):
    logits_PV, labels_P = world(count, vocabulary, seed, 3.0)
    logits_PV = logits_PV.bfloat16()
    objective, plain, gradient_PV = reference(logits_PV, labels_P, smoothing)
    logits_PV.requires_grad_()
    loss = loss_sums(logits_PV, labels_P, smoothing)
    loss.objective.backward()
    assert loss.objective.dtype == loss.cross_entropy.dtype == torch.float32
    assert loss.objective.item() == pytest.approx(objective, rel=1e-6, abs=1e-6 * count)
    assert loss.cross_entropy.item() == pytest.approx(plain, rel=1e-6, abs=1e-6 * count)
    assert logits_PV.grad.dtype == torch.bfloat16
    assert torch.allclose(logits_PV.grad.double(), gradient_PV, rtol=2**-7, atol=1e-6)


def test_a_factor_on_the_loss_is_a_factor_on_the_gradient():
    logits_PV, labels_P = world(CHUNK + 5, 7, 0, 1.0)
    gradient_PV = reference(logits_PV, labels_P, 0.1)[2]
    logits_PV.requires_grad_()
    (loss_sums(logits_PV, labels_P, 0.1).objective / 11).backward()
    assert torch.allclose(logits_PV.grad.double(), gradient_PV / 11, rtol=0, atol=1e-6)


def test_the_gradient_reaches_a_slice_and_the_logits_are_unchanged():
    logits_PV, labels_P = world(CHUNK + 5, 7, 1, 1.0)
    before_PV = logits_PV.clone()
    logits_PV.requires_grad_()
    loss_sums(logits_PV[::2], labels_P[::2], 0.1).objective.backward()
    assert torch.equal(logits_PV.detach(), before_PV)
    assert logits_PV.grad[1::2].count_nonzero() == 0
    assert torch.allclose(logits_PV.grad[::2].double(), reference(before_PV[::2], labels_P[::2], 0.1)[2], atol=1e-6)


def test_analytic_gradient_is_the_numeric_one():
    logits_PV, labels_P = world(3, 4, 2, 1.0)
    direction_PV = torch.randn(3, 4, generator=torch.Generator().manual_seed(9))
    logits_PV.requires_grad_()
    loss_sums(logits_PV, labels_P, 0.2).objective.backward()
    ahead, behind = (loss_sums(logits_PV.detach() + h * direction_PV, labels_P, 0.2).objective for h in (0.01, -0.01))
    assert (logits_PV.grad * direction_PV).sum().item() == pytest.approx((ahead - behind).item() / 0.02, abs=1e-3)


def test_the_reported_cross_entropy_has_no_gradient():
    logits_PV, labels_P = world(3, 4, 2, 1.0)
    loss = loss_sums(logits_PV.requires_grad_(), labels_P, 0.2)
    assert loss.objective.requires_grad
    assert not loss.cross_entropy.requires_grad


def test_without_gradients_the_value_is_the_same():
    logits_PV, labels_P = world(CHUNK + 1, 6, 3, 2.0)
    learning = loss_sums(logits_PV.clone().requires_grad_(), labels_P, 0.1)
    with torch.inference_mode():
        looking = loss_sums(logits_PV, labels_P, 0.1)
    assert looking.objective.item() == learning.objective.item()
    assert looking.cross_entropy.item() == learning.cross_entropy.item()


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_extreme_logits_stay_finite(size):
    logits_PV = torch.tensor([[size, -size, 0.0], [-size, size, size]], requires_grad=True)
    loss = loss_sums(logits_PV, torch.tensor([1, 2]), 0.1)
    loss.objective.backward()
    assert math.isfinite(loss.objective.item())
    assert math.isfinite(loss.cross_entropy.item())
    assert logits_PV.grad.isfinite().all()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("place", [(0, 1), (0, 2), (CHUNK, 1)])
def test_a_nan_logit_gives_a_nan_loss(bad, place):
    logits_PV, labels_P = torch.zeros(CHUNK + 1, 3), torch.ones(CHUNK + 1, dtype=torch.long)
    logits_PV[place] = bad
    loss = loss_sums(logits_PV, labels_P, 0.1)
    assert not math.isfinite(loss.objective.item())
    assert not math.isfinite(loss.cross_entropy.item())


def test_an_excluded_token_gives_infinite_loss_as_label_or_with_label_smoothing():
    ruled_out_PV = torch.tensor([[0.0, -math.inf, 0.0]])
    assert loss_sums(ruled_out_PV, torch.tensor([1]), 0.0).cross_entropy.item() == math.inf
    assert loss_sums(ruled_out_PV, torch.tensor([1]), 0.0).objective.item() == math.inf
    assert loss_sums(ruled_out_PV, torch.tensor([0]), 0.1).objective.item() == math.inf


@pytest.mark.parametrize("positions", [1, 7, 2 * CHUNK + 3])
def test_log_probabilities_of_labels_and_their_gradients_are_those_of_the_softmax(positions):
    generator = torch.Generator().manual_seed(positions)
    ours, theirs = (torch.randn(positions, 9, generator=generator.manual_seed(1)).requires_grad_() for _ in range(2))
    labels_P = torch.randint(0, 9, (positions,), generator=generator)
    slopes_P = torch.randn(positions, generator=generator)
    actual, expected = label_log_probabilities(ours, labels_P), theirs.log_softmax(1)[range(positions), labels_P]
    assert torch.allclose(actual, expected, atol=1e-6)
    (actual @ slopes_P).backward()
    (expected @ slopes_P).backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-6)


def test_evaluation_restores_the_previous_mode():
    network = torch.nn.Dropout()
    for training in (True, False):
        network.train(training)
        with evaluating(network):
            assert not network.training
        assert network.training is training

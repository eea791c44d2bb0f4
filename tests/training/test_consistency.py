from dataclasses import replace

import pytest
import torch
from networks import SAMPLES, padded, random_network, random_sentences
from reversal import HELD_OUT, SEVEN_BATCHES, Scripted, tiny_network, trainer, training, weights
from torch.nn.functional import kl_div

from seq2seq.data.batch import Batch
from seq2seq.model.choices import CellKind
from seq2seq.system.precision import Precision
from seq2seq.training.consistency import Consistency, doubled, symmetric_divergence
from seq2seq.training.objective import TeacherForcing


def logits(rows: int, scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(2 * rows, 11, generator=torch.Generator().manual_seed(rows))


def reference(logits_PV: torch.Tensor) -> torch.Tensor:
    p, q = (half.double().log_softmax(1) for half in logits_PV.chunk(2))
    return kl_div(p, q, reduction="sum", log_target=True) + kl_div(q, p, reduction="sum", log_target=True)


@pytest.mark.parametrize("rows", [1, 5, 300])  # 300 rows are several chunks
def test_the_divergence_and_its_gradient_are_those_of_the_definition(rows):
    ours, theirs = logits(rows).requires_grad_(), logits(rows).requires_grad_()
    actual, expected = symmetric_divergence(ours), reference(theirs)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    (0.7 * actual).backward()
    (0.7 * expected).backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-5)


def test_a_constant_added_to_all_logits_of_a_position_changes_nothing():
    shifted = logits(4) + torch.randn(8, 1)
    assert float(symmetric_divergence(shifted)) == pytest.approx(float(symmetric_divergence(logits(4))), rel=1e-4)


def test_logits_in_bfloat16_have_bfloat16_gradients():
    given = logits(3).bfloat16().requires_grad_()
    symmetric_divergence(given).backward()
    assert given.grad.dtype == torch.bfloat16
    assert given.grad.abs().sum() > 0


def gradients(objective, dropout: float) -> tuple[list[torch.Tensor], float]:
    network = tiny_network(dropout).train()
    torch.manual_seed(1)
    loss = objective(network, SEVEN_BATCHES[0], 1)
    loss.objective.backward()
    return [parameter.grad for parameter in network.parameters()], loss.objective.item()


def test_without_dropout_both_passes_agree_and_the_gradient_is_the_plain_one():
    plain, loss = gradients(TeacherForcing(0.1, Precision.float32), 0.0)
    ours, same_loss = gradients(Consistency(5.0, 0.1, Precision.float32), 0.0)
    assert same_loss == pytest.approx(loss, rel=1e-5)
    for one, other in zip(plain, ours, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_with_dropout_the_objective_is_the_mean_loss_of_two_passes_and_half_the_divergence():
    network = tiny_network(0.4).train()
    torch.nn.init.normal_(network.output.weight)  # the output of a fresh network hardly depends on its input
    batch = doubled(SEVEN_BATCHES[0])
    torch.manual_seed(1)
    both = TeacherForcing(0.1, Precision.float32)(network, batch, 1)
    torch.manual_seed(1)
    divergence = reference(network(*batch[:4])).item()
    torch.manual_seed(1)
    result = Consistency(3.0, 0.1, Precision.float32)(network, SEVEN_BATCHES[0], 1)
    assert divergence > 0.01
    assert result.objective.item() == pytest.approx(both.objective.item() / 2 + 3 * divergence / 2, rel=1e-4)
    assert float(result.cross_entropy) == pytest.approx(float(both.cross_entropy) / 2, rel=1e-5)


@pytest.mark.parametrize("cell", [CellKind.lstm, CellKind.gru])
def test_recurrent_dropout_draws_a_mask_for_each_pass(cell):
    """Compared with two successive passes; with one mask for both, the divergence would be zero."""
    config = replace(SAMPLES[0], recurrent_dropout=0.5, dropout=0.0)
    config = replace(config, encoder=replace(config.encoder, cell=cell), decoder=replace(config.decoder, cell=cell))
    network = random_network(config, 1, dtype=torch.float32).train()
    sources = padded(random_sentences(1, [3, 5]))
    batch = Batch(*sources, torch.tensor([[1, 4, 5], [1, 6, 3]]), torch.arange(6), torch.tensor([4, 5, 2, 6, 3, 2]))
    torch.manual_seed(1)
    divergence = reference(torch.cat([network(*batch[:4]), network(*batch[:4])])).item()
    torch.manual_seed(1)
    result = Consistency(2.0, 0.1, Precision.float32)(network, batch, 1).objective.item()
    torch.manual_seed(1)
    plain = [TeacherForcing(0.1, Precision.float32)(network, batch, 1).objective.item() for _ in range(2)]
    assert divergence > 0.1
    assert result == pytest.approx(sum(plain) / 2 + divergence, rel=1e-4)


def disagreement(network) -> float:
    torch.manual_seed(0)
    with torch.no_grad():
        return float(symmetric_divergence(network.train()(*doubled(HELD_OUT)[:4])))


def test_the_objective_increases_the_agreement_of_two_passes(tmp_path):
    result = {}
    for alpha in (0.0, 5.0):
        network = tiny_network(0.4)
        before = weights(network)
        objective = Consistency(alpha, 0.1, Precision.float32)
        config = training(updates=60, validate_every=60)
        trainer(tmp_path / str(alpha), config, network=network, objective=objective, validate=Scripted([1.0])).fit()
        assert any(not torch.equal(before[name], now) for name, now in weights(network).items())
        result[alpha] = disagreement(network)
    assert result[5.0] < 0.7 * result[0.0]

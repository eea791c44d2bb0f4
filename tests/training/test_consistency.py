from dataclasses import replace

import pytest
import torch
from networks import ARRANGEMENTS, SAMPLES, padded, random_network, random_sentences
from reversal import HELD_OUT, SEVEN_BATCHES, Scripted, tiny_network, trainer, training, weights
from torch.nn.functional import kl_div

from seq2seq.data.batch import Batch, make_batch
from seq2seq.errors import ConfigError
from seq2seq.model.choices import BridgeKind, CellKind, CopyKind
from seq2seq.model.dropout import Cutoff
from seq2seq.system.precision import Precision
from seq2seq.training.config import LossConfig
from seq2seq.training.consistency import (
    Consistency,
    SimCut,
    divergence,
    doubled,
    span_cutoff,
    symmetric_divergence,
    two_passes,
)
from seq2seq.training.objective import TeacherForcing


def logits(rows: int, scale: float = 2.0) -> torch.Tensor:
    return scale * torch.randn(2 * rows, 11, generator=torch.Generator().manual_seed(rows))


def one_way(logits_PV: torch.Tensor) -> torch.Tensor:
    """KL of the first half from the second: PyTorch's arguments are log Q and log P."""
    p, q = (half.double().log_softmax(1) for half in logits_PV.chunk(2))
    return kl_div(q, p, reduction="sum", log_target=True)


def reference(logits_PV: torch.Tensor) -> torch.Tensor:
    return one_way(logits_PV) + one_way(torch.cat(logits_PV.chunk(2)[::-1]))


DEFINITIONS = [(symmetric_divergence, reference), (divergence, one_way)]


@pytest.mark.parametrize(("function", "definition"), DEFINITIONS)
@pytest.mark.parametrize("rows", [1, 5, 300])  # 300 rows are several chunks
def test_the_divergence_and_its_gradient_are_those_of_the_definition(rows, function, definition):
    ours, theirs = logits(rows).requires_grad_(), logits(rows).requires_grad_()
    actual, expected = function(ours), definition(theirs)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    (0.7 * actual).backward()
    (0.7 * expected).backward()
    assert torch.allclose(ours.grad, theirs.grad, atol=1e-5)


@pytest.mark.parametrize(("function", "definition"), DEFINITIONS)
def test_log_probabilities_of_a_mixture_take_the_place_of_logits(function, definition):
    """A gate mixes the softmax with another distribution, as a copy mechanism does."""

    def mixed(logits_PV: torch.Tensor, gate_P1: torch.Tensor) -> torch.Tensor:
        share_P1, other_PV = gate_P1.sigmoid(), logits(3).flip(0).softmax(1).to(logits_PV)
        return (share_P1 * logits_PV.softmax(1) + (1 - share_P1) * other_PV).log()

    gates = torch.linspace(-2, 2, 6).unsqueeze(1)
    ours = [logits(3).requires_grad_(), gates.clone().requires_grad_()]
    theirs = [logits(3).double().requires_grad_(), gates.double().requires_grad_()]
    actual, expected = function(mixed(*ours)), definition(mixed(*theirs))
    assert actual.item() == pytest.approx(expected.item(), rel=1e-4)
    actual.backward()
    expected.backward()
    for one, other in zip(ours, theirs, strict=True):
        assert torch.allclose(one.grad.double(), other.grad, atol=1e-5)


@pytest.mark.parametrize(("function", "definition"), DEFINITIONS)
def test_a_constant_added_to_all_logits_of_a_position_changes_nothing(function, definition):
    shifted = logits(4) + torch.randn(8, 1)
    assert float(function(shifted)) == pytest.approx(float(function(logits(4))), rel=1e-4)


@pytest.mark.parametrize("function", [symmetric_divergence, divergence])
def test_logits_in_bfloat16_have_bfloat16_gradients(function):
    given = logits(3).bfloat16().requires_grad_()
    function(given).backward()
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


BATCH = make_batch([[4, 5, 6], [7]], [[5, 3], [6, 7, 4, 3]])


def test_cutoff_leaves_bos_and_eos_and_cuts_the_other_tokens_at_its_rate():
    torch.manual_seed(2)
    total = Cutoff(torch.zeros(2, 4, 1), torch.zeros(2, 5, 1))
    for _ in range(300):
        cutoff = span_cutoff(BATCH, 0.25)
        total = Cutoff(*(one + other for one, other in zip(total, cutoff, strict=True)))
        assert all({*kept.flatten().tolist()} <= {0.0, 1.0} for kept in cutoff)
    source_BS, target_BT = (kept.squeeze(2) / 300 for kept in total)
    assert source_BS[0, 3] == source_BS[1, 1] == 1
    assert target_BT[:, 0].tolist() == [1, 1]
    others = torch.stack([*source_BS[0, :3], source_BS[1, 0], *target_BT[0, 1:3], *target_BT[1, 1:]])
    assert others.mean().item() == pytest.approx(0.75, abs=0.03)
    assert (others > 0.6).all()
    assert (others < 0.9).all()


def test_spans_are_cut_whole_and_all_tokens_have_the_same_chance():
    torch.manual_seed(3)
    batch = make_batch([list(range(4, 24))] * 3000, [[5]] * 3000)
    rows = (span_cutoff(batch, 0.3, 4).source_BS1.squeeze(2)[:, :20] == 0).int()
    assert rows.float().mean(0).tolist() == pytest.approx([0.3] * 20, abs=0.035)  # four standard errors
    inner = ["".join(map(str, row)).strip("1") for row in rows.tolist()]  # a span may begin or end outside
    cut = [len(run) for row in inner for run in row.split("0") if run]
    assert min(cut) == 4
    assert max(cut) > 4


POINTER = next(config for config in ARRANGEMENTS if config.copy is CopyKind.pointer)


@pytest.mark.parametrize("config", [*SAMPLES[:2], POINTER], ids=["separate", "tied", "pointer"])
def test_simcut_and_its_gradients_are_those_of_the_definition(config):
    """The reference multiplies the embeddings in hooks, in two passes in float64; no dropout.

    Its pointer sees a token that cannot be copied in place of those that are cut.
    """
    network = random_network(replace(config, dropout=0.0), 3, dtype=torch.float64).train()
    torch.manual_seed(4)
    cutoff = span_cutoff(BATCH, 0.4)
    assert cutoff.source_BS1.min() == cutoff.target_BT1.min() == 0
    plain_PV = network(*BATCH[:-1])
    tables = [(network.source_embedding, BATCH.source_BS), (network.target_embedding, BATCH.target_BT)]
    kept = {ids.data_ptr(): mask for (_, ids), mask in zip(tables, cutoff, strict=True)}
    hooks = [
        table.register_forward_hook(lambda _, inputs, output: output * kept[inputs[0].data_ptr()])
        for table in {table for table, _ in tables}
    ]
    with pytest.MonkeyPatch.context() as patch:
        if network.pointer is not None:
            memory, removed_BS = network.pointer.memory, cutoff.source_BS1.squeeze(2) == 0
            never = int((network.pointer.copies_X < 0).nonzero()[0])
            patch.setattr(network.pointer, "memory", lambda ids, _: memory(ids.masked_fill(removed_BS, never)))
        cut_PV = network(*BATCH[:-1])
    for hook in hooks:
        hook.remove()
    nll = torch.nn.functional.cross_entropy(plain_PV, BATCH.labels_P, label_smoothing=0.1, reduction="sum")
    expected = nll + 3 * one_way(torch.cat([plain_PV, cut_PV]))
    expected_gradients = torch.autograd.grad(expected, list(network.parameters()))
    torch.manual_seed(4)
    loss = SimCut(3.0, 0.4, 0.1, Precision.float32)(network, BATCH, 1)
    assert loss.objective.item() == pytest.approx(expected.item(), rel=1e-5)
    plain = TeacherForcing(0.1, Precision.float32)(network, BATCH, 1)
    assert float(loss.cross_entropy) == pytest.approx(float(plain.cross_entropy), rel=1e-6)
    assert loss.objective.item() > plain.objective.item() + 0.1
    for actual, wanted in zip(
        torch.autograd.grad(loss.objective, list(network.parameters())), expected_gradients, strict=True
    ):
        assert torch.allclose(actual, wanted, atol=1e-4 * max(1.0, float(wanted.abs().max())))


def test_a_pass_does_not_depend_on_the_tokens_that_are_cut():
    network = random_network(replace(POINTER, dropout=0.0), 3, dtype=torch.float64)
    torch.manual_seed(4)
    cutoff = span_cutoff(BATCH, 0.4)
    other_BS, other_BT = (
        torch.where(kept.squeeze(2) == 0, ids.roll(1, 0), ids)
        for ids, kept in zip((BATCH.source_BS, BATCH.target_BT), cutoff, strict=True)
    )
    assert not torch.equal(other_BS, BATCH.source_BS)
    cut_PV = network(*BATCH[:-1], cutoff)
    assert torch.equal(cut_PV, network(other_BS, BATCH.source_lengths_B, other_BT, BATCH.positions_P, cutoff))
    assert not torch.equal(cut_PV, network(*BATCH[:-1]))


def test_with_recurrent_dropout_only_the_second_pass_is_cut():
    network = random_network(replace(SAMPLES[0], recurrent_dropout=0.5), 1, dtype=torch.float32).train()
    cutoff = Cutoff(torch.zeros(2, 4, 1), torch.zeros(2, 5, 1))
    torch.manual_seed(1)
    first_PV, second_PV = two_passes(network, BATCH, cutoff).chunk(2)
    torch.manual_seed(1)
    assert torch.equal(first_PV, network(*BATCH[:-1]))
    assert torch.equal(second_PV, network(*BATCH[:-1], cutoff))


def test_a_language_model_has_its_target_cut():
    config = replace(SAMPLES[0], encoder=replace(SAMPLES[0].encoder, layers=0), bridge=BridgeKind.zero)
    config = replace(config, attention=type(config.attention).none, decoder=replace(config.decoder, feed_context=False))
    network = random_network(config, 1, dtype=torch.float32).train()
    plain = TeacherForcing(0.0, Precision.float32)(network, BATCH, 1).objective
    assert SimCut(3.0, 0.5, 0.0, Precision.float32)(network, BATCH, 1).objective > plain + 0.01


def test_two_consistency_losses_together_are_refused():
    LossConfig(simcut=3.0).check()
    LossConfig(consistency=3.0).check()
    with pytest.raises(ConfigError, match=r"^loss\.consistency=1 and loss\.simcut=3 both .*: set one of them to 0$"):
        LossConfig(consistency=1.0, simcut=3.0).check()


@pytest.mark.slow
def test_simcut_increases_the_agreement_with_a_pass_without_some_tokens(tmp_path):
    result = {}
    for alpha in (0.0, 5.0):
        network = tiny_network(0.0)
        objective = SimCut(alpha, 0.2, 0.1, Precision.float32)
        config = training(updates=100, validate_every=100)
        trainer(tmp_path / str(alpha), config, network=network, objective=objective, validate=Scripted([1.0])).fit()
        torch.manual_seed(0)
        with torch.no_grad():
            result[alpha] = float(divergence(two_passes(network, HELD_OUT, span_cutoff(HELD_OUT, 0.2))))
    assert result[5.0] < 0.7 * result[0.0]

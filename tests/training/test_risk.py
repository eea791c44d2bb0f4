import math
from collections import Counter

import pytest
import torch
from reversal import SEVEN_BATCHES, Scripted, reversal_batch, tiny_network, trainer, training

from seq2seq.data.batch import make_batch
from seq2seq.errors import ConfigError
from seq2seq.system.capability import Operations
from seq2seq.system.precision import Precision
from seq2seq.training.config import RiskConfig, RiskKind
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.risk import Candidate, Candidates, RiskTraining, expected_risk, policy_gradient, reference_tokens

EOS, LETTER = 2, 5
PLAIN = TeacherForcing(0.0, Precision.float32)
NOTHING = -math.inf


def risk_training(draw, **changes) -> RiskTraining:
    return RiskTraining(PLAIN, RiskConfig(**{"weight": 1.0, "samples": 4, **changes}), draw, Precision.float32)


def log_probability(network, batch, sentence: int, tokens: tuple[int, ...]) -> torch.Tensor:
    """Of one translation in a separate batch."""
    length = int(batch.source_lengths_B[sentence])
    target = torch.tensor([[1, *tokens[:-1]]])
    source = batch.source_BS[sentence : sentence + 1, :length]
    logits = network(source, torch.tensor([length]), target, torch.arange(len(tokens)))
    return logits.log_softmax(1).gather(1, torch.tensor(tokens)[:, None]).sum()


# The formulas


def test_expected_risk_follows_shen():
    log_p = torch.tensor([[-1.0, -3.0, -2.0], [-4.0, -1.0, NOTHING]])
    cost = torch.tensor([[0.2, 0.9, 0.5], [1.0, 0.0, 0.7]])
    for alpha in (0.005, 1.0, 2.5):
        q = [[math.exp(alpha * value) for value in row if value > NOTHING] for row in log_p.tolist()]
        expected = [
            sum(w * c for w, c in zip(weights, costs, strict=False)) / sum(weights)
            for weights, costs in zip(q, cost.tolist(), strict=True)
        ]
        assert expected_risk(log_p, cost, alpha).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_policy_gradient_weights_samples_by_reward_above_the_mean_of_the_others():
    log_p = torch.tensor([[-1.0, -3.0, -2.0], [-4.0, -1.0, NOTHING]], requires_grad=True)
    reward, count = torch.tensor([[0.9, 0.3, 0.3], [1.0, 0.0, 0.0]]), torch.tensor([[1.0, 2.0, 1.0], [3.0, 1.0, 0.0]])
    policy_gradient(log_p, reward, count).sum().backward()
    first = [1 * (0.9 - 0.9 / 3), 2 * (0.3 - 1.5 / 3), 1 * (0.3 - 1.5 / 3)]
    second = [3 * (1.0 - 2.0 / 3), 1 * (0.0 - 3.0 / 3), 0.0]
    expected = [[-value / 4 for value in row] for row in (first, second)]
    for actual, wanted in zip(log_p.grad.tolist(), expected, strict=True):
        assert actual == pytest.approx(wanted, abs=1e-6)


def test_the_policy_gradient_is_unbiased():
    """The mean over all draws of three samples from three translations is the gradient of the expected reward."""
    logits = torch.tensor([0.3, -0.5, 0.9], requires_grad=True)
    reward = torch.tensor([0.2, 1.0, 0.5])
    p = logits.softmax(0)
    (-(p * reward).sum()).backward()
    exact, logits.grad, estimate = logits.grad.clone(), None, torch.zeros(3)
    for draws in [(a, b, c) for a in range(3) for b in range(3) for c in range(3)]:
        count = torch.bincount(torch.tensor(draws), minlength=3).float()
        chance = float(p.detach()[list(draws)].prod())
        [gradient] = torch.autograd.grad(
            policy_gradient(logits.log_softmax(0)[None], reward[None], count[None]).sum(), logits
        )
        estimate += chance * gradient
    assert torch.allclose(estimate, exact, atol=1e-6)


# From samples to the objective


def test_references_are_recovered_from_the_batch():
    targets = [[4, 5], [6], [7, 8, 4]]
    batch = make_batch([[4], [5], [6]], targets)
    assert reference_tokens(batch) == [(*target, EOS) for target in targets]


def test_candidates_are_unique_in_the_table():
    counts = [Counter([(4, EOS), (4, EOS), (5,)]), Counter([(6, 7, EOS)])]
    table = Candidates.of(counts, [{(4, EOS): 0.5, (5,): 0.1}, {(6, 7, EOS): 1.0}])
    assert table.tokens == [(4, EOS), (5,), (6, 7, EOS)]
    assert table.count_BK.tolist() == [[2, 1], [1, 0]]
    assert table.reward_BK.flatten().tolist() == pytest.approx([0.5, 0.1, 1.0, 0.0])
    assert table.by_sentence(torch.tensor([-1.0, -2.0, -3.0])).tolist() == [[-1, -2], [-3, NOTHING]]


@pytest.mark.parametrize("reference", [True, False])
def test_minimum_risk_of_given_samples_follows_the_formula(reference):
    network, batch = tiny_network(0.0), make_batch([[4, 5, 6], [7]], [[6, 5, 4], [7]])
    samples = [[((4, EOS), 0.4), ((4, EOS), 0.4), ((6, 5, 4, EOS), 1.0)], [((8, 8, 8), 0.0), ((7, 4, EOS), 0.6)]]
    one = risk_training(
        lambda *_: [[Candidate(*each) for each in candidates] for candidates in samples],
        reference=reference,
        sharpness=0.7,
    )
    rewards = [dict(candidates) for candidates in samples]
    if reference:
        rewards[1][(7, EOS)] = 1.0
    expected = 0.0
    for sentence, (known, length) in enumerate(zip(rewards, (4, 2), strict=True)):
        log_p = torch.stack([log_probability(network, batch, sentence, tokens) for tokens in known])
        share = (0.7 * log_p).softmax(0)
        expected += length * (share * (1 - torch.tensor(list(known.values())))).sum()
    actual = one.risk(network, batch)
    assert actual.item() == pytest.approx(expected.item(), rel=1e-5)
    ours = torch.autograd.grad(actual, list(network.parameters()))
    theirs = torch.autograd.grad(expected, list(network.parameters()))
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))


def test_sums_have_a_fixed_order_on_a_gpu():
    network, batch = tiny_network(0.0), reversal_batch([[LETTER, LETTER], [LETTER]])
    objective = risk_training(lambda network, batch: [[Candidate((3, 4, EOS), 0.5)], [Candidate((EOS,), 0.1)]])
    with Operations() as called:
        objective.risk(network, batch)
    assert "aten::index_copy" in called.names
    assert "aten::index_add" not in called.names


def test_the_weight_interpolates_loss_and_risk():
    network = tiny_network(0.0)

    def draw(network, batch):
        return [[Candidate((4, EOS), 0.2), Candidate((5, 6, EOS), 0.8)]] * batch.source_BS.size(0)

    plain, whole = PLAIN(network, SEVEN_BATCHES[0], 1), risk_training(draw).risk(network, SEVEN_BATCHES[0]).item()
    for weight in (0.3, 1.0):
        actual = risk_training(draw, weight=weight)(network, SEVEN_BATCHES[0], 1)
        expected = (1 - weight) * plain.objective.item() + weight * whole
        assert actual.objective.item() == pytest.approx(expected, rel=1e-5)
        assert actual.cross_entropy.item() == pytest.approx(plain.cross_entropy.item(), rel=1e-5)
        assert actual.objective.requires_grad


def test_the_contribution_of_a_sentence_does_not_depend_on_the_batch():
    """Therefore accumulated batches equal one batch."""
    network, rows = tiny_network(0.0), [[4, 5, 6, 7], [8], [5, 5]]

    def draw(network, batch):
        lengths = batch.source_lengths_B.tolist()
        return [[Candidate((length, EOS), 0.2), Candidate((4,) * length, 0.8)] for length in lengths]

    one = risk_training(draw, kind=RiskKind.reinforce)
    together = one.risk(network, reversal_batch(rows)).item()
    alone = sum(one.risk(network, reversal_batch([row])).item() for row in rows)
    assert together == pytest.approx(alone, rel=1e-4)


# Effect of training


def sampler(count: int):
    """Samples translations from the network; the reward is the share of one letter."""

    @torch.no_grad()
    def draw(network, batch, count=count):
        network.eval()
        owner = torch.arange(batch.source_BS.size(0)).repeat_interleave(count)
        source, lengths = batch.source_BS[owner], batch.source_lengths_B[owner]
        inputs = torch.ones_like(owner).unsqueeze(1)
        for step in range(4):
            places = torch.arange(len(owner)) * (step + 1) + step
            logits = network(source, lengths, inputs, places)
            inputs = torch.cat([inputs, torch.multinomial(logits.softmax(1), 1)], dim=1)
        network.train()
        rows = [ended(row) for row in inputs[:, 1:].tolist()]
        scored = [Candidate(row, row.count(LETTER) / len(row)) for row in rows]
        return [scored[start : start + count] for start in range(0, len(scored), count)]

    return draw


def test_reinforce_estimates_the_gradient_of_the_expected_reward():
    """Compared with the gradient of the sum over all outcomes; at temperature 0.5 the estimate is half of it."""
    logits, reward = torch.tensor([0.3, -0.4, 0.1], requires_grad=True), torch.tensor([1.0, 0.0, 0.3])
    (expected,) = torch.autograd.grad(-(logits.softmax(0) * reward).sum(), logits)
    log_p = logits.log_softmax(0)
    means = {}
    for temperature in (1.0, 0.5):
        q = (log_p / temperature).softmax(0).tolist()
        total = torch.zeros(3)
        for first, second in ((one, other) for one in range(3) for other in range(3)):
            counts = torch.zeros(1, 3)
            for candidates in (first, second):
                counts[0, candidates] += 1
            [gradient] = torch.autograd.grad(
                policy_gradient(log_p[None], reward[None], counts).sum(), logits, retain_graph=True
            )
            total += q[first] * q[second] * gradient
        means[temperature] = total
    assert torch.allclose(means[1.0], expected, atol=1e-6)
    assert not torch.allclose(means[0.5], expected, atol=0.02)
    with pytest.raises(
        ConfigError,
        match=r"^risk\.temperature=0\.5 .* biases risk\.kind=reinforce: set risk\.temperature=1",
    ):
        risk_training(None, kind=RiskKind.reinforce, temperature=0.5)
    risk_training(None, kind=RiskKind.minimum_risk, temperature=0.5)


def ended(row: list[int]) -> tuple[int, ...]:
    return tuple(row[: row.index(EOS) + 1]) if EOS in row else tuple(row)


def expected_reward(network) -> float:
    torch.manual_seed(0)
    candidates = sampler(50)(network, SEVEN_BATCHES[0])
    rewards = [sample.reward for samples in candidates for sample in samples]
    return sum(rewards) / len(rewards)


@pytest.mark.parametrize("kind", RiskKind)
def test_training_on_risk_raises_the_reward_of_the_outputs(tmp_path, kind):
    """The references rarely contain the rewarded letter, so cross entropy cannot raise the reward."""
    network = tiny_network(0.0)
    before = expected_reward(network)
    objective = risk_training(sampler(8), kind=kind, reference=False, sharpness=0.5)
    config = training(updates=40, validate_every=40)
    trainer(tmp_path, config, network=network, objective=objective, validate=Scripted([1.0])).fit()
    assert before < 0.2
    assert expected_reward(network) > 0.5

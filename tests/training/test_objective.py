import math

import pytest
import torch
from reversal import HELD_OUT, SEVEN_BATCHES, same, tiny_network, trainer, training, weights

from seq2seq.system.precision import Precision
from seq2seq.training import LossConfig, RiskConfig, ScheduledSamplingConfig, build_objective
from seq2seq.training.consistency import Consistency, SimCut
from seq2seq.training.loss import loss_sums
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.risk import Candidate, RiskTraining
from seq2seq.training.scheduled_sampling import ScheduledSampling


def never(network, batch):
    raise AssertionError("nothing is sampled where risk has no weight")


def built(loss=None, scheduled_sampling=None, risk=None, draw=never):
    return build_objective(
        loss or LossConfig(),
        scheduled_sampling or ScheduledSamplingConfig(),
        risk or RiskConfig(),
        training(updates=10),
        draw,
    )


def test_the_default_objective_is_teacher_forcing():
    assert type(built()) is TeacherForcing
    assert built().smoothing == LossConfig().label_smoothing


def test_updates_of_the_default_objective_are_those_of_a_plain_loop_bit_for_bit(tmp_path):
    network, plain = tiny_network(), tiny_network()
    trainer(tmp_path, training(updates=7, clip=0.5), network=network, objective=built()).fit()
    optimizer = torch.optim.Adam(plain.parameters(), 0.01, fused=True)
    plain.train()
    for number, (source_BS, lengths_B, target_BT, positions_P, labels_P) in enumerate(SEVEN_BATCHES, 1):
        torch.manual_seed(3 * 1_000_003 + number)
        optimizer.zero_grad()
        logits_PV = plain(source_BS, lengths_B, target_BT, positions_P)
        (loss_sums(logits_PV, labels_P, 0.1).objective / len(labels_P)).backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        optimizer.step()
    assert same(weights(network), weights(plain))


def test_each_setting_adds_its_objective_and_objectives_nest():
    objective = built(
        LossConfig(consistency=2.0), ScheduledSamplingConfig(rate=0.5), RiskConfig(weight=0.3), draw=never
    )
    assert type(objective) is RiskTraining
    assert type(objective.objective) is ScheduledSampling
    assert objective.objective.updates == 10
    assert type(objective.objective.objective) is Consistency
    assert type(built(LossConfig(consistency=2.0))) is Consistency
    assert type(built(LossConfig(simcut=2.0))) is SimCut
    assert type(built(scheduled_sampling=ScheduledSamplingConfig(rate=0.5))) is ScheduledSampling


def fixed(network, batch):
    """Two candidates per sentence, sampled by torch from the random state of the update."""
    drawn = torch.randint(4, 9, (batch.source_BS.size(0), 2, 3)).tolist()
    return [[Candidate((*tokens, 2), tokens[0] / 9) for tokens in sentence] for sentence in drawn]


@pytest.mark.parametrize(
    ("loss", "ema"),
    [(LossConfig(consistency=2.0), None), (LossConfig(consistency=2.0), 0.9), (LossConfig(simcut=2.0), None)],
)
def test_all_objectives_together_are_reproducible_and_resumable(tmp_path, loss, ema):
    def run(folder, updates):
        network = tiny_network()
        objective = built(loss, ScheduledSamplingConfig(rate=0.5), RiskConfig(weight=0.3), draw=fixed)
        config = training(updates=updates, accumulate=2, ema=ema)
        trainer(tmp_path / folder, config, network=network, objective=objective).fit()
        torch.manual_seed(len(folder))  # other uses of the generator have no effect
        return weights(network)

    whole = run("whole", 6)
    run("cut", 4)
    assert same(run("cut", 6), whole)


def test_the_reported_cross_entropy_is_per_target_token_for_every_objective():
    network = tiny_network(0.0)
    expected = TeacherForcing(0.0, Precision.float32)(network, HELD_OUT, 1).cross_entropy
    for objective in (built(LossConfig(consistency=2.0)), built(risk=RiskConfig(weight=0.3), draw=fixed)):
        actual = objective(network, HELD_OUT, 1)
        assert float(actual.cross_entropy) == pytest.approx(float(expected), rel=1e-5)
        assert math.isfinite(actual.objective.item())

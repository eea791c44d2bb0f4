import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from reversal import Scripted, Stream, reversal_batch, sources, tiny_network, trainer, training

from seq2seq.data.batch import make_batch
from seq2seq.errors import ConfigError
from seq2seq.system.precision import Precision
from seq2seq.training import Adam
from seq2seq.training.config import Passes, Prediction, SamplingSchedule, ScheduledSamplingConfig
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.scheduled_sampling import ScheduledSampling, rate_at

PLAIN = TeacherForcing(0.0, Precision.float32)
BATCH = reversal_batch(sources(300, 4))
REAL = torch.zeros(BATCH.target_BT.numel(), dtype=torch.bool).index_fill(0, BATCH.positions_P, True)
REAL_BT = REAL.view_as(BATCH.target_BT)


def sampling(**changes) -> ScheduledSampling:
    return ScheduledSampling(PLAIN, ScheduledSamplingConfig(**{"rate": 1.0, **changes}), 10, Precision.float32)


# The schedule


@given(
    schedule=st.sampled_from(SamplingSchedule),
    rate=st.floats(0.01, 0.99),
    updates=st.integers(1, 100_000),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_the_mixing_probability_rises_to_its_rate(schedule, rate, updates, shares):
    config = ScheduledSamplingConfig(rate=rate, schedule=schedule)
    assert rate_at(config, updates, updates) == pytest.approx(rate, rel=1e-6)
    assert rate_at(config, 3 * updates, updates) == pytest.approx(rate, rel=1e-6)
    earlier_rate, later_rate = (rate_at(config, int(share * updates), updates) for share in sorted(shares))
    assert -1e-9 <= earlier_rate <= later_rate + 1e-9 <= rate + 2e-9


def test_the_schedules_are_those_of_the_paper():
    def reported(schedule, update):
        return 1 - rate_at(ScheduledSamplingConfig(rate=0.5, schedule=schedule), update, 1000)

    assert reported(SamplingSchedule.linear, 400) == pytest.approx(1 - 0.5 * 400 / 1000)
    k = 0.5 ** (1 / 1000)
    assert reported(SamplingSchedule.exponential, 400) == pytest.approx(k**400)
    beginning = reported(SamplingSchedule.inverse_sigmoid, 0)
    k = beginning / (1 - beginning)  # the paper's formula at i = 0
    assert k > 100
    assert reported(SamplingSchedule.inverse_sigmoid, 400) == pytest.approx(k / (k + math.exp(400 / k)))
    assert reported(SamplingSchedule.inverse_sigmoid, 1000) == pytest.approx(k / (k + math.exp(1000 / k)))


def test_a_rate_that_a_schedule_never_reaches_is_refused_in_one_line():
    for schedule in (SamplingSchedule.exponential, SamplingSchedule.inverse_sigmoid):
        with pytest.raises(ConfigError, match=r"^scheduled_sampling\.schedule=\w+ .*rate=0\.99 or less") as raised:
            ScheduledSamplingConfig(rate=1.0, schedule=schedule).check()
        assert "\n" not in str(raised.value)
    ScheduledSamplingConfig(rate=1.0).check()


def test_a_run_too_short_for_the_rate_is_refused():
    ScheduledSamplingConfig(rate=0.5, updates=10).check(10)
    with pytest.raises(ConfigError, match=r"^scheduled_sampling.updates=11 is longer than the run, .*[.]rate=0.5: set"):
        ScheduledSamplingConfig(rate=0.5, updates=11).check(10)


# The inputs


@pytest.mark.parametrize("passes", Passes)
@pytest.mark.parametrize("rate", [0.0, 0.25, 0.8])
def test_the_mixture_has_the_configured_rate(passes, rate):
    """The network always predicts token 0, which no target contains, so its predictions can be counted."""
    network = tiny_network()
    torch.nn.init.zeros_(network.output.weight)
    with torch.no_grad():
        network.output.bias.fill_(0).index_fill_(0, torch.tensor([0]), 50.0)
    torch.manual_seed(2)
    mixed_BT = sampling(passes=passes).mixed(network, BATCH, rate)
    own_BT = mixed_BT != BATCH.target_BT
    assert not own_BT[:, 0].any()  # BOS is never replaced
    assert set(mixed_BT[own_BT].tolist()) <= {0}
    among = REAL_BT[:, 1:]
    assert float(own_BT[:, 1:][among].float().mean()) == pytest.approx(rate, abs=0.05)


def test_each_prediction_depends_on_the_previous_mixed_inputs():
    network = tiny_network().eval()
    torch.manual_seed(2)
    mixed_BT = sampling(prediction=Prediction.argmax).mixed(network, BATCH, 0.5)
    everywhere = torch.arange(mixed_BT.numel())
    with torch.no_grad():
        logits = network(BATCH.source_BS, BATCH.source_lengths_B, mixed_BT, everywhere)
    predicted_BT = logits.argmax(1).view_as(mixed_BT)[:, :-1]
    torch.manual_seed(2)
    own_BT = (torch.rand(mixed_BT.shape) < 0.5)[:, 1:]
    assert torch.equal(mixed_BT[:, 1:], torch.where(own_BT, predicted_BT, BATCH.target_BT[:, 1:]))


def test_in_parallel_each_prediction_depends_on_the_previous_target_tokens():
    network = tiny_network().eval()
    mixed_BT = sampling(prediction=Prediction.argmax, passes=Passes.parallel).mixed(network, BATCH, 1.0)
    with torch.no_grad():
        logits = network(BATCH.source_BS, BATCH.source_lengths_B, BATCH.target_BT, torch.arange(mixed_BT.numel()))
    assert torch.equal(mixed_BT[:, 1:], logits.argmax(1).view_as(mixed_BT)[:, :-1])


@pytest.mark.parametrize("passes", Passes)
def test_samples_follow_the_networks_distribution(passes):
    network, batch = tiny_network().eval(), reversal_batch([[5, 6]] * 4000)
    torch.nn.init.normal_(network.output.bias)
    with torch.no_grad():
        logits = network(batch.source_BS[:1], batch.source_lengths_B[:1], batch.target_BT[:1], torch.tensor([0]))
    torch.manual_seed(4)
    first_B = sampling(passes=passes).mixed(network, batch, 1.0)[:, 1]
    result = torch.bincount(first_B, minlength=9) / len(first_B)
    assert torch.allclose(result, logits[0].softmax(0), atol=0.03)


@pytest.mark.parametrize("passes", Passes)
@pytest.mark.parametrize("prediction", Prediction)
def test_excluded_tokens_are_never_inputs(passes, prediction):
    """BOS, EOS and padding occur within no target."""
    network = tiny_network().eval()
    with torch.no_grad():
        network.output.bias[[0, 3]] += 5.0
    for excluded in ((), (0, 3)):
        torch.manual_seed(4)
        config = ScheduledSamplingConfig(rate=1.0, passes=passes, prediction=prediction)
        objective = ScheduledSampling(PLAIN, config, 10, Precision.float32, excluded)
        read = objective.mixed(network, BATCH, 1.0)[:, 1:][REAL_BT[:, 1:]]
        assert bool(torch.isin(read, torch.tensor([0, 3])).any()) == (not excluded)


def test_the_network_stays_in_training_and_learns_from_the_mixed_inputs():
    network = tiny_network(0.0).train()
    torch.manual_seed(6)
    loss = sampling()(network, BATCH, 10)
    assert network.training
    torch.manual_seed(6)
    mixed_BT = sampling().mixed(network, BATCH, 1.0)
    expected = PLAIN(network, BATCH._replace(target_BT=mixed_BT), 10)
    assert torch.equal(loss.objective, expected.objective)
    assert not torch.equal(loss.objective, PLAIN(network, BATCH, 10).objective)
    loss.objective.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_at_the_first_update_nothing_is_mixed():
    network = tiny_network(0.0)
    assert torch.equal(sampling()(network, BATCH, 0).objective, PLAIN(network, BATCH, 0).objective)


UNFORESEEN = make_batch([[4]] * 5, [[letter] * 4 for letter in range(4, 9)])
"""Targets repeat one letter that the source does not determine: a teacher-forced network learns to copy its input."""


def own_loss(network) -> float:
    """Return the cross entropy per token with the network's own predictions as inputs."""
    torch.manual_seed(0)
    with torch.no_grad():
        return float(sampling()(network.eval(), UNFORESEEN, 10).cross_entropy) / len(UNFORESEEN.labels_P)


def test_training_lowers_the_loss_on_model_inputs(tmp_path):
    """A network trained on correct inputs only repeats a wrong first letter."""
    result = {}
    for rate in (0.0, 1.0):
        network = tiny_network(0.0)
        objective = ScheduledSampling(PLAIN, ScheduledSamplingConfig(rate=rate, updates=20), 10, Precision.float32)
        one = trainer(
            tmp_path / str(rate),
            training(updates=60, validate_every=60),
            network=network,
            stream=Stream([UNFORESEEN]),
            optimizer=Adam(learning_rate=0.03),
            objective=objective,
            validate=Scripted([1.0]),
        )
        one.fit()
        result[rate] = own_loss(network)
    assert result[1.0] == pytest.approx(4 / 5 * math.log(5), rel=0.02)  # nearly nothing
    assert result[0.0] > 1.25 * result[1.0]

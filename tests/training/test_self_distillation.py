"""Self-distillation from the moving average of the weights, compared with its definition."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from networks import random_network
from reversal import HELD_OUT, tiny_network, trainer, training
from torch.nn.functional import kl_div

from seq2seq.config.hydra import compose_train
from seq2seq.data.batch import make_batch
from seq2seq.errors import ConfigError
from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.system.precision import Precision
from seq2seq.training.config import TrainingConfig
from seq2seq.training.consistency import SimCut
from seq2seq.training.moving_average import MovingAverage
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.self_distillation import SelfDistillation, with_self_distillation

CONFIG = TrainingConfig(ema=0.9, self_distillation=0.7, precision=Precision.float32)
PLAIN = TeacherForcing(0.1, Precision.float32)
BATCH = make_batch([[4, 5, 6], [7], [3, 3]], [[5, 3], [6, 7, 4, 6], [5]])
MODEL = ModelConfig(
    embedding_size=5,
    encoder=EncoderConfig(size=3),
    decoder=DecoderConfig(size=6),
    attention=AttentionKind.general,
    dropout=0.0,
)


def test_the_loss_and_its_gradients_are_those_of_the_definition():
    """KL of the student's distributions from those of a network with the averaged weights, in float64."""
    network, teacher = (random_network(MODEL, seed, spread=0.5, dtype=torch.float32) for seed in (1, 2))
    average = MovingAverage(teacher, 0.9)
    average.parameters = list(network.parameters())
    exact, exact_teacher = deepcopy(network).double().train(), deepcopy(teacher).double().eval()
    before = deepcopy(network.state_dict())
    loss = SelfDistillation(PLAIN, average, CONFIG)(network.train(), BATCH, 1)
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    assert network.training
    expected = PLAIN(exact, BATCH, 1)
    targets_PV = exact_teacher(*BATCH[:-1]).log_softmax(1).detach()
    divergence = kl_div(exact(*BATCH[:-1]).log_softmax(1), targets_PV, reduction="sum", log_target=True)
    definition = expected.objective.double() + 0.7 * divergence
    assert loss.objective.item() == pytest.approx(definition.item(), rel=1e-5)
    assert loss.cross_entropy.item() == pytest.approx(expected.cross_entropy.item(), rel=1e-5)
    loss.objective.backward()
    definition.backward()
    for (name, parameter), reference in zip(network.named_parameters(), exact.parameters(), strict=True):
        assert torch.allclose(parameter.grad.double(), reference.grad, rtol=1e-4, atol=1e-5), name


def test_a_network_that_equals_its_average_learns_nothing_from_it():
    network = random_network(MODEL, 1, dtype=torch.float32).train()
    loss = SelfDistillation(PLAIN, MovingAverage(network, 0.9), CONFIG)(network, BATCH, 1)
    assert loss.objective.item() == pytest.approx(PLAIN(network, BATCH, 1).objective.item(), rel=1e-6)


def test_the_average_predicts_without_dropout_and_is_compared_with_the_plain_pass():
    """SimCut has two passes; the first reads the whole sentences."""
    network = random_network(replace(MODEL, dropout=0.5), 1, dtype=torch.float32).train()
    average, simcut = MovingAverage(network, 0.9), SimCut(3.0, 0.5, 0.1, Precision.float32)
    losses = []
    for objective in (simcut, SelfDistillation(simcut, average, CONFIG), SelfDistillation(simcut, average, CONFIG)):
        torch.manual_seed(3)
        losses.append(objective(network, BATCH, 1).objective.item())
    assert losses[1] == losses[2] > losses[0]
    assert with_self_distillation(PLAIN, None, CONFIG) is PLAIN
    assert with_self_distillation(PLAIN, average, replace(CONFIG, self_distillation=0.0)) is PLAIN


def test_training_with_it_is_pulled_towards_the_average(tmp_path):
    """With a large weight and a slow average, predictions stay nearer to those of the beginning."""
    distances = []
    for weight in (0.0, 50.0):
        network = tiny_network(dropout=0.0)
        start = deepcopy(network).eval()
        config = training(updates=30, ema=0.999, self_distillation=weight)
        run = trainer(tmp_path / f"{weight:g}", config, network=network)
        run.average.decay = 1.0  # the average stays at the beginning
        run.average.update = lambda number: None
        run.fit()
        with torch.no_grad():
            logits = [each.eval()(*HELD_OUT[:-1]).log_softmax(1) for each in (start, network)]
        distances.append(kl_div(logits[1], logits[0], reduction="batchmean", log_target=True).item())
    assert distances[1] < 0.5 * distances[0]


@pytest.mark.parametrize("other", ["scheduled_sampling.rate=0.5", "risk.weight=0.5"])
def test_passes_over_other_tokens_are_refused(other):
    with pytest.raises(ConfigError, match=rf"training\.self_distillation=1 .* {other.split('=')[0]}=0\.5"):
        compose_train(None, ["training.ema=0.9", "training.self_distillation=1", other]).check()

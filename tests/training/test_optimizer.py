import math

import pytest
import torch
from torch import nn

from seq2seq.errors import ConfigError
from seq2seq.settings import validate
from seq2seq.training import SGD, Adadelta, Adagrad, Adam, AdamW, Muon, OptimizerConfig
from seq2seq.training.optimizer_state import load_state

START, GRADIENTS = [1.0, -2.0, 0.5], [[0.1, -0.3, 2.0], [-0.2, 0.4, 1.0]]


def after_steps(config: OptimizerConfig) -> list[list[float]]:
    """Return the weights after each of the two gradients."""
    parameter = nn.Parameter(torch.tensor(START))
    optimizer = config.build([parameter])
    path = []
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
        path.append(parameter.tolist())
    return path


def adam_by_hand(rate: float, beta1: float, beta2: float, epsilon: float, decay: float = 0.0) -> list[list[float]]:
    """Kingma & Ba 2015, algorithm 1; the decay is Loshchilov & Hutter's."""
    path, weights, means, squares = [], START, [0.0] * 3, [0.0] * 3
    for step, gradient in enumerate(GRADIENTS, 1):
        means = [beta1 * mean + (1 - beta1) * g for mean, g in zip(means, gradient, strict=True)]
        squares = [beta2 * square + (1 - beta2) * g * g for square, g in zip(squares, gradient, strict=True)]
        weights = [
            weight * (1 - rate * decay)
            - rate * (mean / (1 - beta1**step)) / (math.sqrt(square / (1 - beta2**step)) + epsilon)
            for weight, mean, square in zip(weights, means, squares, strict=True)
        ]
        path.append(weights)
    return path


def test_sgd_subtracts_the_scaled_gradient():
    first, second = after_steps(SGD(learning_rate=0.5))
    assert first == pytest.approx([0.95, -1.85, -0.5])
    assert second == pytest.approx([1.05, -2.05, -1.0])


def test_momentum_adds_the_previous_step():
    first, second = after_steps(SGD(learning_rate=0.5, momentum=0.9))
    assert first == pytest.approx([0.95, -1.85, -0.5])
    # velocity = 0.9 · first gradient + second gradient
    assert second == pytest.approx([0.95 - 0.5 * (0.09 - 0.2), -1.85 - 0.5 * (-0.27 + 0.4), -0.5 - 0.5 * (1.8 + 1.0)])


@pytest.mark.parametrize("epsilon", [1e-8, 0.1])
def test_adam_follows_the_paper(epsilon):
    path = after_steps(Adam(learning_rate=0.01, beta1=0.8, beta2=0.98, epsilon=epsilon))
    expected = adam_by_hand(0.01, 0.8, 0.98, epsilon)
    assert path[0] == pytest.approx(expected[0], abs=1e-6)
    assert path[1] == pytest.approx(expected[1], abs=1e-6)


def test_adamw_decays_the_weights_and_not_the_gradient():
    path = after_steps(AdamW(learning_rate=0.01, beta1=0.8, beta2=0.98, epsilon=1e-8, weight_decay=0.5))
    expected = adam_by_hand(0.01, 0.8, 0.98, 1e-8, decay=0.5)
    assert path[0] == pytest.approx(expected[0], abs=1e-6)
    assert path[1] == pytest.approx(expected[1], abs=1e-6)


@pytest.mark.parametrize(
    ("config", "kind", "settings"),
    [
        (Adam(learning_rate=0.2, beta1=0.7, beta2=0.8, epsilon=1e-4), torch.optim.Adam, {"weight_decay": 0}),
        (AdamW(learning_rate=0.2, beta1=0.7, beta2=0.8, epsilon=1e-4), torch.optim.AdamW, {"weight_decay": 0.01}),
    ],
)
def test_adams_are_built_with_their_settings(config, kind, settings):
    optimizer = config.build([nn.Parameter(torch.zeros(2))])
    assert type(optimizer) is kind
    expected = {"lr": 0.2, "betas": (0.7, 0.8), "eps": 1e-4, **settings}
    assert {name: optimizer.defaults[name] for name in expected} == expected


def test_sgd_is_built_with_its_settings():
    optimizer = SGD(learning_rate=0.3, momentum=0.6).build([nn.Parameter(torch.zeros(2))])
    assert type(optimizer) is torch.optim.SGD
    assert (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (0.3, 0.6)
    assert optimizer.defaults["weight_decay"] == 0


def test_adadelta_follows_the_paper():
    """Zeiler 2012, algorithm 1."""
    rho, epsilon = 0.9, 1e-3
    squares, steps, weights = [0.0] * 3, [0.0] * 3, START
    for taken, gradient in zip(after_steps(Adadelta(rho=rho, epsilon=epsilon)), GRADIENTS, strict=True):
        squares = [rho * square + (1 - rho) * g * g for square, g in zip(squares, gradient, strict=True)]
        moves = [
            -math.sqrt(step + epsilon) / math.sqrt(square + epsilon) * g
            for step, square, g in zip(steps, squares, gradient, strict=True)
        ]
        steps = [rho * step + (1 - rho) * move * move for step, move in zip(steps, moves, strict=True)]
        weights = [weight + move for weight, move in zip(weights, moves, strict=True)]
        assert taken == pytest.approx(weights, abs=1e-6)


def test_adagrad_divides_by_the_root_of_the_sum_of_squares():
    first, second = after_steps(Adagrad(learning_rate=0.1))
    assert first == pytest.approx([0.9, -1.9, 0.4])  # the first step is the learning rate for any gradient
    moves = [0.1 * b / math.hypot(a, b) for a, b in zip(*GRADIENTS, strict=True)]
    assert second == pytest.approx([weight - move for weight, move in zip(first, moves, strict=True)], abs=1e-6)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SGD(learning_rate=0.0), "learning_rate must be above 0, got 0"),
        (SGD(momentum=1.0), r"momentum must be in \[0, 1\), got 1"),
        (Adam(beta2=1.0), r"beta2 must be in \[0, 1\), got 1"),
        (Adadelta(rho=1.0), r"rho must be in \[0, 1\), got 1"),
        (AdamW(weight_decay=-0.1), "weight_decay must be at least 0, got -0.1"),
    ],
)
def test_impossible_settings_are_named(config, message):
    with pytest.raises(ConfigError, match=message):
        validate(config)


EVERY = [Adam(), AdamW(), SGD(), SGD(momentum=0.9), Adadelta(), Adagrad(), Muon()]


def stepped(config: OptimizerConfig, steps: int) -> tuple[nn.Parameter, torch.optim.Optimizer]:
    parameter = nn.Parameter(torch.tensor([START, START]))
    optimizer = config.build([parameter])
    for _ in range(steps):
        parameter.grad = torch.tensor(GRADIENTS)
        optimizer.step()
    return parameter, optimizer


@pytest.mark.parametrize("config", EVERY)
@pytest.mark.parametrize("steps", [0, 2])
def test_a_loaded_state_uses_the_current_settings(config, steps):
    _, first = stepped(config, steps)
    _, second = stepped(config, 0)
    saved = first.state_dict()
    saved["param_groups"][0]["lr"] = 99.0
    load_state(second, config, saved)
    assert second.param_groups[0]["lr"] == config.learning_rate
    actual, expected = second.state_dict()["state"], first.state_dict()["state"]
    assert {name: str(value) for name, value in actual.items()} == {
        name: str(value) for name, value in expected.items()
    }


@pytest.mark.parametrize("config", [one for one in EVERY if stepped(one, 1)[1].state_dict()["state"]])
def test_a_state_of_other_shapes_is_refused_before_the_fused_kernel(config):
    state = stepped(config, 1)[1].state_dict()["state"][0]
    wrongs = [{**state, "more": torch.zeros(2, 3)}, dict.fromkeys(state), None, "state"]
    wrongs += [{**state, name: wrong} for name in state for wrong in (torch.zeros(1), torch.zeros(9, 9), None, 1, "x")]
    for wrong in wrongs:
        with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
            load_state(stepped(config, 0)[1], config, {"state": {0: wrong}})
    with pytest.raises(ValueError, match="more parameters"):
        load_state(stepped(config, 0)[1], config, {"state": {7: state}})

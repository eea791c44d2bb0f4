"""Optimizers: each is a group of settings that builds a `torch.optim.Optimizer`."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.model import Network
from seq2seq.settings import setting
from seq2seq.training.muon import MuonOptimizer


@dataclass(kw_only=True)
class OptimizerConfig:
    """Settings of every optimizer. Each choice of `conf/optimizer` is a subclass."""

    learning_rate: float = setting(0.001, "learning rate at the schedule's peak", above=0)

    def build(self, parameters: Iterable[nn.Parameter], tables: Collection[Tensor] = ()) -> torch.optim.Optimizer:
        """Build the optimizer of ``parameters``; ``tables`` are those with one row per token."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Adam(OptimizerConfig):
    """Adam (Kingma & Ba 2015)."""

    learning_rate: float = setting(0.002, "learning rate at the schedule's peak", above=0)
    beta1: float = setting(0.9, "decay of the mean of gradients", at_least=0, below=1)
    beta2: float = setting(0.999, "decay of the mean of squared gradients", at_least=0, below=1)
    epsilon: float = setting(1e-8, "added to the root of the second moment", above=0)

    def build(self, parameters: Iterable[nn.Parameter], tables: Collection[Tensor] = ()) -> torch.optim.Optimizer:
        """`torch.optim.Adam`, fused: one pass over all weights."""
        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(parameters, self.learning_rate, betas, self.epsilon, fused=True)


@dataclass(kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    weight_decay: float = setting(0.01, "share of a weight subtracted per update, times the learning rate", at_least=0)

    def build(self, parameters: Iterable[nn.Parameter], tables: Collection[Tensor] = ()) -> torch.optim.Optimizer:
        """`torch.optim.AdamW`, fused."""
        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(parameters, self.learning_rate, betas, self.epsilon, self.weight_decay, fused=True)


@dataclass(kw_only=True)
class Adadelta(OptimizerConfig):
    """Adadelta (Zeiler 2012): steps of the size of recent steps; learning rate 1 is as published."""

    learning_rate: float = setting(1.0, "learning rate at the schedule's peak", above=0)
    rho: float = setting(0.95, "decay of the means of squared gradients and of squared steps", at_least=0, below=1)
    epsilon: float = setting(1e-6, "added to both means before their roots", above=0)

    def build(self, parameters: Iterable[nn.Parameter], tables: Collection[Tensor] = ()) -> torch.optim.Optimizer:
        """`torch.optim.Adadelta`."""
        return torch.optim.Adadelta(parameters, self.learning_rate, self.rho, self.epsilon)


@dataclass(kw_only=True)
class Adagrad(OptimizerConfig):
    """Adagrad (Duchi et al. 2011): each weight's rate is divided by the root of its summed squared gradients."""

    learning_rate: float = setting(0.02, "learning rate at the schedule's peak", above=0)
    epsilon: float = setting(1e-10, "added to the root of the sum", above=0)

    def build(self, parameters: Iterable[nn.Parameter], tables: Collection[Tensor] = ()) -> torch.optim.Optimizer:
        """`torch.optim.Adagrad`."""
        return torch.optim.Adagrad(parameters, self.learning_rate, eps=self.epsilon)


@dataclass(kw_only=True)
class SGD(OptimizerConfig):
    """Stochastic gradient descent, plain or with momentum."""

    learning_rate: float = setting(1.0, "learning rate at the schedule's peak", above=0)
    momentum: float = setting(0.0, "share of the last step that is added to the next", at_least=0, below=1)

    def build(self, parameters: Iterable[nn.Parameter], tables: Collection[Tensor] = ()) -> torch.optim.Optimizer:
        """`torch.optim.SGD`."""
        return torch.optim.SGD(parameters, self.learning_rate, self.momentum)


@dataclass(kw_only=True)
class Muon(OptimizerConfig):
    """Muon (Jordan 2024) for matrices, Adam for embeddings, output layer and biases; see `seq2seq.training.muon`."""

    learning_rate: float = setting(0.02, "learning rate of the matrices at the schedule's peak", above=0)
    momentum: float = setting(0.95, "decay of the mean of gradients", at_least=0, below=1)
    rows: int = setting(128, "rows of a matrix that are orthogonalized together; fewer cost less", at_least=1)
    iterations: int = setting(3, "Newton-Schulz iterations per update", at_least=1, at_most=20)
    adam_share: float = setting(0.4, "Adam's learning rate, as a share of the matrices'", above=0)
    beta1: float = setting(0.9, "Adam's decay of the mean of gradients", at_least=0, below=1)
    beta2: float = setting(0.98, "Adam's decay of the mean of squared gradients", at_least=0, below=1)
    epsilon: float = setting(1e-8, "added to the root of Adam's second moment", above=0)

    def build(self, parameters: Iterable[nn.Parameter], tables: Collection[Tensor] = ()) -> torch.optim.Optimizer:
        """`MuonOptimizer`: matrices but ``tables`` take its orthogonal steps."""
        numbers = {id(table) for table in tables}
        matrices: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for parameter in parameters:
            is_matrix = parameter.dim() == 2 and id(parameter) not in numbers
            (matrices if is_matrix else others).append(parameter)
        return MuonOptimizer(
            matrices,
            others,
            learning_rate=self.learning_rate,
            momentum=self.momentum,
            rows=self.rows,
            iterations=self.iterations,
            adam_share=self.adam_share,
            betas=(self.beta1, self.beta2),
            epsilon=self.epsilon,
        )


def optimizer_of(network: Network, config: OptimizerConfig) -> torch.optim.Optimizer:
    """Build the optimizer of the network's trainable parameters."""
    trainable = (parameter for parameter in network.parameters() if parameter.requires_grad)
    return config.build(trainable, tables_of(network))


def tables_of(network: Network) -> list[Tensor]:
    """The matrices with one row per token: the embeddings and the output layer."""
    embeddings = [module.weight for module in network.modules() if isinstance(module, nn.Embedding)]
    return [*embeddings, network.output.weight]


def load_state(
    optimizer: torch.optim.Optimizer,
    config: OptimizerConfig,
    state: dict[str, Any],
    tables: Collection[Tensor] = (),
) -> None:
    """Load the state of an optimizer that ``config`` built. Settings such as the learning rate are not loaded.

    Shapes are checked, because fused kernels do not check them and would write outside a smaller tensor. ``tables`` are
    those of `OptimizerConfig.build`.

    Raises:
        ValueError: the state does not fit the optimizer.
        LookupError, TypeError, AttributeError: likewise.
    """
    numbers = {id(table) for table in tables}
    expected_of = {is_matrix: state_after_one_update(config, is_matrix) for is_matrix in (False, True)}
    own = optimizer.state_dict()["param_groups"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for number, parameter in enumerate(parameters):
        saved = state["state"].get(number, {})
        expected = expected_of[parameter.dim() == 2 and id(parameter) not in numbers]
        if saved.keys() not in (expected.keys(), set()):
            raise ValueError(f"parameter {number} has {sorted(saved)}")
        for name, value in saved.items():
            shape = parameter.shape if expected[name].dim() else torch.Size()
            if not isinstance(value, Tensor) or value.shape != shape or not value.is_floating_point():
                raise ValueError(f"{name} of parameter {number}")
    if not {*state["state"]} <= {*range(len(parameters))}:
        raise ValueError("the state has more parameters")
    optimizer.load_state_dict({"state": state["state"], "param_groups": own})


def state_after_one_update(config: OptimizerConfig, is_matrix: bool) -> dict[str, Tensor]:
    """The optimizer state of a matrix, or of a table, after one update: tensors of its shape, or scalars."""
    model = nn.Parameter(torch.zeros(2, 3))
    model.grad = torch.zeros(2, 3)
    optimizer = config.build([model], [] if is_matrix else [model])
    optimizer.step()
    state: dict[str, Tensor] = optimizer.state[model]
    return state

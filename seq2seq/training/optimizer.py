"""Optimizers: each is a group of settings that builds a `torch.optim.Optimizer`."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seq2seq.settings import setting

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


@dataclass(kw_only=True)
class OptimizerConfig:
    """Settings of every optimizer. Each choice of ``optimizer=`` is a subclass."""

    learning_rate: float = setting(0.001, "learning rate at the schedule's peak", above=0)

    def build(self, parameters: "Iterable[nn.Parameter]", tables: "Collection[Tensor]" = ()) -> "torch.optim.Optimizer":
        """Build the optimizer of ``parameters``; ``tables`` are those with one row per token."""
        raise NotImplementedError


@dataclass(kw_only=True)
class Adam(OptimizerConfig):
    """Adam (Kingma & Ba 2015)."""

    learning_rate: float = setting(0.002, "learning rate at the schedule's peak", above=0)
    beta1: float = setting(0.9, "decay of the mean of gradients", at_least=0, below=1)
    beta2: float = setting(0.999, "decay of the mean of squared gradients", at_least=0, below=1)
    epsilon: float = setting(1e-8, "added to the root of the second moment", above=0)

    def build(self, parameters: "Iterable[nn.Parameter]", tables: "Collection[Tensor]" = ()) -> "torch.optim.Optimizer":
        """`torch.optim.Adam`, fused: one pass over all weights."""
        import torch

        betas = (self.beta1, self.beta2)
        return torch.optim.Adam(parameters, self.learning_rate, betas, self.epsilon, fused=True)


@dataclass(kw_only=True)
class AdamW(Adam):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    weight_decay: float = setting(0.01, "share of a weight subtracted per update, times the learning rate", at_least=0)

    def build(self, parameters: "Iterable[nn.Parameter]", tables: "Collection[Tensor]" = ()) -> "torch.optim.Optimizer":
        """`torch.optim.AdamW`, fused."""
        import torch

        betas = (self.beta1, self.beta2)
        return torch.optim.AdamW(parameters, self.learning_rate, betas, self.epsilon, self.weight_decay, fused=True)


@dataclass(kw_only=True)
class Adadelta(OptimizerConfig):
    """Adadelta (Zeiler 2012): steps of the size of recent steps; learning rate 1 is as published."""

    learning_rate: float = setting(1.0, "learning rate at the schedule's peak", above=0)
    rho: float = setting(0.95, "decay of the means of squared gradients and of squared steps", at_least=0, below=1)
    epsilon: float = setting(1e-6, "added to both means before their roots", above=0)

    def build(self, parameters: "Iterable[nn.Parameter]", tables: "Collection[Tensor]" = ()) -> "torch.optim.Optimizer":
        """`torch.optim.Adadelta`."""
        import torch

        return torch.optim.Adadelta(parameters, self.learning_rate, self.rho, self.epsilon)


@dataclass(kw_only=True)
class Adagrad(OptimizerConfig):
    """Adagrad (Duchi et al. 2011): each weight's rate is divided by the root of its summed squared gradients."""

    learning_rate: float = setting(0.02, "learning rate at the schedule's peak", above=0)
    epsilon: float = setting(1e-10, "added to the root of the sum", above=0)

    def build(self, parameters: "Iterable[nn.Parameter]", tables: "Collection[Tensor]" = ()) -> "torch.optim.Optimizer":
        """`torch.optim.Adagrad`."""
        import torch

        return torch.optim.Adagrad(parameters, self.learning_rate, eps=self.epsilon)


@dataclass(kw_only=True)
class SGD(OptimizerConfig):
    """Stochastic gradient descent, plain or with momentum."""

    learning_rate: float = setting(1.0, "learning rate at the schedule's peak", above=0)
    momentum: float = setting(0.0, "share of the last step that is added to the next", at_least=0, below=1)

    def build(self, parameters: "Iterable[nn.Parameter]", tables: "Collection[Tensor]" = ()) -> "torch.optim.Optimizer":
        """`torch.optim.SGD`."""
        import torch

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

    def build(self, parameters: "Iterable[nn.Parameter]", tables: "Collection[Tensor]" = ()) -> "torch.optim.Optimizer":
        """`MuonOptimizer`: matrices but ``tables`` take its orthogonal steps."""
        from seq2seq.training.muon import MuonOptimizer

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

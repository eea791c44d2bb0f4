"""Muon: orthogonalized momentum for matrices, Adam for everything else.

The gradient of a weight matrix has a few large singular values, and plain descent moves only along those directions.
Muon (Jordan 2024, https://kellerjordan.github.io/posts/muon/) replaces the momentum M = U S V' by U V', so that all
directions move equally far. Newton-Schulz iterations approximate U V' by matrix products.

Here they run on blocks of a few rows: the cost falls with the height of a block, and the stacked gates of an LSTM are
separate maps anyway.

R rows of a block, C columns, K blocks of a matrix.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

COEFFICIENTS = 3.4445, -4.7750, 2.0315
"""Coefficients of a x + b x³ + c x⁵, which maps small singular values to about 1 in few steps (Jordan 2024)."""

SCALE = 0.2
"""Root mean square of the step at learning rate 1, as usual for Adam (Liu et al. 2025, sec. 2.2)."""


class MuonOptimizer(torch.optim.Optimizer):
    """Muon for matrices (first parameter group), Adam for other parameters (second group).

    Args:
        matrices: two-dimensional parameters.
        others: parameters of any shape.
        learning_rate: of the matrices.
        momentum: decay of the mean of gradients, with Nesterov momentum.
        rows: height R of a block; the last block of a matrix may be lower.
        iterations: Newton-Schulz iterations.
        adam_share: learning rate of the others, as a share of ``learning_rate``.
        betas: Adam's decays.
        epsilon: Adam's.
    """

    def __init__(
        self,
        matrices: list[nn.Parameter],
        others: list[nn.Parameter],
        *,
        learning_rate: float,
        momentum: float,
        rows: int,
        iterations: int,
        adam_share: float,
        betas: tuple[float, float],
        epsilon: float,
    ) -> None:
        # Capturable: `load_state_dict` puts the count of steps where the parameters are.
        super().__init__([{"params": matrices}, {"params": others}], {"lr": learning_rate, "capturable": True})
        self.momentum = momentum
        self.rows = rows
        self.iterations = iterations
        self.adam_share = adam_share
        self.betas = betas
        self.epsilon = epsilon

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        matrices, others = self.param_groups
        for parameter in _with_gradient(matrices):
            self._orthogonal_step(parameter, matrices["lr"])
        for parameter in _with_gradient(others):
            self._adam_step(parameter, others["lr"] * self.adam_share)

    def _orthogonal_step(self, matrix: nn.Parameter, rate: float) -> None:
        state, gradient = self.state[matrix], gradient_of(matrix)
        if not state:
            state["mean"] = torch.zeros_like(matrix)
        mean = state["mean"].lerp_(gradient, 1 - self.momentum)
        nesterov = gradient.lerp(mean, self.momentum)
        for block_KRC, weight_KRC in zip(row_blocks(nesterov, self.rows), row_blocks(matrix, self.rows), strict=True):
            scale = SCALE * max(block_KRC.shape[1:]) ** 0.5
            weight_KRC.sub_(orthogonal(block_KRC, self.iterations), alpha=rate * scale)

    def _adam_step(self, parameter: nn.Parameter, rate: float) -> None:
        state, gradient = self.state[parameter], gradient_of(parameter)
        if not state:
            state["step"] = torch.zeros((), device=parameter.device)
            state["mean"], state["square"] = torch.zeros_like(parameter), torch.zeros_like(parameter)
        # Counted and read on the device, where an update may be undone (`seq2seq.training.loss_scale`).
        step, (beta1, beta2) = state["step"].add_(1).double(), self.betas
        mean = state["mean"].lerp_(gradient, 1 - beta1)
        square = state["square"].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        root = (square / (1 - beta2**step)).sqrt_().add_(self.epsilon)
        parameter.sub_(mean * (rate / (1 - beta1**step)) / root)


def orthogonal(block_KRC: Tensor, iterations: int) -> Tensor:
    """Approximate U V' of each matrix U S V', (K, R, C): roughly after three iterations, closely after five.

    A matrix of zeros stays zero.
    """
    if block_KRC.size(1) > block_KRC.size(2):
        return orthogonal(block_KRC.mT, iterations).mT
    a, b, c = COEFFICIENTS
    X: Tensor = block_KRC / block_KRC.norm(dim=(1, 2), keepdim=True).clamp_min(1e-20)
    for _ in range(iterations):
        gram_KRR = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(gram_KRR, gram_KRR, gram_KRR, beta=b, alpha=c), X, beta=a)
    return X


def row_blocks(matrix: Tensor, rows: int) -> Iterator[Tensor]:
    """Views of a matrix: its full blocks (K, rows, columns), then the remaining rows (1, rest, columns)."""
    whole = matrix.size(0) // rows * rows
    if whole:
        yield matrix[:whole].view(-1, rows, matrix.size(1))
    if whole < matrix.size(0):
        yield matrix[whole:].unsqueeze(0)


def gradient_of(parameter: nn.Parameter) -> Tensor:
    """The gradient of a parameter that has one."""
    assert parameter.grad is not None
    return parameter.grad


def _with_gradient(group: dict[str, Any]) -> Iterator[nn.Parameter]:
    return (parameter for parameter in group["params"] if parameter.grad is not None)

"""Dynamic loss scaling for training in float16 (Micikevicius et al. 2018, sec. 3.2), without a wait for the device.

Most gradients of a mean over thousands of target tokens lie below 6e-5, where float16 loses digits. So the loss is
multiplied by a scale before the backward pass, and the float32 gradients of the weights are divided by it afterwards.
The scale is a power of two: both change no digit.

`torch.amp.GradScaler` follows the same rules, but its host waits for the device in every update, except with fused
optimizers.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from seq2seq.system.torch_private import multiply_each

INITIAL, LOWEST, HIGHEST = 2.0**16, 1.0, 2.0**24
"""The scale of a new run, and its limits."""

GROWTH_INTERVAL = 2000
"""Updates without overflow after which the scale is doubled."""


class LossScale:
    """An adaptive scale of the loss. Unless ``enabled``, it is 1 and changes nothing.

    An update whose gradients are not finite is skipped: weights and optimizer state stay as they are, and the scale is
    halved. After `GROWTH_INTERVAL` updates in a row without overflow it is doubled. Gradients that overflow at the
    lowest scale are not caused by the scale: their norm is returned, and `MetricSums.read` reports divergence. In a new
    run that happens after 17 skipped updates in a row.

    With several processes, gradients are summed before they are checked: all processes take the same decision.
    """

    def __init__(self, enabled: bool, device: torch.device) -> None:
        self.enabled = enabled
        self.scale = torch.full((), INITIAL if enabled else 1.0, device=device)
        self.streak = torch.zeros((), dtype=torch.int64, device=device)
        """Updates since the scale was last changed."""

    def unscale(self, parameters: Iterable[nn.Parameter]) -> None:
        """Divide gradients by the scale: before they are clipped or measured."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.enabled and gradients:
            multiply_each(gradients, self.scale.reciprocal())

    def step(self, optimizer: torch.optim.Optimizer, norm: Tensor) -> Tensor:
        """Step the optimizer if the gradients are finite, and adapt the scale.

        Args:
            optimizer: its parameters have unscaled gradients.
            norm: the norm of those, before clipping; it is finite if and only if they are.

        Returns:
            the norm to record: 0 for an update that was skipped.
        """
        if not self.enabled:
            optimizer.step()
            return norm
        finite = norm.isfinite()
        step_if(finite, optimizer)
        skipped = ~finite & (self.scale > LOWEST)
        self._adapt(finite)
        return norm.masked_fill(skipped, 0.0)

    def _adapt(self, finite: Tensor) -> None:
        streak = torch.where(finite, self.streak + 1, 0)
        grown = streak >= GROWTH_INTERVAL
        factor = torch.where(finite, 1.0 + grown.float(), 0.5)
        self.scale = (self.scale * factor).clamp(LOWEST, HIGHEST)
        self.streak = streak.masked_fill(grown, 0)

    def state_dict(self) -> dict[str, Any]:
        """Return the values for a training state: the scale, and the number of updates since it changed."""
        return {"scale": float(self.scale), "streak": int(self.streak)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a training state.

        Raises:
            ValueError: it is not a state of a loss scale.
            LookupError, TypeError: likewise.
        """
        scale, streak = state["scale"], state["streak"]
        if type(scale) is not float or not LOWEST <= scale <= HIGHEST or math.frexp(scale)[0] != 0.5:
            raise ValueError(f"a loss scale of {scale}")
        if type(streak) is not int or not 0 <= streak < GROWTH_INTERVAL:
            raise ValueError(f"{streak} updates at one loss scale")
        self.scale.fill_(scale)
        self.streak.fill_(streak)


@torch.no_grad()
def step_if(finite: Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Call `optimizer.step()` if ``finite``, a Boolean scalar on the device, is true; else change nothing.

    PyTorch's fused optimizers read the flag on the device. For others, the changes of the step are undone.
    """
    if getattr(optimizer, "_step_supports_amp_scaling", False):
        optimizer.found_inf = finite.logical_not().float()  # type: ignore[attr-defined]
        optimizer.step()
        return
    before = {id(tensor): tensor.clone() for tensor in _changing(optimizer, finite.device)}
    optimizer.step()
    for tensor in _changing(optimizer, finite.device):
        # State that the first step has created begins at zero.
        tensor.copy_(torch.where(finite, tensor, before.get(id(tensor), 0.0)))


def _changing(optimizer: torch.optim.Optimizer, device: torch.device) -> Iterator[Tensor]:
    """Parameters and their state on the device.

    Adadelta and Adagrad count their steps on the host, and do not use the count.
    """
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            state = optimizer.state.get(parameter, {})
            yield parameter
            yield from (one for one in state.values() if isinstance(one, Tensor) and one.device == device)

"""One update of the weights: zero_grad, forward, backward, clip, step; and the sums of its metrics."""

import math
from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_norm_

from seq2seq.data.batch import Batch
from seq2seq.errors import RunError
from seq2seq.model import Network
from seq2seq.system.out_of_memory import whole_or_halves
from seq2seq.system.processes import add_up, alone, count, rank, total
from seq2seq.training.loss import Loss, Objective
from seq2seq.training.loss_scale import LossScale


class UpdateStep:
    """Updates the weights of a network from the batches of all processes.

    The loss is the sum over all target tokens of an update, divided by their number. Process r of W computes batches
    r, W + r, 2 W + r, …; DistributedDataParallel averages the processes' gradients during the backward pass (Li et al.
    2020), and the average times W is their sum.

    Args:
        network: on the device where it is trained.
        objective: what is minimized.
        optimizer: over the network's parameters.
        loss_scale: scales the loss in float16.
        clip: largest norm of the gradient; None: not clipped.
        seed: seed of everything that the objective draws.
    """

    def __init__(
        self,
        network: Network,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        loss_scale: LossScale,
        *,
        clip: float | None,
        seed: int,
    ) -> None:
        self.network = network
        module = ObjectiveModule(network, objective)
        self.parallel = None if alone() else DistributedDataParallel(module, gradient_as_bucket_view=True)
        self.objective = module if self.parallel is None else self.parallel
        self.optimizer = optimizer
        self.loss_scale = loss_scale
        self.clip = math.inf if clip is None else clip
        self.seed = seed

    def __call__(self, batches: list[Batch], update: int) -> tuple[int, Tensor, Tensor]:
        """Make one update.

        Args:
            batches: this process's batches, the same number in every process.
            update: number of the update, from 1.

        Returns:
            Number of target tokens, summed cross entropy (nats) and gradient norm before clipping, of all processes.

        Raises:
            RunError: out of memory, even with half batches.
        """
        tokens = total(sum(batch.labels_P.numel() for batch in batches))
        self.network.train()
        cross_entropy = self.backward(batches, tokens, update)
        self.loss_scale.unscale(self.network.parameters())
        norm = clip_grad_norm_(self.network.parameters(), self.clip)
        norm = self.loss_scale.step(self.optimizer, norm)
        return tokens, cross_entropy, norm

    def backward(self, batches: list[Batch], tokens: int, update: int) -> Tensor:
        """Compute gradients of the loss over ``tokens`` target tokens; returns the summed cross entropy.

        If a single process runs out of memory, it warns and repeats the update with every batch in two halves. The
        gradients are the same up to rounding and random draws. Several processes cannot: the others are already
        exchanging gradients.

        Raises:
            RunError: out of memory, even with half batches.
        """

        def accumulate(batches: list[Batch]) -> Tensor:
            self.optimizer.zero_grad(set_to_none=True)
            cross_entropy = torch.zeros((), device=batches[0].source_BS.device)
            for number, batch in enumerate(batches):
                torch.manual_seed(batch_seed(self.seed, update, number * count() + rank()))
                is_last = number + 1 == len(batches)
                with nullcontext() if is_last or self.parallel is None else self.parallel.no_sync():
                    loss: Loss = self.objective(batch, update)
                    mean = loss.objective / (tokens / count())
                    (mean * self.loss_scale.scale).backward()  # type: ignore[no-untyped-call]
                cross_entropy += loss.cross_entropy
            return add_up(cross_entropy)

        if self.parallel is not None:
            return accumulate(batches)
        return whole_or_halves(
            lambda: accumulate(batches),
            lambda: accumulate([half for batch in batches for half in batch.halves()]),
            f"the batches of update {update:,}",
            "batch.tokens",
        )


class ObjectiveModule(nn.Module):
    """An objective as a module, so that DistributedDataParallel sees everything it does with the network."""

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective

    def forward(self, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target tokens."""
        return self.objective(self.network, batch, update)


def batch_seed(seed: int, update: int, batch: int) -> int:
    """The seed of a batch, from its number within its update: independent of the process that computes it.

    Torch's CPU generator takes 32 bits. Multiples of 2³² / φ keep the batches of an update, and so the updates of each
    batch number, as far apart as possible.
    """
    return seed * 1_000_003 + update + batch * 2_654_435_769


class MetricSums:
    """Sums over updates, kept on the device: `add` does not wait for it, `read` does.

    Args:
        cross_entropy: the sum so far. Additions continue from it in float64, so the sum of a window has the same bits
            wherever reads or restarts fall in it.
        device: where updates are computed.
    """

    def __init__(self, cross_entropy: float, device: torch.device) -> None:
        self.cross_entropy = torch.full((), cross_entropy, dtype=torch.float64, device=device)
        self.norms = torch.zeros((), dtype=torch.float64, device=device)
        self.last_norm = self.norms

    def add(self, cross_entropy: Tensor, norm: Tensor) -> None:
        """Add the summed cross entropy and the gradient norm of an update, both scalars on the device."""
        self.cross_entropy += cross_entropy
        self.norms += norm  # serves to detect norms that are not finite
        self.last_norm = norm

    def read(self, updates: range, tokens: int) -> tuple[float, float]:
        """Read the sums.

        Args:
            updates: numbers of the updates since the last read, for the message.
            tokens: target tokens in the window, likewise.

        Returns:
            Summed cross entropy (nats), and gradient norm of the last update.

        Raises:
            RunError: a loss or a gradient norm was not finite.
        """
        values = torch.stack([self.cross_entropy, self.norms, self.last_norm.double()])
        cross_entropy, norms, last_norm = values.tolist()  # the only place where the host waits for the device
        if not (math.isfinite(cross_entropy) and math.isfinite(norms)):
            name = f"updates {updates[0]} to {updates[-1]}" if len(updates) > 1 else f"update {updates[0]}"
            raise RunError(
                f"{name}: loss {cross_entropy / tokens:g}, gradient norm {norms / len(updates):g}: training has "
                f"diverged; try a lower optimizer.learning_rate, a smaller training.clip or training.precision=float32"
            )
        return cross_entropy, last_norm

"""From batches to a gradient: the mean over all target pieces of an update, whoever computes which of its batches."""

from contextlib import nullcontext

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.out_of_memory import whole_or_halves
from seq2seq.system.processes import add_up, alone, count, rank
from seq2seq.training.loss import Loss, Objective


class Objected(nn.Module):
    """An objective as a module, so that all that it asks of the network lies in one forward pass."""

    def __init__(self, network: Network, objective: Objective) -> None:
        super().__init__()
        self.network = network
        self.objective = objective

    def forward(self, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target pieces."""
        return self.objective(self.network, batch, update)


class Learner:
    """Adds the gradients of an update to a network's, those of all processes at once.

    Process r of W computes batches r, W + r, 2 W + r, … of each update. DistributedDataParallel takes the mean of the
    processes' gradients while they are still being computed (Li et al. 2020); times W that is their sum.

    Args:
        network: on the device where it learns.
        objective: what is minimised.
        seed: of all that the objective draws.
    """

    def __init__(self, network: Network, objective: Objective, seed: int) -> None:
        loss = Objected(network, objective)
        self.parallel = None if alone() else DistributedDataParallel(loss, gradient_as_bucket_view=True)
        self.loss = loss if self.parallel is None else self.parallel
        self.seed = seed

    def __call__(self, batches: list[Batch], tokens: int, update: int, scale: Tensor | float = 1.0) -> Tensor:
        """The cross entropy, summed over all batches of update number ``update`` (from 1), with its gradients.

        Where one process by itself has no memory for them, it does the update over, with every batch in two halves and
        a warning. The sum of the halves' gradients is the batch's, but for rounding and for what is drawn: a run that
        this has happened to ends well, and not to the bit as one with more memory. Several processes cannot: the others
        are in the middle of adding up.

        Args:
            batches: this process's, at least one and as many as every other's.
            tokens: target pieces in the batches of all processes: what the sum is divided by for the gradients.
            update: the number of the update.
            scale: what the gradients are multiplied by; the cross entropy is not.

        Raises:
            RunError: there is no memory for half a batch.
        """
        if self.parallel is not None:
            return self._gradients(batches, tokens, update, scale)

        def halves() -> Tensor:
            self.loss.zero_grad(set_to_none=True)  # some of a batch that was not finished
            return self._gradients([half for batch in batches for half in batch.halves()], tokens, update, scale)

        what = f"the batches of update {update:,}"
        return whole_or_halves(lambda: self._gradients(batches, tokens, update, scale), halves, what, "batch.tokens")

    def _gradients(self, batches: list[Batch], tokens: int, update: int, scale: Tensor | float) -> Tensor:
        cross_entropy = torch.zeros((), device=batches[0].source_BS.device)
        for number, batch in enumerate(batches):
            torch.manual_seed(seed_of(self.seed, update, number * count() + rank()))
            last = number + 1 == len(batches)
            with nullcontext() if last or self.parallel is None else self.parallel.no_sync():
                loss: Loss = self.loss(batch, update)
                (loss.objective / (tokens / count()) * scale).backward()  # type: ignore[no-untyped-call]
            cross_entropy += loss.cross_entropy
        return add_up(cross_entropy)


def seed_of(seed: int, update: int, batch: int) -> int:
    """The seed of all that is drawn for a batch, numbered within its update: the same wherever and whenever that is.

    Torch's generator for processors takes 32 bits. Multiples of 2³² / φ keep the batches of an update, and so the
    updates of each, as far apart in them as they can be.
    """
    return seed * 1_000_003 + update + batch * 2_654_435_769

"""How far learning reaches: the gradient of the loss at one position with respect to pieces read long before.

Where it falls by a constant factor a step, it vanishes (Hochreiter 1991; Bengio, Simard & Frasconi 1994; Pascanu,
Mikolov & Bengio 2013).

B sentences, S source positions, T target positions, E embedding width, V vocabulary.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from seq2seq.analysis.teacher_forcing import Taught
from seq2seq.model import Direction, Network
from seq2seq.model.network import shared_copy

POSITIONS = 8
"""Target positions of a batch whose loss is looked at, evenly spread: each costs a backward pass."""


@dataclass(frozen=True)
class Reach:
    """Mean norm of ∂(-log p(yₜ)) / ∂(embedding of a piece), by the steps between that piece and the prediction."""

    side: str
    """``source``: pieces that the encoder read; ``target``: pieces that the decoder read."""
    distances: list[int]
    norms: list[float]
    """A mean each, over all pairs of a piece and a prediction at that distance."""
    counts: list[int]

    @property
    def factor(self) -> float:
        """What the norm is multiplied by at each further step: a line through the logarithms, weighted by the counts.

        NaN where there are fewer than two distances. Below 1 it vanishes, above 1 it explodes.
        """
        points = [
            (distance, math.log(norm), count)
            for distance, norm, count in zip(self.distances, self.norms, self.counts, strict=True)
            if norm > 0
        ]
        total = sum(count for *_, count in points)
        if len(points) < 2:
            return math.nan
        x = sum(count * distance for distance, _, count in points) / total
        y = sum(count * level for _, level, count in points) / total
        together = sum(count * (distance - x) * (level - y) for distance, level, count in points)
        return math.exp(together / sum(count * (distance - x) ** 2 for distance, _, count in points))


class Norms(NamedTuple):
    """Of one target position, for every row."""

    source_BS: Tensor | None
    target_BT: Tensor


class GradientSums:
    """Sums by distance, batch by batch."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._sums: dict[str, dict[int, tuple[float, int]]] = {"source": {}, "target": {}}

    def add(self, taught: Taught, positions: int = POSITIONS) -> None:
        """Look at the loss of so many positions of a batch."""
        network, batch = self._network, taught.batch
        lengths_B = batch.source_lengths_B
        ends_B = torch.tensor([len(read) for read in taught.read_pieces], device=lengths_B.device)
        leaves: list[Tensor] = []
        copy = leafing(network, leaves)
        labels_BT = torch.full_like(batch.target_BT, -100).flatten()
        labels_BT = labels_BT.scatter(0, batch.positions_P, batch.labels_P).view_as(batch.target_BT)
        with torch.enable_grad(), without_cudnn():
            memory, state = copy.encode(batch.source_BS, lengths_B)
            features = copy.decoder(copy.target_embedding(batch.target_BT), memory, state).features_NTF
            for position in spread(batch.target_BT.size(1), positions):
                logits_BV = copy.output(features[:, position]).float()
                loss = cross_entropy(logits_BV, labels_BT[:, position], ignore_index=-100, reduction="sum")
                gradients = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
                norms = [None if one is None else one.float().norm(dim=2) for one in gradients]
                self._count(norms, position, lengths_B, ends_B)

    def _count(self, norms: list[Tensor | None], position: int, lengths_B: Tensor, ends_B: Tensor) -> None:
        """Put the norms of one position where they belong."""
        *source, target_BT = norms
        reaches = (ends_B > position).tolist()
        for row, (length, reached) in enumerate(zip(lengths_B.tolist(), reaches, strict=True)):
            if not reached:
                continue
            if source and source[0] is not None:
                direction = self._network.config.encoder.direction
                for place, norm in enumerate(source[0][row, :length].tolist()):
                    self._add("source", walk(direction, place, length) + position, norm)
            if target_BT is not None:
                for place, norm in enumerate(target_BT[row, : position + 1].tolist()):
                    self._add("target", position - place, norm)

    def _add(self, side: str, distance: int, norm: float) -> None:
        total, count = self._sums[side].get(distance, (0.0, 0))
        self._sums[side][distance] = total + norm, count + 1

    def reaches(self) -> list[Reach]:
        """The means, of the source (but for a language model) and of the target."""
        found = []
        for side, sums in self._sums.items():
            distances = sorted(sums)
            if distances:
                norms, counts = [sums[at][0] / sums[at][1] for at in distances], [sums[at][1] for at in distances]
                found.append(Reach(side, distances, norms, counts))
        return found


@contextmanager
def without_cudnn() -> Iterator[None]:
    """Recurrent layers run by PyTorch's own kernels: cuDNN's know no gradient outside training.

    `torch.backends.cudnn.flags` cannot be used: it fails once recurrent layers have their own setting of TF32.
    """
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before


def walk(direction: Direction, place: int, length: int) -> int:
    """Steps that the encoder takes from a source piece to its last state; the shorter way where it reads both ways.

    A summary other than the last state, and attention, go shorter ways still: then the gradient need not fall with it.
    """
    ways = {Direction.forward: length - 1 - place, Direction.reversed: place}
    return ways.get(direction, min(ways.values()))


def spread(length: int, count: int) -> list[int]:
    """At most ``count`` of the positions 0 … length - 1, evenly, the last among them."""
    count = min(count, length)
    return sorted({length - 1 - (step * length) // count for step in range(count)})


def leafing(network: Network, leaves: list[Tensor]) -> Network:
    """A copy as of `shared_copy` whose embedded pieces are leaves to differentiate by.

    They are added to ``leaves`` when a batch is read: the source's, then the target's.
    """
    copy = shared_copy(network)

    def leaf(_module: object, _inputs: object, embedded: Tensor) -> Tensor:
        leaves.append(embedded.detach().requires_grad_())
        return leaves[-1]

    for embedding in {copy.source_embedding, copy.target_embedding} - {None}:
        assert embedding is not None
        embedding.register_forward_hook(leaf)
    return copy

"""Gradient flow over time: the gradient of the loss at one position with respect to earlier tokens.

Gradients vanish if their norm falls by a constant factor per step (Hochreiter 1991; Bengio, Simard & Frasconi 1994;
Pascanu, Mikolov & Bengio 2013).

B sentences, S source positions, T target positions, E embedding width, V vocabulary.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from seq2seq.analysis.config import POSITIONS
from seq2seq.analysis.replay import TeacherForcedBatch
from seq2seq.model import ModelConfig, Network
from seq2seq.model.network import shared_copy


@dataclass(frozen=True)
class GradientNorms:
    """Mean norm of ∂(-log p(yₜ)) / ∂(embedding of a token), by recurrent steps between the token and the prediction."""

    side: str
    """``source``: tokens of the encoder; ``target``: tokens of the decoder."""
    distances: list[int]
    norms: list[float]
    """One mean per distance, over all pairs of a token and a prediction."""
    counts: list[int]

    @property
    def factor(self) -> float:
        """Factor of the norm per step: from a line fitted to the logarithms, weighted by the counts.

        Below 1 the gradient vanishes, above 1 it explodes. NaN for fewer than two distances.
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
        covariance = sum(count * (distance - x) * (level - y) for distance, level, count in points)
        return math.exp(covariance / sum(count * (distance - x) ** 2 for distance, _, count in points))


class GradientSums:
    """Accumulate gradient norms by distance over batches."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._sums: dict[str, dict[int, tuple[float, int]]] = {"source": {}, "target": {}}

    def add(self, teacher_forced: TeacherForcedBatch, positions: int = POSITIONS) -> None:
        """Differentiate the loss at this many positions of a batch."""
        batch = teacher_forced.batch
        lengths_B = batch.source_lengths_B
        ends_B = torch.tensor([len(tokens) for tokens in teacher_forced.input_tokens], device=lengths_B.device)
        leaves: list[Tensor] = []
        copy = embedding_leaves(self._network, leaves)
        labels_BT = torch.full_like(batch.target_BT, -100).flatten()
        labels_BT = labels_BT.scatter(0, batch.positions_P, batch.labels_P).view_as(batch.target_BT)
        with torch.enable_grad(), without_cudnn():
            memory, state = copy.encode(batch.source_BS, lengths_B)
            decoded = copy.decoder(copy.target_embedding(batch.target_BT), memory, state)
            first_B = torch.arange(len(ends_B), device=ends_B.device) * batch.target_BT.size(1)
            for position in evenly_spaced(batch.target_BT.size(1), positions):
                logits_BV = copy.logits(decoded, memory, first_B + position).float()
                loss = cross_entropy(logits_BV, labels_BT[:, position], ignore_index=-100, reduction="sum")
                gradients = torch.autograd.grad(loss, leaves, retain_graph=True, allow_unused=True)
                norms = [None if gradient is None else gradient.float().norm(dim=2) for gradient in gradients]
                self._add_norms(norms, position, lengths_B, ends_B)

    def _add_norms(self, norms: list[Tensor | None], position: int, lengths_B: Tensor, ends_B: Tensor) -> None:
        """Add the norms of one target position, those of the source (B, S) and of the target (B, T), by distance."""
        *source, target_BT = norms
        has_position = (ends_B > position).tolist()
        for row, (length, real) in enumerate(zip(lengths_B.tolist(), has_position, strict=True)):
            if not real:
                continue
            if source and source[0] is not None:
                for token, norm in enumerate(source[0][row, :length].tolist()):
                    self._add("source", encoder_steps(self._network.config, token, length) + position, norm)
            if target_BT is not None:
                for token, norm in enumerate(target_BT[row, : position + 1].tolist()):
                    self._add("target", position - token, norm)

    def _add(self, side: str, distance: int, norm: float) -> None:
        total, count = self._sums[side].get(distance, (0.0, 0))
        self._sums[side][distance] = total + norm, count + 1

    def means(self) -> list[GradientNorms]:
        """Return the means of the source (unless the model is a language model) and of the target."""
        means = []
        for side, sums in self._sums.items():
            if distances := sorted(sums):
                norms, counts = [sums[at][0] / sums[at][1] for at in distances], [sums[at][1] for at in distances]
                means.append(GradientNorms(side, distances, norms, counts))
        return means


@contextmanager
def without_cudnn() -> Iterator[None]:
    """Run recurrent layers on PyTorch's own kernels: cuDNN has no gradients in evaluation mode.

    `torch.backends.cudnn.flags` fails once recurrent layers have their own TF32 setting.
    """
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = False
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before


def encoder_steps(config: ModelConfig, position: int, length: int) -> int:
    """Return the fewest recurrent steps from a source position to a last state that the decoder starts from.

    Attention, and summaries other than the last state, have shorter paths: then gradients need not fall with distance.
    """
    forward, backward = zip(*map(config.encoder.direction.reads, config.bridged_layers), strict=True)
    return min(([length - 1 - position] if any(forward) else []) + ([position] if any(backward) else []))


def evenly_spaced(length: int, count: int) -> list[int]:
    """Return at most ``count`` of the positions 0 … length - 1, evenly spaced, the last one included."""
    count = min(count, length)
    return sorted({length - 1 - (step * length) // count for step in range(count)})


def embedding_leaves(network: Network, leaves: list[Tensor]) -> Network:
    """Return a `shared_copy` whose embedded tokens are leaves of the autograd graph.

    Every batch appends its leaves to ``leaves``: the source, then the target.
    """
    copy = shared_copy(network)

    def detach(_module: object, _inputs: object, embedded: Tensor) -> Tensor:
        leaves.append(embedded.detach().requires_grad_())
        return leaves[-1]

    for embedding in {copy.source_embedding, copy.target_embedding} - {None}:
        assert embedding is not None
        embedding.register_forward_hook(detach)
    return copy

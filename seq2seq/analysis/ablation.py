"""Ablation of single units: what changes if a unit's hidden and cell states are 0 at every step.

The weights of the unit are changed, so every way to run the network (fused, packed or stepped) runs without it. There
are too many units to ablate, so one backward pass estimates which of them matter.

B sentences, T positions, P labels, H units, V vocabulary.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from seq2seq.analysis.replay import (
    MAX_BATCH_TOKENS,
    CellDirection,
    CellLocation,
    Side,
    TeacherForcedBatch,
    recording_copy,
)
from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import batches_by_length
from seq2seq.inference.member import Member
from seq2seq.metrics.score import bleu
from seq2seq.model import Network
from seq2seq.model.cell import Cell
from seq2seq.search import SearchConfig, search
from seq2seq.tokenizer.protection import protected_pairs


class Unit(NamedTuple):
    """One unit of the network; numbers start at 0."""

    location: CellLocation
    number: int

    def __str__(self) -> str:
        return f"{self.location}.{self.number}"


@dataclass(frozen=True)
class Ablation:
    """The effect of ablating one unit."""

    unit: Unit
    loss: float
    """Change of the loss in nats per target token; positive if the unit is useful."""
    bleu: float | None = None
    """Change of BLEU with greedy search; negative if the unit is useful; None if not measured."""


class Ablator:
    """A copy of a network in which units can be ablated, one at a time.

    Args:
        member: the network to copy.
        batches: pairs on which the loss is measured.
        search: the run's search settings; greedy translations use their length limits.

    Attributes:
        baseline_loss: the loss of the whole network, in nats per target token.
    """

    def __init__(
        self, member: Member, batches: Sequence[TeacherForcedBatch], search: SearchConfig | None = None
    ) -> None:
        self.member = member
        self.search = (search or SearchConfig()).beam(1)
        self.network = deepcopy(member.network).eval()
        self.batches = batches
        self.baseline_loss = self.loss()

    @torch.inference_mode()
    def loss(self) -> float:
        """Compute the loss with the current weights, in nats per target token."""
        total, count = 0.0, 0
        for teacher_forced in self.batches:
            source_BS, lengths_B, target_BT, positions_P, labels_P = teacher_forced.batch
            logits_PV = self.network(source_BS, lengths_B, target_BT, positions_P)
            total += float(cross_entropy(logits_PV.float(), labels_P, reduction="sum"))
            count += labels_P.numel()
        return total / count

    def ranked_units(self) -> list[tuple[Unit, float]]:
        """Return every unit with Σ |h · ∂loss/∂h| over all positions, largest first.

        This is the first-order estimate of the effect of its ablation (Molchanov et al. 2017, equation 7).
        """
        sums: dict[CellLocation, Tensor] = {}
        for teacher_forced in self.batches:
            source_BS, lengths_B, target_BT, positions_P, labels_P = teacher_forced.batch
            with torch.enable_grad():
                copy, steps_by_cell = recording_copy(self.network)
                logits_PV = copy(source_BS, lengths_B, target_BT, positions_P)
                loss = cross_entropy(logits_PV.float(), labels_P, reduction="sum")
                hidden = {
                    location: [step.state.hidden_NH for step in steps] for location, steps in steps_by_cell.items()
                }
                every = [state for states in hidden.values() for state in states]
                gradients = iter(torch.autograd.grad(loss, every, allow_unused=True))
            for location, states in hidden.items():
                pairs = [(state, gradient) for state in states if (gradient := next(gradients)) is not None]
                sum_H = sum((state.detach() * gradient).abs().sum(0).double().cpu() for state, gradient in pairs)
                sums[location] = sums.get(location, torch.zeros(states[0].size(1), dtype=torch.float64)) + sum_H
        units = [
            (Unit(location, number), value)
            for location, sum_H in sums.items()
            for number, value in enumerate(sum_H.tolist())
        ]
        return sorted(units, key=lambda ranked: -ranked[1])

    @contextmanager
    def ablated(self, unit: Unit) -> Iterator[None]:
        """Ablate a unit within the context."""
        cell = cell_at(self.network, unit.location)
        before = [parameter.detach().clone() for parameter in cell.parameters()]
        try:
            with torch.no_grad():
                cell.zero_unit(unit.number)
            yield
        finally:
            with torch.no_grad():
                for parameter, values in zip(cell.parameters(), before, strict=True):
                    parameter.copy_(values)

    def measure(self, units: Sequence[Unit], pairs: Sequence[Pair], translated: int) -> list[Ablation]:
        """Ablate units one after another.

        Args:
            units: the units to ablate.
            pairs: pairs to translate; ignored for a language model.
            translated: number of units, most useful first, for which BLEU is also measured.

        Returns:
            The effects, most useful unit first.
        """
        ablations = []
        for unit in units:
            with self.ablated(unit):
                ablations.append(Ablation(unit, self.loss() - self.baseline_loss))
        ablations.sort(key=lambda ablation: -ablation.loss)
        if not (translated and ablations and pairs) or self.member.is_language_model:
            return ablations
        baseline = self.bleu(pairs)
        for number, ablation in enumerate(ablations[:translated]):
            with self.ablated(ablation.unit):
                ablations[number] = Ablation(ablation.unit, ablation.loss, self.bleu(pairs) - baseline)
        return ablations

    @torch.inference_mode()
    def bleu(self, pairs: Sequence[Pair]) -> float:
        """Compute BLEU of greedy float32 translations with the current weights."""
        tokenizers, device = self.member.tokenizers, self.member.device
        pairs = protected_pairs(pairs, self.member.placeholders)
        member = Member.prepare(self.network, tokenizers, device)
        sources = tokenizers.source.encode_all([pair.source for pair in pairs])
        texts = [""] * len(pairs)
        for rows in batches_by_length(sources, MAX_BATCH_TOKENS):
            stepper = member.stepper(member.sources([sources[row] for row in rows]))
            for row, ranked in zip(rows, search(stepper, self.search), strict=True):
                texts[row] = tokenizers.target.decode(ranked[0].tokens)
        references = [tokenizers.target.normalize(pair.target) for pair in pairs]
        return bleu(texts, references, self.member.target_language)


def cell_at(network: Network, location: CellLocation) -> Cell:
    """Return the cell at a location.

    Raises:
        KeyError: the network has no such cell.
    """
    side, layer, direction = location
    cell: object = None
    if side is Side.decoder and direction is CellDirection.forward and layer <= len(network.decoder.cells):
        cell = network.decoder.cells[layer - 1]
    elif side is Side.encoder and network.encoder is not None and layer <= len(network.encoder.layers):
        cell = getattr(network.encoder.layers[layer - 1], f"{direction}_cell", None)
    if not isinstance(cell, Cell):
        raise KeyError(str(location))
    return cell

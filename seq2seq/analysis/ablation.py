"""What breaks when a unit falls silent: its hidden and its cell state are 0 at every step.

The unit is silenced in the weights, so whatever runs on them (fused, packed or stepped) runs without it. Which ones to
silence is guessed first, by one backward pass, for there are too many to try.

B sentences, T positions, H units, I input width.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from seq2seq.analysis.recording import Place, Reading, Side, recorded
from seq2seq.analysis.teacher_forcing import PIECES, Taught
from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import batches_by_length
from seq2seq.inference.member import Member
from seq2seq.metrics.score import bleu
from seq2seq.model import Network
from seq2seq.model.cell import GRU, LSTM, LayerNormLSTM
from seq2seq.model.recurrence import Cell
from seq2seq.search import SearchConfig, search

SHUT = -1e4
"""Before a sigmoid, exactly 0."""


class Unit(NamedTuple):
    """One unit of the network, the first 0."""

    place: Place
    number: int

    def __str__(self) -> str:
        return f"{self.place}.{self.number}"


@dataclass(frozen=True)
class Silenced:
    """What silencing a unit did."""

    unit: Unit
    loss: float
    """Gain of the loss, nats a target piece: above 0 where the unit was of use."""
    bleu: float | None = None
    """Gain of BLEU by greedy search: below 0 where the unit was of use; None where it was not measured."""


class Silencer:
    """A network of its own in which units fall silent, one at a time.

    Args:
        member: the network; it is copied and stays as it is.
        batches: what the loss is measured on.
        search: the run's search settings, whose limits on the length hold for greedy translations.
    """

    def __init__(self, member: Member, batches: Sequence[Taught], search: SearchConfig | None = None) -> None:
        self.member = member
        self.search = (search or SearchConfig()).beam(1)
        self.network = deepcopy(member.network).eval()
        self.batches = batches
        self.loss = self.measure()

    @torch.inference_mode()
    def measure(self) -> float:
        """The loss as the weights are now, nats a target piece."""
        total, count = 0.0, 0
        for taught in self.batches:
            source_BS, lengths_B, target_BT, positions_P, labels_P = taught.batch
            logits_PV = self.network(source_BS, lengths_B, target_BT, positions_P)
            total += float(cross_entropy(logits_PV.float(), labels_P, reduction="sum"))
            count += labels_P.numel()
        return total / count

    def guess(self) -> list[tuple[Unit, float]]:
        """Every unit with Σ |h · ∂loss/∂h| over all positions, the largest first.

        The first-order estimate of what its silence changes (Molchanov et al. 2017, equation 7).
        """
        sums: dict[Place, Tensor] = {}
        for taught in self.batches:
            source_BS, lengths_B, target_BT, positions_P, labels_P = taught.batch
            with torch.enable_grad():
                copy, notes = recorded(self.network)
                logits_PV = copy(source_BS, lengths_B, target_BT, positions_P)
                loss = cross_entropy(logits_PV.float(), labels_P, reduction="sum")
                hidden = {place: [step.after.hidden_NH for step in steps] for place, steps in notes.items()}
                every = [state for states in hidden.values() for state in states]
                gradients = iter(torch.autograd.grad(loss, every, allow_unused=True))
            for place, states in hidden.items():
                pairs = [(state, gradient) for state in states if (gradient := next(gradients)) is not None]
                found_H = sum((state.detach() * gradient).abs().sum(0).double().cpu() for state, gradient in pairs)
                sums[place] = sums.get(place, torch.zeros(states[0].size(1), dtype=torch.float64)) + found_H
        told = [
            (Unit(place, unit), value) for place, sum_H in sums.items() for unit, value in enumerate(sum_H.tolist())
        ]
        return sorted(told, key=lambda one: -one[1])

    @contextmanager
    def silent(self, unit: Unit) -> Iterator[None]:
        """Within the context the unit is silent."""
        cell = cell_at(self.network, unit.place)
        before = [parameter.detach().clone() for parameter in cell.parameters()]
        try:
            silence(cell, unit.number)
            yield
        finally:
            with torch.no_grad():
                for parameter, values in zip(cell.parameters(), before, strict=True):
                    parameter.copy_(values)

    def try_out(self, units: Sequence[Unit], pairs: Sequence[Pair], translated: int) -> list[Silenced]:
        """Silence one unit after another; the most useful first.

        Args:
            units: which.
            pairs: what is translated; not looked at for a language model.
            translated: for so many of the most useful units BLEU is measured too.
        """
        found = []
        for unit in units:
            with self.silent(unit):
                found.append(Silenced(unit, self.measure() - self.loss))
        found.sort(key=lambda one: -one.loss)
        if not (translated and found and pairs) or self.member.is_language_model:
            return found
        usual = self.bleu(pairs)
        for number, one in enumerate(found[:translated]):
            with self.silent(one.unit):
                found[number] = Silenced(one.unit, one.loss, self.bleu(pairs) - usual)
        return found

    @torch.inference_mode()
    def bleu(self, pairs: Sequence[Pair]) -> float:
        """BLEU of greedy translations with the weights as they are now, in float32."""
        tokenizers, device = self.member.tokenizers, self.member.device
        member = Member.prepare(self.network, tokenizers, device)
        sources = tokenizers.source.encode_all([pair.source for pair in pairs])
        texts = [""] * len(pairs)
        for rows in batches_by_length(sources, PIECES):
            stepper = member.stepper(member.sources([sources[row] for row in rows]))
            for row, ranked in zip(rows, search(stepper, self.search), strict=True):
                texts[row] = tokenizers.target.decode(ranked[0].tokens)
        return bleu(texts, [pair.target for pair in pairs], self.member.target_language)


def cell_at(network: Network, place: Place) -> Cell:
    """The cell at a place.

    Raises:
        KeyError: there is none.
    """
    found: object = None
    if place.side is Side.decoder and place.reading is Reading.forward and place.layer <= len(network.decoder.cells):
        found = network.decoder.cells[place.layer - 1]
    elif place.side is Side.encoder and network.encoder is not None and place.layer <= len(network.encoder.layers):
        found = getattr(network.encoder.layers[place.layer - 1], f"{place.reading}_cell", None)
    if not isinstance(found, Cell):
        raise KeyError(str(place))
    return found


@torch.no_grad()
def silence(cell: Cell, unit: int) -> None:
    """Change a cell's weights so that a unit's hidden and cell states are 0 after every step, and nobody hears it.

    An LSTM's forget and output gates are shut and its candidate is 0; a GRU's update gate is shut and its candidate is
    0; a simple network's sum is 0. What the bridge gives a decoder's unit at first is not heard by the recurrence.
    """
    size = cell.hidden_size
    cell.weights()[1][:, unit] = 0
    if isinstance(cell, LayerNormLSTM):
        for block, bias in ((1, SHUT), (2, 0.0), (3, SHUT)):
            cell.gate_norm.weight[block * size + unit] = 0
            cell.gate_norm.bias[block * size + unit] = bias
        return
    zeroed: tuple[int, ...] = (0,)
    shut: tuple[int, ...] = ()
    if isinstance(cell, LSTM):  # input, forget, candidate, output
        zeroed, shut = (1, 2, 3), (1, 3)
    elif isinstance(cell, GRU):  # reset, update, candidate
        zeroed, shut = (1, 2), (1,)
    W_ih, W_hh, b_ih, b_hh = cell.weights()
    for block in zeroed:
        row = block * size + unit
        for part in (W_ih, W_hh, b_ih, b_hh):
            part[row] = 0
        if block in shut:
            b_ih[row] = SHUT

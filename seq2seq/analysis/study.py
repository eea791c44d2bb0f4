"""A network looked at over a corpus: saturation, memory, reach of gradients, units that track, units that matter."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from seq2seq.analysis.ablation import Silenced, Silencer
from seq2seq.analysis.config import CorpusConfig
from seq2seq.analysis.gates import GateCounts, GateShares
from seq2seq.analysis.gradients import GradientSums, Reach
from seq2seq.analysis.recording import Side, replay
from seq2seq.analysis.teacher_forcing import Taught, taught
from seq2seq.analysis.tracking import PROPERTIES, Tracker, Tracking
from seq2seq.corpora.corpus import Pair
from seq2seq.inference.member import Member
from seq2seq.model.padding import padding_mask
from seq2seq.search import SearchConfig


@dataclass(frozen=True)
class Study:
    """What was found in one network over one corpus."""

    model: str
    corpus: str
    pairs: int
    pieces: int
    """Target pieces, end marks included."""
    loss: float
    """Nats a target piece."""
    gates: list[GateShares]
    reaches: list[Reach]
    tracking: dict[str, list[Tracker]]
    silenced: list[Silenced]

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON: of gates every unit, in order."""
        return {
            "model": self.model,
            "corpus": self.corpus,
            "pairs": self.pairs,
            "target_pieces": self.pieces,
            "loss": self.loss,
            "gates": [
                {
                    "cell": str(one.place),
                    "gate": one.gate,
                    "positions": one.positions,
                    "left_saturated": one.left.tolist(),
                    "right_saturated": one.right.tolist(),
                    "mean": one.mean.tolist(),
                    "half_life": None if one.half_life is None else one.half_life.tolist(),
                }
                for one in self.gates
            ],
            "gradients": [
                {
                    "side": reach.side,
                    "factor_per_step": None if math.isnan(reach.factor) else reach.factor,
                    "distances": reach.distances,
                    "norms": reach.norms,
                    "counts": reach.counts,
                }
                for reach in self.reaches
            ],
            "tracking": {
                name: [{"cell": str(one.place), "unit": one.unit, "correlation": one.correlation} for one in found]
                for name, found in self.tracking.items()
            },
            "silenced": [
                {"cell": str(one.unit.place), "unit": one.unit.number, "loss": one.loss, "bleu": one.bleu}
                for one in self.silenced
            ],
        }

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """What is read first: title, column names and rows of each table."""
        return [
            (
                "Gates: share of positions below 0.1 and above 0.9, and half-life of what a unit holds, in steps",
                ["cell", "gate", "below 0.1", "above 0.9", "mean", "half-life: median", "longest"],
                [_gate_row(one) for one in self.gates],
            ),
            (
                "Gradients of the loss by distance: what the norm is multiplied by at each further step",
                ["pieces of the", "factor", "norm at the nearest", "and furthest", "steps"],
                [_reach_row(reach) for reach in self.reaches],
            ),
            (
                "Units that track something, by correlation",
                ["what", "meaning", "units"],
                [
                    [name, PROPERTIES[name], ", ".join(map(_tracker, found)) or "never changes here"]
                    for name, found in self.tracking.items()
                ],
            ),
            (
                "Units silenced one at a time: gain of the loss (nats a piece) and of BLEU (greedy)",
                ["unit", "loss", "BLEU"],
                [
                    [str(one.unit), f"{one.loss:+.4f}", "" if one.bleu is None else f"{one.bleu:+.2f}"]
                    for one in self.silenced
                ],
            ),
        ]


def study(
    member: Member, pairs: Iterable[Pair], corpus: str, config: CorpusConfig, search: SearchConfig | None = None
) -> Study:
    """Look at pairs, batch by batch: memory grows with the network and a batch, not with the corpus.

    Translations are greedy, within the limits of ``search``, the run's settings.

    Raises:
        DataError: all pairs are blank or too long.
    """
    chosen = evenly(pairs, config.sentences)
    batches = taught(member, chosen)
    counts, tracking, gradients = GateCounts(), Tracking(), GradientSums(member.network)
    for one in batches:
        look(member, one, counts, tracking)
        if config.positions:
            gradients.add(one, config.positions)
    silencer = Silencer(member, batches, search)
    units = [unit for unit, _ in silencer.guess()[: config.silenced]] if config.silenced else []
    return Study(
        model=member.name,
        corpus=corpus,
        pairs=sum(len(one.read_pieces) for one in batches),
        pieces=sum(one.batch.labels_P.numel() for one in batches),
        loss=silencer.loss,
        gates=counts.shares(),
        reaches=gradients.reaches(),
        tracking=tracking.best(config.listed),
        silenced=silencer.try_out(units, chosen, config.translated),
    )


@torch.inference_mode()
def look(member: Member, one: Taught, counts: GateCounts, tracking: Tracking) -> None:
    """Replay a batch, and count its gates and states."""
    source_BS, lengths_B, target_BT, *_ = one.batch
    ends_B = torch.tensor([len(read) for read in one.read_pieces], device=target_BT.device)
    real = {
        Side.encoder: ~padding_mask(lengths_B, source_BS.size(1)),
        Side.decoder: ~padding_mask(ends_B, target_BT.size(1)),
    }
    for layer in replay(member.network, source_BS, lengths_B, target_BT).layers:
        counts.add(layer, real[layer.place.side])
        tracking.add(layer, real[layer.place.side], one.pieces(layer.place.side))


def evenly(pairs: Iterable[Pair], count: int) -> list[Pair]:
    """At most so many pairs, evenly from all of them, for a corpus may be in some order; twice as many are held."""
    kept: list[Pair] = []
    stride = 1
    for number, pair in enumerate(pairs):
        if number % stride == 0:
            kept.append(pair)
        if len(kept) == 2 * count:
            kept, stride = kept[::2], 2 * stride
    return [kept[number * len(kept) // count] for number in range(count)] if len(kept) > count else kept


def _gate_row(one: GateShares) -> list[str]:
    shares = [f"{float(part.mean()):.1%}" for part in (one.left, one.right)]
    lives = [] if one.half_life is None else [float(one.half_life.median()), float(one.half_life.max())]
    row = [str(one.place), one.gate, *shares, f"{float(one.mean.mean()):.2f}", *(f"{life:.1f}" for life in lives)]
    return [*row, *[""] * (2 - len(lives))]


def _reach_row(reach: Reach) -> list[str]:
    steps = f"{reach.distances[0]}–{reach.distances[-1]}"
    return [reach.side, f"{reach.factor:.3f}", f"{reach.norms[0]:.2g}", f"{reach.norms[-1]:.2g}", steps]


def _tracker(one: Tracker) -> str:
    return f"{one.place}.{one.unit} {one.correlation:+.2f}"

"""Analysis of a network over a corpus: gates, gradients, units that track a property, and ablations."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from seq2seq.analysis.ablation import Ablation, Ablator
from seq2seq.analysis.config import CorpusConfig
from seq2seq.analysis.gates import GateCounter, GateStatistics
from seq2seq.analysis.gradients import GradientNorms, GradientSums
from seq2seq.analysis.replay import Side, TeacherForcedBatch, replay, teacher_forced_batches
from seq2seq.analysis.tracking import PROPERTIES, Tracking, TrackingUnit
from seq2seq.corpora.corpus import Pair
from seq2seq.inference.member import Member
from seq2seq.model.encoder import padding_mask
from seq2seq.search import SearchConfig


@dataclass(frozen=True)
class Study:
    """Results for one network and one corpus."""

    model: str
    corpus: str
    pairs: int
    tokens: int
    """Target tokens, EOS included."""
    loss: float
    """Nats per target token."""
    gates: list[GateStatistics]
    gradients: list[GradientNorms]
    tracking: dict[str, list[TrackingUnit]]
    ablations: list[Ablation]

    def as_dict(self) -> dict[str, Any]:
        """Return all results for JSON; gate statistics are per unit, in order."""
        return {
            "model": self.model,
            "corpus": self.corpus,
            "pairs": self.pairs,
            "target_pieces": self.tokens,
            "loss": self.loss,
            "gates": [
                {
                    "cell": str(gate.location),
                    "gate": gate.gate,
                    "positions": gate.positions,
                    "left_saturated": gate.left_saturated.tolist(),
                    "right_saturated": gate.right_saturated.tolist(),
                    "mean": gate.mean.tolist(),
                    "half_life": None if gate.half_life is None else gate.half_life.tolist(),
                }
                for gate in self.gates
            ],
            "gradients": [
                {
                    "side": gradient.side,
                    "factor_per_step": None if math.isnan(gradient.factor) else gradient.factor,
                    "distances": gradient.distances,
                    "norms": gradient.norms,
                    "counts": gradient.counts,
                }
                for gradient in self.gradients
            ],
            "tracking": {
                name: [
                    {"cell": str(unit.location), "unit": unit.unit, "correlation": unit.correlation} for unit in units
                ]
                for name, units in self.tracking.items()
            },
            "ablated": [
                {
                    "cell": str(ablation.unit.location),
                    "unit": ablation.unit.number,
                    "loss": ablation.loss,
                    "bleu": ablation.bleu,
                }
                for ablation in self.ablations
            ],
        }

    def tables(self) -> list[tuple[str, list[str], list[list[str]]]]:
        """Return title, column names and rows of each table."""
        return [
            (
                "Gates: share of positions below 0.1 and above 0.9, and half-life of the state in steps",
                ["cell", "gate", "below 0.1", "above 0.9", "mean", "half-life: median", "longest"],
                [_gate_row(gate) for gate in self.gates],
            ),
            (
                "Gradients of the loss by distance, and the factor of their norm per step",
                ["side", "factor", "nearest norm", "furthest norm", "steps"],
                [_gradient_row(gradient) for gradient in self.gradients],
            ),
            (
                "Units that track a property, by correlation",
                ["property", "meaning", "units"],
                [
                    [name, PROPERTIES[name], ", ".join(map(_unit_text, units)) or "constant in this corpus"]
                    for name, units in self.tracking.items()
                ],
            ),
            (
                "Ablation of single units: change of the loss (nats per token) and of BLEU (greedy)",
                ["unit", "loss", "BLEU"],
                [
                    [
                        str(ablation.unit),
                        f"{ablation.loss:+.4f}",
                        "" if ablation.bleu is None else f"{ablation.bleu:+.2f}",
                    ]
                    for ablation in self.ablations
                ],
            ),
        ]


def study(
    member: Member, pairs: Iterable[Pair], corpus: str, config: CorpusConfig, search: SearchConfig | None = None
) -> Study:
    """Analyse a network batch by batch: memory grows with the network and the batch size, not with the corpus.

    Args:
        member: the network.
        pairs: the corpus.
        corpus: its name.
        config: how much to analyse.
        search: the run's search settings; greedy translations use their length limits.

    Raises:
        DataError: every pair is blank or too long.
    """
    sample = evenly_sampled(pairs, config.sentences)
    batches = teacher_forced_batches(member, sample)
    counter, tracking, gradients = GateCounter(), Tracking(), GradientSums(member.network)
    for batch in batches:
        count_units(member, batch, counter, tracking)
        if config.positions:
            gradients.add(batch, config.positions)
    ablator = Ablator(member, batches, search)
    units = [unit for unit, _ in ablator.ranked_units()[: config.ablated]] if config.ablated else []
    return Study(
        model=member.name,
        corpus=corpus,
        pairs=sum(len(batch.input_tokens) for batch in batches),
        tokens=sum(batch.batch.labels_P.numel() for batch in batches),
        loss=ablator.baseline_loss,
        gates=counter.statistics(),
        gradients=gradients.means(),
        tracking=tracking.best(config.listed),
        ablations=ablator.measure(units, sample, config.translated),
    )


@torch.inference_mode()
def count_units(member: Member, teacher_forced: TeacherForcedBatch, counter: GateCounter, tracking: Tracking) -> None:
    """Replay a batch, and add its gates and states to the statistics."""
    source_BS, lengths_B, target_BT, *_ = teacher_forced.batch
    ends_B = torch.tensor([len(tokens) for tokens in teacher_forced.input_tokens], device=target_BT.device)
    real = {
        Side.encoder: ~padding_mask(lengths_B, source_BS.size(1)),
        Side.decoder: ~padding_mask(ends_B, target_BT.size(1)),
    }
    for layer in replay(member.network, source_BS, lengths_B, target_BT).layers:
        side = layer.location.side
        counter.add(layer, real[side])
        tracking.add(layer, real[side], teacher_forced.tokens(side))


def evenly_sampled(pairs: Iterable[Pair], count: int) -> list[Pair]:
    """Return at most ``count`` pairs, evenly spaced because a corpus may be sorted; holds at most twice as many."""
    kept: list[Pair] = []
    stride = 1
    for number, pair in enumerate(pairs):
        if number % stride == 0:
            kept.append(pair)
        if len(kept) == 2 * count:
            kept, stride = kept[::2], 2 * stride
    return [kept[number * len(kept) // count] for number in range(count)] if len(kept) > count else kept


def _gate_row(gate: GateStatistics) -> list[str]:
    shares = [f"{float(share.mean()):.1%}" for share in (gate.left_saturated, gate.right_saturated)]
    lives = [] if gate.half_life is None else [float(gate.half_life.median()), float(gate.half_life.max())]
    row = [str(gate.location), gate.gate, *shares, f"{float(gate.mean.mean()):.2f}", *(f"{life:.1f}" for life in lives)]
    return [*row, *[""] * (2 - len(lives))]


def _gradient_row(gradient: GradientNorms) -> list[str]:
    steps = f"{gradient.distances[0]}–{gradient.distances[-1]}"
    norms = [f"{norm:.2g}" for norm in (gradient.norms[0], gradient.norms[-1])]
    return [gradient.side, f"{gradient.factor:.3f}", *norms, steps]


def _unit_text(unit: TrackingUnit) -> str:
    return f"{unit.location}.{unit.unit} {unit.correlation:+.2f}"

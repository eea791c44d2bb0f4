"""The recurrent cells of encoder and decoder at equal numbers of weights: quality, training and translation, memory.

python -m tests.tools.cells FOLDER --cells lstm ssru lstm:ssru min_gru:min_gru:2 --seeds 1 2 3 \
    --settings experiment=multi30k_student data.train.source=train.en ...

A word of ``--cells`` is a cell for both sides, or one of the encoder and one of the decoder, and perhaps the number of
layers of both. The first has the sizes of the settings; those of the others are chosen so that the models have about as
many weights, with the layers of the first unless their word names others. ``--settings`` are those of
recipes/train.py, and must name a test set.

Each cell and seed is a run in FOLDER. The same command resumes an interrupted training and repeats nothing that is
finished. Then recipes/benchmark.py measures the runs of the first seed in turn, A B C A B C, ``--rounds`` times: for
this the machine should be quiet. FOLDER/table.md has the table. Training is processor time with validations.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, median, stdev
from typing import NamedTuple

import torch

from seq2seq.metrics.score import Metric
from seq2seq.model.choices import CellKind
from seq2seq.model.config import ModelConfig
from seq2seq.run.folder import RunFolder
from seq2seq.run.network import make_network
from seq2seq.tokenizer.tokenizer import Tokenizers
from tests.tools.heading import heading
from tests.tools.runs import evaluate, train

STEP, LARGEST = 16, 2048
"""The sizes of a side are multiples of `STEP`, as mLSTM's heads and fast products need."""

COLUMNS = (
    "encoder, layers × units", "decoder", "weights", "training, min", "BLEU", "chrF", "greedy BLEU",
    "training, tokens/s", "memory, MB", "greedy, sentences/s", "beam 5, sentences/s",
)  # fmt: skip


class Variant(NamedTuple):
    """What is compared."""

    encoder: CellKind
    decoder: CellKind
    layers: int | None
    """Of both sides; None: those of the settings, or of the first variant."""

    @classmethod
    def parse(cls, word: str) -> "Variant":
        """Read ``CELL``, ``ENCODER:DECODER`` or ``ENCODER:DECODER:LAYERS``.

        Raises:
            ValueError: there is no such cell, or the number of layers is none.
        """
        encoder, _, rest = word.partition(":")
        decoder, _, layers = rest.partition(":")
        return cls(CellKind(encoder), CellKind(decoder or encoder), int(layers) if layers else None)

    @property
    def name(self) -> str:
        """For folders."""
        return "-".join(map(str, filter(None, self)))

    def model(self, base: ModelConfig) -> ModelConfig:
        """The settings of a model with these cells, and otherwise those of another."""
        encoder = replace(base.encoder, cell=self.encoder, layers=self.layers or base.encoder.layers)
        decoder = replace(base.decoder, cell=self.decoder, layers=self.layers or base.decoder.layers)
        return replace(base, encoder=encoder, decoder=decoder)


def weights(model: ModelConfig, tokenizers: Tokenizers) -> int:
    """The number of weights of a network."""
    with torch.device("meta"):
        network = make_network(model, tokenizers)
    return sum(parameter.numel() for parameter in network.parameters())


def sized(model: ModelConfig, tokenizers: Tokenizers, wanted: int) -> ModelConfig:
    """The same with sizes so that there are about ``wanted`` weights.

    First both sides grow in proportion, then the decoder's size is adjusted.
    """
    proportion = model.decoder.size / model.encoder.size

    def with_sizes(encoder: int, decoder: int) -> ModelConfig:
        return replace(
            model, encoder=replace(model.encoder, size=encoder), decoder=replace(model.decoder, size=decoder)
        )

    def distance(each: ModelConfig) -> int:
        return abs(weights(each, tokenizers) - wanted)

    encoders = range(STEP, LARGEST, STEP)
    near = min((with_sizes(size, STEP * max(1, round(proportion * size / STEP))) for size in encoders), key=distance)
    decoders = range(near.decoder.size - 4 * STEP, near.decoder.size + 5 * STEP, STEP)
    return min((with_sizes(near.encoder.size, size) for size in decoders if size > 0), key=distance)


def settings_of(variant: Variant, first: RunFolder | None) -> list[str]:
    """The settings of a variant's model, which has as many weights as the ``first``; None: it is the first."""
    sides = {"encoder": variant.encoder, "decoder": variant.decoder}
    settings = [f"model.{side}.cell={cell}" for side, cell in sides.items()]
    if first is None:
        return settings + [f"model.{side}.layers={variant.layers}" for side in sides if variant.layers is not None]
    model, tokenizers = first.section("model", ModelConfig), first.tokenizers()
    chosen = sized(variant.model(model), tokenizers, weights(model, tokenizers))
    settings += [f"model.encoder.layers={chosen.encoder.layers}", f"model.encoder.size={chosen.encoder.size}"]
    return [*settings, f"model.decoder.layers={chosen.decoder.layers}", f"model.decoder.size={chosen.decoder.size}"]


class Speed(NamedTuple):
    """What recipes/benchmark.py measures of a run."""

    training: float
    """Target tokens per second."""
    megabytes: float
    """Peak memory of training."""
    greedy: float
    """Sentences per second in batches."""
    beam: float


class Row(NamedTuple):
    """A variant and what was measured, for each seed or in each round."""

    model: ModelConfig
    parameters: int
    seconds: list[float]
    """Processor time of training."""
    scores: list[dict[str, dict[str, Metric]]]
    speeds: list[Speed]

    def cells(self, first: "Row") -> list[str]:
        """The line of the table: means over seeds, and medians over rounds with the ratio to the first variant."""
        sides = (self.model.encoder, self.model.decoder)
        line = [f"{side.cell}, {side.layers} × {side.size}" for side in sides]
        line += [f"{self.parameters:,}", f"{mean(self.seconds) / 60:.1f}"]
        for search, name in (("beam", "bleu"), ("beam", "chrf"), ("greedy", "bleu")):
            line.append(over_seeds([each[search][name].score for each in self.scores]))
        if not self.speeds:
            return [*line, *("–" for _ in Speed._fields)]
        own, others = (Speed(*map(median, zip(*row.speeds, strict=True))) for row in (self, first))
        return [*line, *(f"{value:,.0f} ({value / other:.2f} ×)" for value, other in zip(own, others, strict=True))]


def over_seeds(values: Sequence[float]) -> str:
    """Mean and standard deviation, if there are several."""
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def trained(variants: Sequence[Variant], seeds: Sequence[int], folder: Path, settings: Sequence[str]) -> list[Row]:
    """Train and evaluate every variant with every seed, unless that is done."""
    rows: list[Row] = []
    for variant in variants:
        first = RunFolder.open(folder / f"{variants[0].name}.{seeds[0]}") if rows else None
        own, seconds, scores = settings_of(variant, first), [], []
        for seed in seeds:
            run = folder / f"{variant.name}.{seed}"
            seconds.append(train(run, [*settings, *own, f"seed={seed}"]))
            scores.append(evaluate(run))
        done = RunFolder.open(run)
        model = done.section("model", ModelConfig)
        rows.append(Row(model, weights(model, done.tokenizers()), seconds, scores, []))
    return rows


def measured(run: Path, output: Path) -> Speed:
    """Measure a run once."""
    subprocess.run([sys.executable, "recipes/benchmark.py", f"run={run}", f"output={output}"], check=True)
    figures = json.loads((output / "benchmark.json").read_text("utf-8"))
    training, (greedy, beam) = figures["training"], figures["translation"]["batched"]
    return Speed(
        training["tokens_per_second"]["median"],
        training["peak_bytes"] / 1e6,
        *(each["sentences_per_second"]["median"] for each in (greedy, beam)),
    )


def table(rows: Sequence[Row]) -> str:
    """The table, and the signatures of its scores."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    lines += [f"| {' | '.join(row.cells(rows[0]))} |" for row in rows]
    scores = rows[0].scores[0]["beam"]
    return "\n".join([*lines, "", *(scores[name].signature for name in ("bleu", "chrf"))])


def main() -> None:
    """Measure, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--cells", nargs="+", type=Variant.parse, required=True, help="CELL or ENCODER:DECODER[:LAYERS]"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--rounds", type=int, default=3, help="of measuring speed; 0: only train and evaluate")
    parser.add_argument("--settings", nargs="*", default=[], help="of recipes/train.py")
    arguments = parser.parse_args()
    folder, variants, seeds = arguments.folder.resolve(), arguments.cells, arguments.seeds
    folder.mkdir(parents=True, exist_ok=True)
    rows = trained(variants, seeds, folder, arguments.settings)
    for _ in range(arguments.rounds):
        for variant, row in zip(variants, rows, strict=True):
            row.speeds.append(measured(folder / f"{variant.name}.{seeds[0]}", folder / "speed"))
    found = f"{heading('cells')}\n\n{table(rows)}\n"
    (folder / "table.md").write_text(found, "utf-8")
    print(found)


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[2])
    main()

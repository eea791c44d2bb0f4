"""What the Transformers of all peers share: two published shapes, their size, and running a peer."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.tools import INHERITED

VALIDATIONS = 20
"""Validations of a training; each saves a checkpoint."""


@dataclass(frozen=True)
class Shape:
    """The settings of a Transformer. All embeddings and the output layer share one table without a bias."""

    layers: int
    """Of the encoder, and of the decoder."""
    heads: int
    width: int
    feed_forward: int
    norm: str
    """Layer normalization before each sublayer (pre) or after it (post); pre adds one after the last layer."""
    dropout: float
    embedding_dropout: float
    attention_dropout: float
    label_smoothing: float
    learning_rate: float
    """The highest, at the end of the warm-up."""
    warmup: int
    """Updates; at most a quarter of all."""
    beta2: float
    """Of Adam; the first is 0.9."""
    average: int
    """Checkpoints with the lowest validation perplexity whose weights are averaged."""
    tokens: int = 4096
    """Of a batch, with padding, as each peer counts them."""
    bfloat16: bool = False
    """Whether training multiplies in bfloat16."""

    def parameters(self, vocabulary: int) -> int:
        """Number of weights."""
        norm, width = 2 * self.width, self.width
        attention = 4 * (width * width + width)
        feed_forward = 2 * width * self.feed_forward + self.feed_forward + width
        encoder, decoder = attention + feed_forward + 2 * norm, 2 * attention + feed_forward + 3 * norm
        last = 2 * norm if self.norm == "pre" else 0
        return vocabulary * width + self.layers * (encoder + decoder) + last

    def scaled(self, parameters: int, vocabulary: int) -> "Shape":
        """The same depth and about the same proportions, with about ``parameters`` weights.

        The learning rate follows Vaswani et al. 2017, eq. 3: it falls with the square root of the width.
        """

        def distance(shape: Shape) -> int:
            return abs(shape.parameters(vocabulary) - parameters)

        step, proportion = 2 * self.heads, self.feed_forward / self.width  # positions need an even width
        nearest = min(
            (replace(self, width=width, feed_forward=round(proportion * width)) for width in range(step, 2048, step)),
            key=distance,
        )
        rate = self.learning_rate * math.sqrt(self.width / nearest.width)
        shapes = (replace(nearest, feed_forward=size, learning_rate=rate) for size in range(8, 8192, 8))
        return min(shapes, key=distance)

    def warmup_of(self, updates: int) -> int:
        """Updates of the warm-up in a training of so many."""
        return max(1, min(self.warmup, updates // 4))

    def noam_factor(self, updates: int) -> float:
        """The factor of Vaswani et al. 2017, eq. 3, that gives `learning_rate` at the end of the warm-up."""
        return self.learning_rate * math.sqrt(self.width * self.warmup_of(updates))


SHAPES = {
    # Wu et al. 2021, "Good for Misconceived Reasons", for Multi30k: fairseq, 8,000 updates, mean of ten epochs.
    "tiny": Shape(4, 4, 128, 256, "post", 0.3, 0.3, 0.0, 0.1, 0.005, 2000, 0.98, 4),
    # Masakhane's starter notebook for JoeyNMT. In place of the schedule plateau, which JoeyNMT 2.3 cannot build on
    # current PyTorch, the notebook's own alternative: Noam with factor 0.5 and 1,000 updates of warm-up.
    "masakhane": Shape(6, 4, 256, 1024, "pre", 0.3, 0.2, 0.3, 0.1, 0.5 / math.sqrt(256 * 1000), 1000, 0.999, 4),
}

TRIES: list[dict[str, Any]] = [
    {},
    {"tokens": 2048},
    {"learning_rate": 0.002},
    {"dropout": 0.1, "embedding_dropout": 0.1, "attention_dropout": 0.1},
]
"""Changes of a shape that are tried on the validation set, in this order."""

NONE: Mapping[str, str] = MappingProxyType({})


def run(command: Sequence[object], log: Path, given: str = "", variables: Mapping[str, str] = NONE) -> str:
    """Run a program, keep all that it prints in ``log``, and return its standard output.

    Args:
        command: the program with its arguments.
        log: is replaced.
        given: its standard input.
        variables: of the environment, in addition to those of peers.

    Raises:
        SystemExit: it failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as errors:
        done = subprocess.run(
            list(map(str, command)),
            check=False,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            input=given,
            env={**INHERITED, **variables},
        )
        errors.write(done.stdout)
    if done.returncode:
        sys.exit(f"error: {command[0]} ended with code {done.returncode}: read {log}, then run the same command again")
    return str(done.stdout)


def best(perplexities: Iterable[float], checkpoints: Iterable[Path], number: int) -> list[Path]:
    """The checkpoints with the lowest perplexities, in this order. Those that are not a number come last.

    The last checkpoints may have no perplexity; they are left out.
    """
    scored = zip(perplexities, checkpoints, strict=False)
    found = sorted(scored, key=lambda each: math.inf if math.isnan(each[0]) else each[0])
    return [path for _, path in found[:number]]


def average(checkpoints: Sequence[Path], load: Callable[[Path], dict[str, Any]]) -> dict[str, Any]:
    """The mean of the weights of several checkpoints."""
    states = [load(path) for path in checkpoints]
    return {name: sum(state[name] for state in states) / len(states) for name in states[0]}

"""BLEU against the width of the context vector: how narrow the bottleneck may be (Cho et al. 2014)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from seq2seq.corpora.corpus import Pair
from seq2seq.figures.systems import System, translated
from seq2seq.metrics.score import Score, score


class Point(NamedTuple):
    """One of a run's siblings."""

    width: int
    """Numbers of the context vector."""
    decoder: int
    """Units of a decoder layer."""
    parameters: int
    folder: str
    score: Score
    origin: dict[str, Any]
    """What translated, and how."""


class Family(NamedTuple):
    """A run's siblings, narrow to wide."""

    name: str
    points: list[Point]


def measure(system: System, pairs: Sequence[Pair], beam_size: int | None, bootstrap: int) -> Point:
    """Translate a test set and score it; ``beam_size`` None: as the run's ``search.beam_size``."""
    texts, _, origin = translated(system, pairs, beam_size)
    config = system.network.config
    parameters = sum(parameter.numel() for parameter in system.network.parameters())
    found = score(texts, [pair.target for pair in pairs], language=system.target_language, bootstrap=bootstrap)
    return Point(config.context_width, config.decoder.size, parameters, str(system.folder), found, origin)

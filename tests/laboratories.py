"""A world for the tests of the laboratory: systems of random weights, of one context vector or with attention."""

from collections.abc import Mapping
from pathlib import Path

from siblings import sibling

from seq2seq.corpora.config import DataConfig
from seq2seq.figures.lengths import Bin, Curve, Range
from seq2seq.figures.systems import System
from seq2seq.metrics.score import Metric, Score

CONTEXT = {"attention": "none", "summary": "max", "decoder.feed_context": True}


def system(run: Path, folder: Path, model: Mapping[str, object] | None = None, seed: int = 1) -> System:
    """A system like ``run`` but for these settings of the model; without any, one of a context vector."""
    made = sibling(run, folder, seed, CONTEXT if model is None else model)
    return System.load(made, folder.name, "cpu", DataConfig())


def made_score(bleu: float, sentences: int = 10) -> Score:
    metric = Metric(bleu, (bleu - 1, bleu + 2), "signature")
    return Score(metric, metric, metric, sentences)


def made_curve(name: str, bleu: float) -> Curve:
    bins = [Bin(Range(1, 4), 3.0, made_score(bleu)), Bin(Range(5, 5), 5.0, made_score(bleu - 10))]
    return Curve(name, f"runs/{name}", 5, made_score(bleu, 20), bins, {})

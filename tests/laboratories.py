"""Systems and scores for the tests of figures: random weights, with one context vector or with attention."""

from collections.abc import Mapping
from pathlib import Path

from random_runs import random_run

from seq2seq.corpora.config import DataConfig
from seq2seq.figures.bleu_curves import Bin, Curve, Range
from seq2seq.figures.systems import System
from seq2seq.metrics.score import Metric, Score

CONTEXT = {"attention": "none", "summary": "max", "decoder.feed_context": True}


def system(run: Path, folder: Path, model: Mapping[str, object] | None = None, seed: int = 1) -> System:
    """Make a system with random weights and these settings of the model; by default, one with a context vector."""
    random = random_run(run, folder, seed, CONTEXT if model is None else model)
    return System.load(random, folder.name, "cpu", DataConfig())


def made_score(bleu: float, sentences: int = 10) -> Score:
    metric = Metric(bleu, (bleu - 1, bleu + 2), "signature")
    return Score(metric, metric, metric, sentences)


def made_curve(name: str, bleu: float) -> Curve:
    bins = [Bin(Range(1, 4), 3.0, made_score(bleu)), Bin(Range(5, 5), 5.0, made_score(bleu - 10))]
    return Curve(name, f"runs/{name}", 5, made_score(bleu, 20), bins, {})

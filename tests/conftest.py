"""A tiny trained run that several tests look at, and a way to call recipes as a user does."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from seq2seq.recipes import (
    average,
    backtranslate,
    benchmark,
    compare,
    distill,
    doctor,
    document,
    evaluate,
    laboratory,
    microscope,
    quantize,
    score,
    serve,
    suggest,
    train,
    translate,
    verify,
)

TINY = [
    "data.builtin.train_size=300",
    "data.builtin.validation_size=20",
    "data.builtin.test_size=20",
    "tokenizer.size=400",
    "model.embedding_size=16",
    "model.encoder.size=12",
    "model.decoder.size=20",
    "optimizer.learning_rate=0.0002",
    "schedule.warmup=1",
    "training.updates=20",
    "training.validate_every=10",
    "training.log_every=5",
    "training.average_count=2",
    "batch.tokens=500",
    "search.beam_size=2",
]


PROGRAMS = {
    "train": train,
    "evaluate": evaluate,
    "translate": translate,
    "document": document,
    "score": score,
    "suggest": suggest,
    "quantize": quantize,
    "average": average,
    "distill": distill,
    "backtranslate": backtranslate,
    "benchmark": benchmark,
    "laboratory": laboratory,
    "microscope": microscope,
    "doctor": doctor,
    "compare": compare,
    "verify": verify,
    "serve": serve,
}


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """``recipe("train", "seed=2")`` runs recipes/train.py with these overrides."""

    def run(name: str, *overrides: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *overrides])
        capsys.readouterr()
        code = 0
        try:
            PROGRAMS[name].main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that learnt next to nothing; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", f"run={folder}", "model=attention", *TINY])
        train.main()
    return folder

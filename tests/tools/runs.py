"""Train and evaluate runs in processes of their own, as their user does; what is finished is not repeated."""

import json
import resource
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq.metrics.score import Metric


def train(run: Path, settings: Sequence[str]) -> float:
    """Train or resume, unless the test set has scores, and return the processor seconds of all commands so far.

    Raises:
        SystemExit: the command failed or was interrupted.
    """
    seconds = Path(f"{run}.seconds")
    before = float(seconds.read_text()) if seconds.exists() else 0.0
    if (run / "scores.json").exists():
        return before
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["recipes/train.py", *settings, "logger=none", f"run={run}"]
    code = subprocess.run([sys.executable, *command], check=False).returncode
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = before + now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    seconds.write_text(f"{total:.1f}\n")
    if code:
        sys.exit(code)
    return total


def evaluate(run: Path, settings: Sequence[str] = ()) -> dict[str, dict[str, Metric]]:
    """The scores of the test set, by search (greedy, beam) and name (bleu, chrf, ter)."""
    scores = run / "scores.json"
    if not scores.exists():
        subprocess.run([sys.executable, "recipes/evaluate.py", f"run={run}", *settings], check=True)
    found: dict[str, Any] = json.loads(scores.read_text("utf-8"))["test"]
    return {
        search: {
            name: Metric(**{**values, "ci95": tuple(values["ci95"])})
            for name, values in found[search].items()
            if isinstance(values, dict) and "ci95" in values
        }
        for search in ("greedy", "beam")
    }

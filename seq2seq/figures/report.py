"""Results of a figure as a table for people, and as a JSON file for programs."""

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from seq2seq.figures.bleu_curves import Curve, WidthCurve
from seq2seq.figures.contexts import Projection
from seq2seq.figures.exposure_bias import Exposure
from seq2seq.figures.interpolation import Walk
from seq2seq.figures.pictures import metric_text
from seq2seq.metrics.score import Score
from seq2seq.report.aligned import aligned
from seq2seq.system.atomic import atomic_write


def contexts_table(runs: Sequence[tuple[str, Sequence[Projection]]]) -> str:
    """Return one line per sentence, with its coordinates."""
    lines = []
    for name, panel in ((name, panel) for name, panels in runs for panel in panels):
        first, second = panel.explained_variance
        variance = f"explained variance {first:.1%} and {second:.1%}"
        lines.append(f"{name}: {panel.vector}s of width {panel.width:,}; {variance}")
        lines += [f"  {point.x:8.3f} {point.y:8.3f}  {point.sentence}" for point in panel.points]
    return "\n".join(lines)


def interpolation_table(walks: Sequence[Walk]) -> str:
    """Return one line per mixture: t, the log-probability of its text, the text."""
    lines = []
    for walk in walks:
        lines.append(f"{walk.first}  →  {walk.second}")
        lines += [f"  {mixture.t:4.2f} {mixture.log_probability:8.2f}  {mixture.text}" for mixture in walk.mixtures]
    return "\n".join(lines)


def lengths_table(curves: Sequence[Curve]) -> str:
    """Return one line per range of length, and one column per system."""
    head = ["words", "sentences", *(curve.name for curve in curves)]
    rows = [
        [str(bins[0].range), f"{bins[0].score.sentences:,}", *(metric_text(bin_.score.bleu) for bin_ in bins)]
        for bins in zip(*(curve.bins for curve in curves), strict=True)
    ]
    whole = ["all", f"{curves[0].whole.sentences:,}", *(metric_text(curve.whole.bleu) for curve in curves)]
    return f"BLEU by source length, {curves[0].whole.bleu.signature}\n{aligned([head, *rows, whole])}"


def exposure_table(exposures: Sequence[Exposure]) -> str:
    """Return one table per run, with one line per position."""
    tables = []
    for run in exposures:
        rows = [["position", "sentences", "teacher-forced", "free-running", "gap, 95 %", "equal to the reference"]]
        for position in run.positions:
            low, high = position.gap_ci95
            losses = f"{position.teacher_forced:.3f}", f"{position.free_running:.3f}"
            counts = f"{position.position}", f"{position.sentences:,}"
            rows.append([*counts, *losses, f"[{low:.3f}, {high:.3f}]", f"{position.same:.1%}"])
        rows.append(["all", f"{run.counted:,} tokens", f"{run.teacher_forced:.3f}", f"{run.free_running:.3f}", "", ""])
        tables.append(f"{run.name}: loss of the reference in nats per token\n{aligned(rows)}")
    return "\n".join(tables)


def width_table(curves: Sequence[WidthCurve]) -> str:
    """Return one table per run, with one line per width."""
    tables = []
    for curve in curves:
        rows = [["width", "decoder", "parameters", "BLEU"]]
        rows += [
            [f"{point.width:,}", f"{point.decoder:,}", f"{point.parameters:,}", metric_text(point.score.bleu)]
            for point in curve.points
        ]
        tables.append(f"{curve.name}, {curve.points[0].score.bleu.signature}\n{aligned(rows)}")
    return "\n".join(tables)


def write_json(path: Path, results: Any) -> None:
    """Write results as JSON: named tuples and dataclasses as objects, scores with their signatures.

    Raises:
        RunError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(as_json(results), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def as_json(value: Any) -> Any:
    """Convert a value to JSON types."""
    if isinstance(value, Score):
        return value.as_dict()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: as_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: as_json(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, dict):
        return {str(name): as_json(item) for name, item in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list | tuple) else value

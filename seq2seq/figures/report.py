"""What was measured, for people as a table each, and for programs as one JSON file a figure."""

import json
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from seq2seq.figures.contexts import Projection
from seq2seq.figures.exposure_bias import Exposure
from seq2seq.figures.interpolation import Walk
from seq2seq.figures.lengths import Curve
from seq2seq.figures.width import Family
from seq2seq.metrics.score import Metric, Score
from seq2seq.report.aligned import aligned
from seq2seq.system.atomic import atomic_write


def contexts_table(runs: Sequence[tuple[str, Sequence[Projection]]]) -> str:
    """A sentence a line, with its coordinates."""
    lines = []
    for name, panel in ((name, panel) for name, panels in runs for panel in panels):
        first, second = panel.explained_variance
        lines.append(
            f"{name}: {panel.vector}s, {panel.width:,} numbers; explained variance {first:.1%} and {second:.1%}"
        )
        lines += [f"  {point.x:8.3f} {point.y:8.3f}  {point.sentence}" for point in panel.points]
    return "\n".join(lines)


def interpolation_table(paths: Sequence[Walk]) -> str:
    """A mixture a line: t, the log-probability of its text, the text."""
    lines = []
    for path in paths:
        lines.append(f"{path.first}  →  {path.second}")
        lines += [f"  {one.t:4.2f} {one.log_probability:8.2f}  {one.text}" for one in path.mixtures]
    return "\n".join(lines)


def lengths_table(curves: Sequence[Curve]) -> str:
    """A range a line, a system a column."""
    head = ["words", "sentences", *(curve.name for curve in curves)]
    rows = [
        [str(bins[0].range), f"{bins[0].score.sentences:,}", *(_bleu(one.score.bleu) for one in bins)]
        for bins in zip(*(curve.bins for curve in curves), strict=True)
    ]
    whole = ["all", f"{curves[0].whole.sentences:,}", *(_bleu(curve.whole.bleu) for curve in curves)]
    return f"BLEU by source length, {curves[0].whole.bleu.signature}\n{aligned([head, *rows, whole])}"


def exposure_table(exposures: Sequence[Exposure]) -> str:
    """A position a line, for each run."""
    lines = []
    for one in exposures:
        rows = [["position", "sentences", "teacher-forced", "free-running", "gap, 95 %", "as the reference so far"]]
        for at in one.positions:
            low, high = at.gap_ci95
            losses = f"{at.teacher_forced:.3f}", f"{at.free_running:.3f}"
            rows.append([f"{at.position}", f"{at.sentences:,}", *losses, f"[{low:.3f}, {high:.3f}]", f"{at.same:.1%}"])
        rows.append(["all", f"{one.counted:,} pieces", f"{one.teacher_forced:.3f}", f"{one.free_running:.3f}", "", ""])
        lines.append(f"{one.name}: loss of the reference in nats per piece\n{aligned(rows)}")
    return "\n".join(lines)


def width_table(families: Sequence[Family]) -> str:
    """A width a line, for each run."""
    lines = []
    for family in families:
        rows = [["width", "decoder", "parameters", "BLEU"]]
        rows += [
            [f"{one.width:,}", f"{one.decoder:,}", f"{one.parameters:,}", _bleu(one.score.bleu)]
            for one in family.points
        ]
        lines.append(f"{family.name}, {family.points[0].score.bleu.signature}\n{aligned(rows)}")
    return "\n".join(lines)


def write(path: Path, found: Any) -> None:
    """Write a figure's data: named tuples and dataclasses as objects, scores with their signatures.

    Raises:
        RunError: the file cannot be written.
    """
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(plain(found), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def plain(found: Any) -> Any:
    """The same as JSON types."""
    if isinstance(found, Score):
        return found.as_dict()
    if isinstance(found, Enum):
        return found.value
    if isinstance(found, Path):
        return str(found)
    if is_dataclass(found) and not isinstance(found, type):
        return {item.name: plain(getattr(found, item.name)) for item in fields(found)}
    if isinstance(found, tuple) and hasattr(found, "_fields"):
        return {name: plain(value) for name, value in zip(found._fields, found, strict=True)}
    if isinstance(found, dict):
        return {str(name): plain(value) for name, value in found.items()}
    return [plain(part) for part in found] if isinstance(found, list | tuple) else found


def _bleu(metric: Metric) -> str:
    return f"{metric.score:.1f}" + (f" [{metric.ci95[0]:.1f}, {metric.ci95[1]:.1f}]" if metric.ci95 else "")

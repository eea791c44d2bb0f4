"""A trace as pictures (PNG), as an HTML page, and as text for a terminal."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from seq2seq.analysis.pictures import attention_figure, layer_figure, png, states_figure, tree_figure
from seq2seq.analysis.trace import Trace
from seq2seq.report.aligned import aligned
from seq2seq.report.page import heading, page, picture, table

COLUMNS = ["step", "read", "predicted", "probability", "alternatives"]
NUMERIC_COLUMNS = (0, 3)


def trace_pictures(trace: Trace) -> dict[str, bytes]:
    """Draw every picture of a trace, by name: ``tree``, ``attention``, ``encoder.1.forward``, …"""
    return {name: draw() for name, draw in drawings(trace).items()}


def drawings(trace: Trace) -> dict[str, Callable[[], bytes]]:
    """Return the functions that draw each picture, by name."""
    pictures: dict[str, Callable[[], bytes]] = {}
    if trace.tree:
        pictures["tree"] = partial(_draw, tree_figure, trace)
    if trace.attention is not None:
        pictures["attention"] = partial(_draw, attention_figure, trace)
    for layer in trace.layers:
        pictures[f"{layer.location}.states"] = partial(_draw, states_figure, trace, layer)
        pictures[str(layer.location)] = partial(_draw, layer_figure, trace, layer)
    return pictures


def _draw(figure: Callable[..., Any], *arguments: object) -> bytes:
    return png(figure(*arguments))


def trace_page(trace: Trace, pictures: dict[str, bytes]) -> str:
    """Return a page with the probabilities at each step, the beam tree, attention, and every cell."""
    steps = "The predicted token at each step, its probability, and the most probable other tokens."
    parts = [
        table(["", ""], summary_rows(trace)),
        heading("Step by step", steps),
        table(columns(trace), step_rows(trace), NUMERIC_COLUMNS),
    ]
    if "tree" in pictures:
        text = "All hypotheses of the beam search; at each step, the more probable ones are higher."
        parts += [heading("Beam search", text), picture(pictures["tree"], "tree of the beam search")]
    if "attention" in pictures:
        text = "Attention weights of the source tokens at each step, averaged over heads."
        parts += [heading("Attention", text), picture(pictures["attention"], "attention weights")]
    for layer in trace.layers:
        name = f"{layer.location.side}, layer {layer.location.layer}, {layer.location.direction}"
        states, gates = pictures[f"{layer.location}.states"], pictures[str(layer.location)]
        parts += [heading(name.capitalize()), picture(states, f"states over time, {name}")]
        parts.append(picture(gates, f"gates and states, {name}"))
    return page(trace.source or trace.text, parts)


def trace_text(trace: Trace) -> str:
    """Return the translation and one line per step, for a terminal."""
    names = columns(trace)
    text_columns = [column for column in range(len(names)) if column not in NUMERIC_COLUMNS]
    summary = aligned(summary_rows(trace), texts=(0, 1), indent="")
    return f"{summary}\n\n{aligned([names, *step_rows(trace)], text_columns, indent='')}"


def summary_rows(trace: Trace) -> list[list[str]]:
    """Return names and values that identify the trace."""
    return [
        *([["source", trace.source]] if trace.source_tokens else []),
        ["translation" if trace.source_tokens else "text", trace.text],
        ["log-probability", f"{float(trace.log_probabilities.sum()):.3f} nats"],
        ["network", trace.model],
    ]


def columns(trace: Trace) -> list[str]:
    """Return the names of the columns of `step_rows`."""
    return COLUMNS if trace.copied_share is None else [*COLUMNS, "copied"]


def step_rows(trace: Trace) -> list[list[str]]:
    """Return one row per step: number, token read, token predicted, its probability, and the alternatives.

    With a copy mechanism, the last column is the part of all probability that is copied.
    """
    rows = []
    probabilities = trace.alternative_log_probabilities.exp().tolist()
    for step, predicted in enumerate(trace.target_tokens):
        alternatives = zip(trace.alternative_tokens[step], probabilities[step], strict=True)
        probability = f"{math.exp(float(trace.log_probabilities[step])):.1%}"
        text = "  ".join(f"{token} {share:.1%}" for token, share in alternatives)
        copied = [] if trace.copied_share is None else [f"{float(trace.copied_share[step]):.1%}"]
        rows.append([str(step + 1), trace.input_tokens[step], predicted, probability, text, *copied])
    return rows

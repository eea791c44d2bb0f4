"""A trace as pictures (PNG), as a page of HTML, and as lines to print."""

import math
from collections.abc import Callable
from functools import partial

from seq2seq.analysis.beam_tree_picture import tree_picture
from seq2seq.analysis.pictures import attention_picture, layer_picture, states_picture
from seq2seq.analysis.trace import Trace
from seq2seq.report.aligned import aligned
from seq2seq.report.page import heading, page, picture, table

NAMES = ["step", "read", "predicted", "probability", "runners-up"]
FIGURES = (0, 3)
"""Columns that are numbers."""


def trace_pictures(trace: Trace) -> dict[str, bytes]:
    """Every picture that there is something to show in, by name: ``tree``, ``attention``, ``encoder.1.forward``, …"""
    return {name: draw() for name, draw in drawings(trace).items()}


def drawings(trace: Trace) -> dict[str, Callable[[], bytes]]:
    """What draws each of these pictures."""
    found: dict[str, Callable[[], bytes]] = {}
    if trace.tree:
        found["tree"] = partial(tree_picture, trace)
    if trace.attention is not None:
        found["attention"] = partial(attention_picture, trace)
    for layer in trace.layers:
        found[f"{layer.place}.states"] = partial(states_picture, trace, layer)
        found[str(layer.place)] = partial(layer_picture, trace, layer)
    return found


def trace_page(trace: Trace, pictures: dict[str, bytes]) -> str:
    """One sentence: probabilities and runners-up at each step, the tree, attention, and every cell."""
    steps = "What was predicted at each step, how probable it was, and the likeliest other pieces."
    parts = [table(["", ""], facts(trace)), heading("Step by step", steps), table(NAMES, rows(trace), FIGURES)]
    if "tree" in pictures:
        told = "Every hypothesis that was weighed, below the ones that were likelier at the same step."
        parts += [heading("The beam", told), picture(pictures["tree"], "tree of the beam search")]
    if "attention" in pictures:
        told = "How much each source piece weighs in what the decoder is told: the mean of all heads."
        parts += [heading("Attention", told), picture(pictures["attention"], "attention weights")]
    for layer in trace.layers:
        name = f"{layer.place.side}, layer {layer.place.layer}, {layer.place.reading}"
        parts += [heading(name.capitalize()), picture(pictures[f"{layer.place}.states"], f"states over time, {name}")]
        parts.append(picture(pictures[str(layer.place)], f"gates and states, {name}"))
    return page(trace.source or trace.text, parts)


def trace_lines(trace: Trace) -> str:
    """What is read first: the translation, and a line a step."""
    texts = [column for column in range(len(NAMES)) if column not in FIGURES]
    return f"{aligned(facts(trace), texts=(0, 1), indent='')}\n\n{aligned([NAMES, *rows(trace)], texts, indent='')}"


def facts(trace: Trace) -> list[list[str]]:
    """What it is about: name and value."""
    return [
        *([["source", trace.source]] if trace.source_pieces else []),
        ["translation" if trace.source_pieces else "text", trace.text],
        ["log-probability", f"{float(trace.log_probabilities.sum()):.3f} nats"],
        ["network", trace.model],
    ]


def rows(trace: Trace) -> list[list[str]]:
    """A row a step: number, piece read, piece predicted, its probability, the runners-up with theirs."""
    found = []
    others = trace.runner_up_log_probabilities.exp().tolist()
    for step, chosen in enumerate(trace.target_pieces):
        ranked = zip(trace.runner_up_pieces[step], others[step], strict=True)
        probability = f"{math.exp(float(trace.log_probabilities[step])):.1%}"
        told = "  ".join(f"{piece} {share:.1%}" for piece, share in ranked)
        found.append([str(step + 1), trace.read_pieces[step], chosen, probability, told])
    return found

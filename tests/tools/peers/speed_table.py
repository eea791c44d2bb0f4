"""The tables of `decoding.py`: speeds, ratios and goals."""

from collections.abc import Sequence
from statistics import median

from seq2seq.metrics.score import fresh_metrics
from tests.tools.peers.speed import BEAM, GREEDY, OWN_BATCHES, SINGLE, SITUATIONS, Measured, Situation, System, Table

LSTM_GOAL = 5.0
"""Times the speed of the peers' LSTMs."""
GREEDY_GOAL = 0.5
"""BLEU that greedy search may lose against beam 5."""


def document(systems: Sequence[System], table: Table, notes: Sequence[str], language: str) -> str:
    """Everything that was found, as Markdown."""
    metric = fresh_metrics(language=language, ter=False)["bleu"]
    metric.corpus_score(["x"], [["x"]])  # its signature counts references
    sections = [f"## {each.name}\n\n{situation_table(each, systems, table)}" for each in SITUATIONS]
    signature = f"BLEU: {metric.get_signature()}"
    return "\n\n".join([*notes, signature, *sections, f"## Goals\n\n{goal_table(systems, table)}"])


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])


def situation_table(situation: Situation, systems: Sequence[System], table: Table) -> str:
    """Speed and quality of each system, and how many times faster each of ours is than each of the others."""
    found = table[situation.name]
    ours = [each for each in systems if each.ours]
    speed = "ms per sentence (min–max)" if situation.single else "sentences/s (min–max)"
    rows = [
        [
            "system",
            "weights",
            "batch",
            "BLEU",
            speed,
            "target tokens/s",
            *(f"times faster: {each.name}" for each in ours),
        ]
    ]
    for system in systems:
        own = found[system.name]
        rates = [1000 * seconds / len(own.lines) for seconds in own.seconds]
        if not situation.single:
            rates = [1000 / rate for rate in rates]
        rows.append(
            [
                system.name,
                f"{system.parameters:,}",
                "own" if own.batch == OWN_BATCHES else f"{own.batch}",
                f"{own.bleu:.1f}",
                f"{median(rates):,.1f} ({min(rates):,.1f}–{max(rates):,.1f})",
                f"{own.token_speed:,.0f}",
                *("-" if system.ours else ratio_cell(found[each.name], own) for each in ours),
            ]
        )
    return markdown(rows)


def ratio(ours: Measured, theirs: Measured) -> float:
    """How many times faster ours translates the same sentences, by medians."""
    return ours.speed / theirs.speed


def ratio_cell(ours: Measured, theirs: Measured) -> str:
    """The ratio of medians, its range over rounds, and the ratio by target tokens."""
    rounds = [their / our for our, their in zip(ours.seconds, theirs.seconds, strict=True)]
    by_tokens = ours.token_speed / theirs.token_speed
    return f"{ratio(ours, theirs):.2f} ({min(rounds):.2f}–{max(rounds):.2f}), by tokens {by_tokens:.2f}"


def verdict(passed: bool, figure: str) -> str:
    """A cell of the table of goals."""
    return f"{'passed' if passed else 'missed'}: {figure}"


def goal_table(systems: Sequence[System], table: Table) -> str:
    """Whether each of ours reaches each goal."""
    ours = [each for each in systems if each.ours]
    rows = [["goal", *(each.name for each in ours)]]
    for situation in (BEAM, SINGLE):
        found = table[situation.name]
        for peer in (each for each in systems if each.group in ("opennmt", "eole")):
            goal = f"{situation.name}: {LSTM_GOAL:g} times {peer.name}, by sentences and by tokens"
            rows.append([goal, *(fast_enough(found[each.name], found[peer.name]) for each in ours)])
    losses = [table[BEAM.name][each.name].bleu - table[GREEDY.name][each.name].bleu for each in ours]
    goal = f"greedy within {GREEDY_GOAL} BLEU of beam 5 (a goal for distilled students)"
    rows.append([goal, *(verdict(loss <= GREEDY_GOAL, f"{-loss:+.2f}") for loss in losses)])
    for situation in SITUATIONS:
        found = table[situation.name]
        for peer in (each for each in systems if each.group == "ctranslate2"):
            goal = f"{situation.name}: as fast as {peer.name}, with its BLEU"
            rows.append([goal, *(as_good(found[each.name], found[peer.name]) for each in ours)])
    return markdown(rows)


def fast_enough(ours: Measured, theirs: Measured) -> str:
    """Whether ours is `LSTM_GOAL` times as fast, also where its translations are shorter."""
    times, by_tokens = ratio(ours, theirs), ours.token_speed / theirs.token_speed
    return verdict(min(times, by_tokens) >= LSTM_GOAL, f"{times:.2f}, by tokens {by_tokens:.2f}")


def as_good(ours: Measured, theirs: Measured) -> str:
    """Whether ours is at least as fast and has at least the same BLEU."""
    times, difference = ratio(ours, theirs), ours.bleu - theirs.bleu
    return verdict(times >= 1 and difference >= 0, f"{times:.2f} times, BLEU {difference:+.2f}")

"""The table of all systems, with the significance tests of recipes/compare.py."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any, NamedTuple

from seq2seq.comparison.comparison import Comparison, Deviation, compare
from seq2seq.comparison.config import CompareConfig
from seq2seq.comparison.rare_words import Frequencies, Words, count_words
from seq2seq.comparison.report import sections, write
from seq2seq.comparison.significance import Significance
from seq2seq.comparison.systems import Output, System
from seq2seq.corpora.corpus import Pair
from seq2seq.metrics.score import bleu, fresh_metrics
from seq2seq.run.provenance import text_hash
from tests.tools.peers.text import Text, pairs_of

COLUMNS = (
    "system", "weights", "updates", "training, min", "BLEU", "BLEU, lower-cased", "chrF", "chrF, lower-cased",
    "greedy BLEU", "sentences/s, greedy", "sentences/s, beam 5", "p of BLEU", "p of chrF",
)  # fmt: skip


class Trained(NamedTuple):
    """A finished training."""

    settings: dict[str, Any]
    parameters: int
    updates: int
    seconds: float
    """Processor time."""


class Translated(NamedTuple):
    """A finished translation."""

    lines: list[str]
    speed: float
    """Sentences per second, without loading."""


class Row(NamedTuple):
    """A system with what was measured for each seed."""

    name: str
    trainings: list[Trained]
    greedy: list[Translated]
    beam: list[Translated]

    def minutes(self) -> float:
        """Mean processor time of a training."""
        return mean(each.seconds for each in self.trainings) / 60

    def speeds(self) -> list[float]:
        """Sentences per second, greedy and with a beam: medians over seeds."""
        return [median(each.speed for each in found) for found in (self.greedy, self.beam)]


def compared(rows: Sequence[Row], test: Sequence[Pair], language: str, *, lowercase: bool = False) -> Comparison:
    """Every system beside the first, with a beam, as by recipes/compare.py."""
    systems = [System(row.name, [Output(row.name, each.lines, {}) for each in row.beam]) for row in rows]
    references = [pair.target for pair in test]
    counts = Frequencies(count_words(references, Words(lowercase, language)), "the references")
    config = CompareConfig(systems=[row.name for row in rows], lowercase=lowercase, randomization=0)

    def metrics() -> dict[str, Any]:
        return fresh_metrics(lowercase, language, ter=False)

    return compare(systems, ("test", text_hash(references)), test, metrics, counts, config, language)


def table(rows: Sequence[Row], cased: Comparison, lower: Comparison, greedy: Sequence[float]) -> str:
    """The table, where each system is better than the first, and the signatures."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for place, (row, score) in enumerate(zip(rows, greedy, strict=True)):
        first = row.trainings[0]
        scores = [
            str_of(found.systems[place].over_seeds(name)) for name in ("bleu", "chrf") for found in (cased, lower)
        ]
        tests = cased.contrasts[place - 1].tests[Significance.bootstrap] if place else {}
        cells = [
            row.name,
            f"{first.parameters:,}",
            f"{first.updates:,}",
            f"{row.minutes():.1f}",
            *scores,
            f"{score:.1f}",
        ]
        cells += [f"{speed:.0f}" for speed in row.speeds()] + [str(tests.get(name, "-")) for name in ("bleu", "chrf")]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(better(rows, cased, place) for place in range(1, len(rows))), ""]
    lines += [each.signature for found in (cased, lower) for each in found.systems[0].scores[0].values()]
    return "\n".join([*lines, "", *(f"{row.name}: {row.trainings[0].settings}" for row in rows)])


def str_of(found: Deviation) -> str:
    """Mean and standard deviation over seeds."""
    return f"{found.mean:.1f}" if found.deviation is None else f"{found.mean:.1f} ± {found.deviation:.1f}"


def better(rows: Sequence[Row], cased: Comparison, place: int) -> str:
    """In what a system is better than the first, in one line."""
    other, first = rows[place], rows[0]
    differences = {
        name: cased.systems[place].over_seeds(key).mean - cased.systems[0].over_seeds(key).mean
        for name, key in (("BLEU", "bleu"), ("chrF", "chrf"))
    }
    differences["training time"] = first.minutes() - other.minutes()
    speeds = zip(("greedy speed", "beam speed"), other.speeds(), first.speeds(), strict=True)
    differences |= {name: theirs - ours for name, theirs, ours in speeds}
    won = [name for name, difference in differences.items() if difference > 0]
    return f"- {other.name} is better than {first.name} in {', '.join(won) or 'nothing'}."


def report(rows: Sequence[Row], folder: Path, text: Text, head: str) -> None:
    """Print the table under its head, and write it and the full comparisons."""
    test = pairs_of(text.folder, "test", (text.source, text.target))
    references = [pair.target for pair in test]
    cased, lower = (compared(rows, test, text.target, lowercase=lowercase) for lowercase in (False, True))
    greedy = [mean(bleu(each.lines, references, text.target) for each in row.greedy) for row in rows]
    found = f"{head}\n\n{table(rows, cased, lower, greedy)}"
    (folder / "table.md").write_text(found + "\n", "utf-8")
    for name, comparison in (("report", cased), ("report.lower-cased", lower)):
        write(comparison, sections(comparison), folder / f"{name}.md")
    print(found)

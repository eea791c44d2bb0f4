"""A comparison for people, as sections of tables, and for programs, as plain JSON types."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq import __version__
from seq2seq.comparison.comparison import Comparison, Contrast, Measured
from seq2seq.comparison.pages import Section, as_html, as_markdown
from seq2seq.comparison.significance import Significance
from seq2seq.metrics.score import Metric
from seq2seq.run.provenance import SAMPLING
from seq2seq.system.lock import output_file

METRICS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "comet": "COMET"}
"""How metrics are written."""

SENTENCE_METRICS = {"bleu": "sentence BLEU", "chrf": "chrF"}

TESTS = {
    Significance.bootstrap: "paired bootstrap (Koehn 2004)",
    Significance.randomization: "approximate randomisation (Riezler & Maxwell 2005)",
}


def sections(found: Comparison) -> list[Section]:
    """Everything, in the order in which it is read."""
    tables = [_scores(found), *([_seeds(found)] if any(len(one.scores) > 1 for one in found.systems) else [])]
    baseline = found.systems[0].system.name
    for contrast in found.contrasts:
        beside = f"{contrast.name} beside {baseline}"
        tables += [
            _significance(found, contrast, beside),
            _wins(found, contrast, beside),
            _rare_words(found, contrast, beside),
        ]
        if contrast.differences:
            tables.append(_differences(found, contrast, beside))
    return tables


def _scores(found: Comparison) -> Section:
    """Every output with its scores and what it comes from."""
    first = found.systems[0].scores[0]
    notes = [f"{found.sentences:,} sentences, references {found.references[:12]}, seq2seq {__version__}"]
    notes += [f"{METRICS[name]}  {metric.signature}" for name, metric in first.items()]
    notes.append("[95 % bootstrap interval over sentences]; TER: lower is better")
    rows = [["", *(METRICS[name] for name in first), "search", "model"]]
    for one in found.systems:
        for output, scores in zip(one.system.outputs, one.scores, strict=True):
            rows.append([output.name, *map(_interval, scores.values()), *_origin(output.record)])
    return Section(found.corpus, notes, rows)


def _interval(metric: Metric) -> str:
    assert metric.ci95 is not None
    return f"{metric.score:.1f} [{metric.ci95[0]:.1f}, {metric.ci95[1]:.1f}]"


def _origin(record: dict[str, Any]) -> list[str]:
    """How and by what an output was made, if that is known."""
    if "search" not in record:
        return ["", ""]
    method = record["search"].get("method", "beam")  # which older versions did not say
    search = f"beam {record['search'].get('beam_size', '?')}" if method == "beam" else str(method).replace("_", " ")
    search += f", {record.get('precision', '?')}"
    search += ", short-list" if record.get("shortlist") else ""
    models = ["memory" if model is None else model[:12] for model in record["models"]]
    return [search, "+".join(models)]


def _seeds(found: Comparison) -> Section:
    """Mean and deviation of each system over its seeds."""
    names = list(found.systems[0].scores[0])
    rows = [["", "seeds", *(METRICS[name] for name in names)]]
    rows += [
        [one.system.name, str(len(one.scores)), *(_deviation(one, name) for name in names)] for one in found.systems
    ]
    return Section("over seeds", ["mean ± standard deviation"], rows)


def _deviation(one: Measured, metric: str) -> str:
    over = one.over_seeds(metric)
    return f"{over.mean:.1f}" if over.deviation is None else f"{over.mean:.1f} ± {over.deviation:.1f}"


def _significance(found: Comparison, contrast: Contrast, beside: str) -> Section:
    first = found.systems[0]
    (other,) = (one for one in found.systems if one.system.name == contrast.name)
    notes = [
        f"p, {TESTS[kind]}: {_drawn(next(iter(tests.values())).signature)}" for kind, tests in contrast.tests.items()
    ]
    if any(len(p.values) > 1 for tests in contrast.tests.values() for p in tests.values()):
        notes.append("median and range over pairs of seeds")
    if len(found.contrasts) > 1:
        notes.append(f"not corrected for {len(found.contrasts)} comparisons")
    rows = [["", "difference", *(f"p, {kind}" for kind in contrast.tests)]]
    for name in first.scores[0]:
        difference = other.over_seeds(name).mean - first.over_seeds(name).mean
        rows.append([METRICS[name], f"{difference:+.2f}", *(str(tests[name]) for tests in contrast.tests.values())])
    return Section(f"{beside}: is it chance?", notes, rows)


def _drawn(signature: str) -> str:
    """The part of a signature that says how a test was drawn: samples and seed."""
    return ", ".join(part for part in signature.split("|") if part.startswith(SAMPLING))


def _wins(found: Comparison, contrast: Contrast, beside: str) -> Section:
    notes = [f"by words of the reference; a sentence is won by its {SENTENCE_METRICS[found.sentence_metric]}"]
    notes += _first_seeds(found, contrast)
    rows = [["words", "sentences", "wins", "ties", "losses", "mean", "mean, baseline"]]
    for wins in contrast.wins:
        counts = (wins.sentences, wins.other, wins.ties, wins.baseline)
        rows.append(
            [wins.group, *(f"{count:,}" for count in counts), f"{wins.mean_other:.1f}", f"{wins.mean_baseline:.1f}"]
        )
    return Section(f"{beside}: wins by length", notes, rows)


def _rare_words(found: Comparison, contrast: Contrast, beside: str) -> Section:
    notes = [
        f"words of the references by how often they occur in {found.frequencies}",
        "a sentence is won by who has more of them in its translation",
        *_first_seeds(found, contrast),
    ]
    rows = [["occurrences", "words", "found", "found, baseline", "wins", "ties", "losses"]]
    for group in contrast.rare_words:
        shares = (f"{count / group.words:.1%}" for count in (group.found_other, group.found_baseline))
        rows.append(
            [group.group, f"{group.words:,}", *shares, f"{group.other:,}", f"{group.ties:,}", f"{group.baseline:,}"]
        )
    return Section(f"{beside}: wins by rare words", notes, rows)


def _differences(found: Comparison, contrast: Contrast, beside: str) -> Section:
    first = found.systems[0].system.name
    notes = [f"by {SENTENCE_METRICS[found.sentence_metric]}, in brackets", *_first_seeds(found, contrast)]
    rows = [["line", "source", "reference", first, contrast.name]]
    rows += [
        [
            str(one.line),
            one.source,
            one.reference,
            f"({one.score_baseline:.1f}) {one.baseline}",
            f"({one.score_other:.1f}) {one.other}",
        ]
        for one in contrast.differences
    ]
    return Section(f"{beside}: most different sentences", notes, rows, sentences=True)


def _first_seeds(found: Comparison, contrast: Contrast) -> list[str]:
    """Which output stands for a system that has several."""
    measured = [one.system for one in found.systems if one.system.name in (contrast.name, found.systems[0].system.name)]
    return [f"{one.name}: {one.first.name} alone" for one in measured if len(one.outputs) > 1]


def as_dict(found: Comparison) -> dict[str, Any]:
    """All of it but the translations, as plain JSON types."""
    return {
        "version": __version__,
        "corpus": found.corpus,
        "references": found.references,
        "sentences": found.sentences,
        "words_counted_in": found.frequencies,
        "sentence_metric": found.sentence_metric,
        "systems": [_system(one) for one in found.systems],
        "contrasts": [_contrast(found.systems[0].system.name, contrast) for contrast in found.contrasts],
    }


def _system(one: Measured) -> dict[str, Any]:
    outputs = [
        {
            "name": output.name,
            "scores": {name: metric.as_dict() for name, metric in scores.items()},
            "record": {name: value for name, value in output.record.items() if name not in METRICS},
        }
        for output, scores in zip(one.system.outputs, one.scores, strict=True)
    ]
    over_seeds = {name: one.over_seeds(name)._asdict() for name in one.scores[0]}
    return {"name": one.system.name, "outputs": outputs, "over_seeds": over_seeds}


def _contrast(baseline: str, contrast: Contrast) -> dict[str, Any]:
    tests = {
        str(kind): {name: {"p": p.values, "signature": p.signature} for name, p in found.items()}
        for kind, found in contrast.tests.items()
    }
    return {
        "baseline": baseline,
        "other": contrast.name,
        "tests": tests,
        "wins_by_length": [wins._asdict() for wins in contrast.wins],
        "wins_by_rare_words": [group._asdict() for group in contrast.rare_words],
        "most_different": [one._asdict() for one in contrast.differences],
    }


def write(found: Comparison, tables: Sequence[Section], path: Path) -> None:
    """Write the report in the form that the file's ending asks for, whole or not at all.

    Raises:
        RunError: the file cannot be written.
    """
    text = {
        ".json": lambda: json.dumps(as_dict(found), indent=2, ensure_ascii=False) + "\n",
        ".md": lambda: as_markdown(tables),
        ".html": lambda: as_html(f"Systems compared on {found.corpus}", tables),
    }[path.suffix]()
    with output_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")

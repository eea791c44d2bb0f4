"""The report of a comparison: tables for people, JSON for programs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seq2seq import __version__
from seq2seq.comparison.comparison import Comparison, Contrast, Measured
from seq2seq.comparison.pages import Section, as_html, as_markdown
from seq2seq.comparison.significance import FEWEST_FOR_BOOTSTRAP, Significance
from seq2seq.comparison.systems import setting_differences
from seq2seq.errors import counted
from seq2seq.metrics.score import Metric
from seq2seq.run.provenance import SAMPLING
from seq2seq.run.resume import CHOICES
from seq2seq.settings import override_value
from seq2seq.system.lock import output_file

METRICS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER", "comet": "COMET"}
"""Names of metrics in reports."""

LONGEST_VALUE = 60
"""Maximum characters of a setting in a table."""

SENTENCE_METRICS = {"bleu": "sentence BLEU", "chrf": "chrF"}

TESTS = {
    Significance.bootstrap: "paired bootstrap (Koehn 2004)",
    Significance.randomization: "approximate randomization (Riezler & Maxwell 2005)",
}


def sections(comparison: Comparison) -> list[Section]:
    """All tables of the report in reading order."""
    tables = [
        _scores(comparison),
        *([_seeds(comparison)] if any(len(measured.scores) > 1 for measured in comparison.systems) else []),
    ]
    tables += _settings(comparison)
    baseline = comparison.systems[0].system.name
    for contrast in comparison.contrasts:
        beside = f"{contrast.name} beside {baseline}"
        tables += [
            _significance(comparison, contrast, beside),
            _wins(comparison, contrast, beside),
            _rare_words(comparison, contrast, beside),
        ]
        if contrast.differences:
            tables.append(_differences(comparison, contrast, beside))
    return tables


def _scores(comparison: Comparison) -> Section:
    """The scores and the origin of every output."""
    first = comparison.systems[0].scores[0]
    sentences = counted(comparison.sentences, "sentence")
    notes = [f"{sentences}, references {comparison.references[:12]}, seq2seq {__version__}"]
    notes += [f"{METRICS[name]}  {metric.signature}" for name, metric in first.items()]
    notes.append("[95 % bootstrap interval over sentences]; TER: lower is better")
    rows = [["", *(METRICS[name] for name in first), "search", "model"]]
    for measured in comparison.systems:
        for output, scores in zip(measured.system.outputs, measured.scores, strict=True):
            rows.append([output.name, *map(_interval, scores.values()), *_origin(output.record)])
    return Section(comparison.corpus, notes, rows)


def _interval(metric: Metric) -> str:
    assert metric.ci95 is not None
    return f"{metric.score:.1f} [{metric.ci95[0]:.1f}, {metric.ci95[1]:.1f}]"


def _origin(record: dict[str, Any]) -> list[str]:
    """Search settings and model hashes of an output; empty if unknown."""
    if "search" not in record:
        return ["", ""]
    method = record["search"].get("method", "beam")  # older versions did not save it
    search = f"beam {record['search'].get('beam_size', '?')}" if method == "beam" else str(method).replace("_", " ")
    search += f", {record.get('precision', '?')}"
    search += ", shortlist" if record.get("shortlist") else ""
    models = ["memory" if model is None else model[:12] for model in record["models"]]
    return [search, "+".join(models)]


def _settings(comparison: Comparison) -> list[Section]:
    """The settings that differ between runs; nothing if fewer than two systems are runs."""
    systems = [measured.system for measured in comparison.systems if measured.system.first.settings]
    if len(systems) < 2:
        return []
    rows = [["setting", *(system.name for system in systems)]]
    for name, values in setting_differences(systems).items():
        texts = [", ".join(map(override_value, values[system.name])) for system in systems]
        shortened = [text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…" for text in texts]
        rows.append([name.removeprefix(f"{CHOICES}."), *shortened])
    title = "settings that differ"
    return [Section(title, [], rows) if len(rows) > 1 else Section(title, ["none"])]


def _seeds(comparison: Comparison) -> Section:
    """Mean and standard deviation of each system over its seeds."""
    names = list(comparison.systems[0].scores[0])
    rows = [["", "seeds", *(METRICS[name] for name in names)]]
    rows += [
        [measured.system.name, str(len(measured.scores)), *(_deviation(measured, name) for name in names)]
        for measured in comparison.systems
    ]
    return Section("over seeds", ["mean ± standard deviation"], rows)


def _deviation(measured: Measured, metric: str) -> str:
    over = measured.over_seeds(metric)
    return f"{over.mean:.1f}" if over.deviation is None else f"{over.mean:.1f} ± {over.deviation:.1f}"


def _significance(comparison: Comparison, contrast: Contrast, beside: str) -> Section:
    first = comparison.systems[0]
    (other,) = (measured for measured in comparison.systems if measured.system.name == contrast.name)
    notes = [
        f"p, {TESTS[kind]}: {_sampling(next(iter(tests.values())).signature)}" for kind, tests in contrast.tests.items()
    ]
    if Significance.bootstrap in contrast.tests and comparison.sentences < FEWEST_FOR_BOOTSTRAP:
        sentences = counted(comparison.sentences, "sentence")
        notes.append(f"p of the bootstrap is too small for {sentences}: it needs {FEWEST_FOR_BOOTSTRAP} or more")
    if any(len(p.values) > 1 for tests in contrast.tests.values() for p in tests.values()):
        notes.append("median and range over pairs of seeds")
    if len(comparison.contrasts) > 1:
        notes.append(f"not corrected for {len(comparison.contrasts)} comparisons")
    rows = [["", "difference", *(f"p, {kind}" for kind in contrast.tests)]]
    for name in first.scores[0]:
        difference = other.over_seeds(name).mean - first.over_seeds(name).mean
        rows.append([METRICS[name], f"{difference:+.2f}", *(str(tests[name]) for tests in contrast.tests.values())])
    return Section(f"{beside}: statistical significance", notes, rows)


def _sampling(signature: str) -> str:
    """Number of samples and seed of a test, from its signature."""
    return ", ".join(part for part in signature.split("|") if part.startswith(SAMPLING))


def _wins(comparison: Comparison, contrast: Contrast, beside: str) -> Section:
    notes = [f"by words of the reference; the better {SENTENCE_METRICS[comparison.sentence_metric]} wins a sentence"]
    notes += _first_seeds(comparison, contrast)
    rows = [["words", "sentences", "wins", "ties", "losses", "mean", "mean, baseline"]]
    for wins in contrast.wins:
        counts = (wins.sentences, wins.other, wins.ties, wins.baseline)
        rows.append(
            [wins.group, *(f"{count:,}" for count in counts), f"{wins.mean_other:.1f}", f"{wins.mean_baseline:.1f}"]
        )
    return Section(f"{beside}: wins by length", notes, rows)


def _rare_words(comparison: Comparison, contrast: Contrast, beside: str) -> Section:
    notes = [
        f"words of the references by how often they occur in {comparison.frequencies}",
        "the system whose translation has more of these words wins the sentence",
        *_first_seeds(comparison, contrast),
    ]
    rows = [["occurrences", "words", "found", "found, baseline", "wins", "ties", "losses"]]
    for group in contrast.rare_words:
        shares = (f"{count / group.words:.1%}" for count in (group.found_other, group.found_baseline))
        rows.append(
            [group.group, f"{group.words:,}", *shares, f"{group.other:,}", f"{group.ties:,}", f"{group.baseline:,}"]
        )
    return Section(f"{beside}: wins by rare words", notes, rows)


def _differences(comparison: Comparison, contrast: Contrast, beside: str) -> Section:
    first = comparison.systems[0].system.name
    notes = [f"by {SENTENCE_METRICS[comparison.sentence_metric]}, in brackets", *_first_seeds(comparison, contrast)]
    rows = [["line", "source", "reference", first, contrast.name]]
    rows += [
        [
            str(difference.line),
            difference.source,
            difference.reference,
            f"({difference.score_baseline:.1f}) {difference.baseline}",
            f"({difference.score_other:.1f}) {difference.other}",
        ]
        for difference in contrast.differences
    ]
    return Section(f"{beside}: most different sentences", notes, rows, sentences=True)


def _first_seeds(comparison: Comparison, contrast: Contrast) -> list[str]:
    """The output that represents a system with several seeds."""
    names = contrast.name, comparison.systems[0].system.name
    systems = [measured.system for measured in comparison.systems if measured.system.name in names]
    return [f"{system.name}: {system.first.name} only" for system in systems if len(system.outputs) > 1]


def as_dict(comparison: Comparison) -> dict[str, Any]:
    """The comparison without the translations, as plain JSON types."""
    return {
        "version": __version__,
        "corpus": comparison.corpus,
        "references": comparison.references,
        "sentences": comparison.sentences,
        "words_counted_in": comparison.frequencies,
        "sentence_metric": comparison.sentence_metric,
        "settings_that_differ": setting_differences([measured.system for measured in comparison.systems]),
        "systems": [_system(measured) for measured in comparison.systems],
        "contrasts": [_contrast(comparison.systems[0].system.name, contrast) for contrast in comparison.contrasts],
    }


def _system(measured: Measured) -> dict[str, Any]:
    outputs = [
        {
            "name": output.name,
            "scores": {name: metric.as_dict() for name, metric in scores.items()},
            "record": {name: value for name, value in output.record.items() if name not in METRICS},
        }
        for output, scores in zip(measured.system.outputs, measured.scores, strict=True)
    ]
    over_seeds = {name: measured.over_seeds(name)._asdict() for name in measured.scores[0]}
    return {"name": measured.system.name, "outputs": outputs, "over_seeds": over_seeds}


def _contrast(baseline: str, contrast: Contrast) -> dict[str, Any]:
    tests = {
        str(kind): {name: {"p": p.values, "signature": p.signature} for name, p in values.items()}
        for kind, values in contrast.tests.items()
    }
    return {
        "baseline": baseline,
        "other": contrast.name,
        "tests": tests,
        "wins_by_length": [wins._asdict() for wins in contrast.wins],
        "wins_by_rare_words": [group._asdict() for group in contrast.rare_words],
        "most_different": [difference._asdict() for difference in contrast.differences],
    }


def write(comparison: Comparison, tables: Sequence[Section], path: Path) -> None:
    """Write the report atomically in the format of the file's ending.

    Raises:
        RunError: the file cannot be written.
    """
    text = {
        ".json": lambda: json.dumps(as_dict(comparison), indent=2, ensure_ascii=False) + "\n",
        ".md": lambda: as_markdown(tables),
        ".html": lambda: as_html(f"Systems compared on {comparison.corpus}", tables),
    }[path.suffix]()
    with output_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")

"""What a model card states, gathered from the run: languages, licence, scores, and what only the card records."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

import yaml

from seq2seq.corpora.languages import language_tag
from seq2seq.errors import DISTRIBUTION, shown
from seq2seq.model.weights import CHECKSUM, read_metadata
from seq2seq.run.folder import MODEL, RunFolder
from seq2seq.run.provenance import SCORES, model_hash, read_scores
from seq2seq.system.plain_yaml import load_plain

LICENCE = re.compile(r"^(?:# )?license(?:_name|_link)?:[^\n]*\n", re.MULTILINE)
"""The lines of the front matter that the user may fill in; as a comment, they are not."""

TO_FILL_IN = "# license: cc-by-4.0  (remove the # at the left, and name the licence of your model)\n"

LICENCES = {
    *("mit", "apache-2.0", "bsd-3-clause", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "mpl-2.0", "unlicense", "cc0-1.0"),
    *("cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-sa-4.0", "cc-by-nc-nd-4.0"),
}
"""Names of licences that model hubs know; others are written as ``other`` with their name."""

FACTS = "seq2seq"
"""The entry of the front matter with what only the card records (`KINDS`); model hubs ignore it."""

KINDS = {"pairs": int, "validation_pairs": int, "origin": str}
"""The facts and their types."""

METRICS = {"bleu": "BLEU", "chrf": "chrF", "ter": "TER"}

NAME_OF_DATA_SET = re.compile(r"[\w.-]+/[\w.-]+( \(.*\))?")


def recorded_facts(folder: Path, cards: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """What only cards record, the version of the program that trained, and all sentences about the origin.

    Args:
        folder: with the weights.
        cards: the present cards, of which the last counts.
        given: facts that count more.
    """
    several = [*map(_facts, cards), given]
    known = {name: value for each in several for name, value in each.items()}
    if origins := dict.fromkeys(each["origin"] for each in several if "origin" in each):
        known["origin"] = " ".join(origins)
    if version := read_metadata(folder / MODEL).get("seq2seq"):
        known["version"] = version
    return known


def _facts(card: str) -> dict[str, Any]:
    """The valid facts in the front matter of a card."""
    parts = card.split("---\n", 2)
    try:
        entry = load_plain(parts[1])[FACTS] if len(parts) == 3 else {}
        return {name: entry[name] for name, kind in KINDS.items() if type(entry.get(name)) is kind}
    except (yaml.YAMLError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def licence_lines(run: RunFolder, old: str) -> str:
    """The licence in the front matter: that of the settings, or that of the old card, or a line to fill in."""
    licence = run.settings.get("licence")
    if isinstance(licence, str) and licence.strip():
        known = licence.strip().lower()
        entries = {"license": known} if known in LICENCES else {"license": "other", "license_name": shown(licence)}
        return str(yaml.safe_dump(entries, allow_unicode=True, width=1000))
    filled_in = [line for line in LICENCE.findall(old) if not line.startswith("#")]
    return "".join(filled_in) or TO_FILL_IN


def languages(run: RunFolder) -> list[str]:
    """The codes of the source and target language; of the text, for a language model."""
    return [run.target_language] if run.is_language_model else [run.source_language, run.target_language]


class Result(NamedTuple):
    """One score of scores.json."""

    split: str
    """The name of the entry: ``test``."""
    corpus: str
    search: str
    """``greedy`` or ``beam 5``; empty for a perplexity."""
    metric: str
    score: float
    interval: tuple[float, float] | None = None
    """95 %."""
    signature: str = ""


def results(run: RunFolder, folder: Path) -> list[Result]:
    """The scores of this model alone, if the weights in ``folder`` are those of the run; the run's own search last."""
    weights = {read_metadata(place / MODEL).get(CHECKSUM) for place in {run.path, folder}}
    entries = read_scores(run.path / SCORES) if len(weights) == 1 else {}
    own = [model_hash(run.path)] if entries else []
    found = []
    for split, entry in entries.items():
        if entry.get("models") == own and "language_model" not in entry:
            with suppress(LookupError, TypeError, ValueError):  # the folder may be somebody else's
                found += [*_entry_results(split, entry)]
    return found


def _entry_results(split: str, entry: Mapping[str, Any]) -> Iterator[Result]:
    """All scores of an entry of scores.json."""
    corpus = without_folders(entry["corpus"])
    if "perplexity" in entry:
        yield Result(split, corpus, "", "perplexity", float(entry["perplexity"]["per_word"]))
    for name, searched in entry.items():
        if isinstance(searched, dict) and "search" in searched:
            search = f"beam {int(searched['beam_size'])}" if name == "beam" else name
            for metric in METRICS:
                if score := searched[metric]:
                    ends = score["ci95"] and (float(score["ci95"][0]), float(score["ci95"][1]))
                    yield Result(split, corpus, search, metric, float(score["score"]), ends, str(score["signature"]))


def front_matter(run: RunFolder, name: str, found: Sequence[Result], facts: Mapping[str, Any]) -> dict[str, Any]:
    """What model hubs read, except the licence."""
    codes = dict.fromkeys(language_tag(code).split("-")[0] for code in languages(run))
    kind = "text-generation" if run.is_language_model else "translation"
    return {
        **({"language": [code for code in codes if code]} if any(codes) else {}),
        "library_name": DISTRIBUTION,
        "pipeline_tag": kind,
        "tags": ["seq2seq", "lstm", "language-model" if run.is_language_model else "machine-translation"],
        **({} if run.is_language_model else {"metrics": ["bleu", "chrf"]}),
        **_model_index(run, name, found),
        FACTS: dict(facts),
    }


def _model_index(run: RunFolder, name: str, found: Sequence[Result]) -> dict[str, Any]:
    """The scores of the run's own search in the form of model hubs; empty if there are none."""
    own = {(each.split, each.metric): each for each in found if each.metric in ("bleu", "chrf")}  # the last counts
    index = []
    for split in dict.fromkeys(split for split, _ in own):
        chosen = [each for (entry, _), each in own.items() if entry == split]
        metrics = [
            {
                "type": each.metric,
                "name": METRICS[each.metric],
                "value": round(each.score, 2),
                "args": {"signature": each.signature},
            }
            for each in chosen
        ]
        dataset = {"type": "custom", "name": shown(chosen[0].corpus), "split": split}
        task = {"type": "translation", "name": "-".join(filter(None, languages(run))) or "translation"}
        index.append({"task": task, "dataset": dataset, "metrics": metrics})
    return {"model-index": [{"name": shown(name), "results": index}]} if index else {}


def without_folders(text: str) -> str:
    """A description with file names in place of paths: folders may be private."""
    parts = re.split(r"( and | \+ )", str(text))
    return "".join(part if NAME_OF_DATA_SET.fullmatch(part) else PureWindowsPath(part).name or part for part in parts)

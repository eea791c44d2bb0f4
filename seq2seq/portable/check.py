"""check.json: translations recorded at export, with which a device finds out whether it computes the same.

It is ``{"sentences": [{"source": text, "source_tokens": ids, "greedy": RESULT, "beam": RESULT}, …]}``, shortest sources
first. A RESULT is ``{"beam_size": K, "text": text, "tokens": ids, "log_probability": nats, "score": …}``; its ids end
with EOS if the translation is finished, and the other search settings are those of config.json.
"""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import CHECK, read_config, read_json
from seq2seq.portable.hypothesis import Hypothesis
from seq2seq.portable.search import SearchSettings
from seq2seq.portable.segmentation import MAX_SEGMENT

if TYPE_CHECKING:
    from seq2seq.portable.translator import Translator

AT_LOAD = 1
"""Sentences that are checked, by greedy search only, whenever a model is loaded."""

TOLERANCE = {"float32": 1e-3, "int8": 2e-2}
"""Largest difference of log-probabilities per token, in nats; devices round differently."""


def check_translator(translator: "Translator", folder: Path, count: int | None = None) -> int:
    """Translate the sentences of check.json and compare.

    Args:
        translator: of the folder.
        folder: with check.json; without the file, nothing is checked.
        count: check the first sentences only, by greedy search; None: all, by greedy and beam search.

    Returns:
        The number of translations that were compared.

    Raises:
        PortableError: a translation differs, or check.json is damaged.
    """
    if not (folder / CHECK).exists():
        return 0
    translator = copy(translator)
    translator.shortlist = None  # the recorded translations are without one; it changes all scores
    checked, precision = 0, read_config(folder)["precision"]
    try:
        for number, sentence in enumerate(read_json(folder / CHECK)["sentences"][:count], 1):
            for method in ("greedy",) if count else ("greedy", "beam"):
                beam_size = 1 if method == "greedy" else sentence[method]["beam_size"]
                settings = replace(translator.search, beam_size=beam_size, n_best=1)
                fault = _fault(translator, sentence, sentence[method], settings, TOLERANCE[precision])
                if fault:
                    raise PortableError(
                        f"{translator!r} gives other results than the exporting device ({CHECK}, sentence {number}, "
                        f"{method}: {fault}): try another engine or another version of its library; check=False skips "
                        f"this check"
                    )
                checked += 1
    except (KeyError, TypeError, ValueError, IndexError, AttributeError):
        raise PortableError(f"{folder / CHECK} is damaged: copy or export it again") from None
    return checked


def _fault(
    translator: "Translator",
    sentence: dict[str, Any],
    expected: dict[str, Any],
    settings: SearchSettings,
    tolerance: float,
) -> str:
    """How a translation differs from the expected one; empty if it does not.

    Where two translations are equally good but for rounding, a device may choose the other one.
    """
    source, tokens = sentence["source"], expected["tokens"]
    if len(source) > MAX_SEGMENT or translator.text.encode(source) != sentence["source_tokens"]:
        return "its tokens differ"
    if len(tokens) > settings.limit(len(sentence["source_tokens"]) + 1):
        return "its translation is longer than the search allows"
    found, *_ = translator.hypotheses(source, settings)
    if ids_of(found, translator.eos) == tokens:
        computed = found.log_probability
    else:
        settings_change_scores = settings.repetition_penalty != 1
        if settings_change_scores or not found.score >= expected["score"] - tolerance:
            return f"{found.score:.4f} instead of {expected['score']:.4f}"
        computed = translator.log_probability(source, tokens)
    difference = abs(computed - expected["log_probability"]) / max(1, len(tokens))
    return "" if difference <= tolerance else f"differs by {difference:.4f} nats per token"  # such as by NaN


def ids_of(hypothesis: Hypothesis, eos: int) -> list[int]:
    """The tokens of a hypothesis, with EOS if it is finished."""
    return [*hypothesis.tokens, *([eos] if hypothesis.finished else [])]

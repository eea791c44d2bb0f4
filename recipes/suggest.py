"""Suggest the next words of a prefix: by a language model, or of a translation by a translator.

python recipes/train.py model=language_model run=runs/lm
python recipes/suggest.py run=runs/lm prefix='Wo ist mei'
python recipes/suggest.py run=runs/lm count=3 < prefixes.txt
python recipes/suggest.py run=runs/lm json=true < prefixes.txt > words.jsonl
python recipes/suggest.py run=runs/demo source='Where is my key?' prefix='Wo ist mei'
"""

import json
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.corpora.lines import decoded_lines, read_lines
from seq2seq.translation.config import SuggestConfig

if TYPE_CHECKING:
    from seq2seq.search import NextWord


def as_json(prefix: str, words: "list[NextWord]") -> str:
    """Return one line of JSON; the end of the sentence is an empty word."""
    return json.dumps({"prefix": prefix, "words": [each._asdict() for each in words]}, ensure_ascii=False)


def as_text(words: "list[NextWord]") -> str:
    """Return the words, most probable first, each with its probability, separated by tabs."""
    from seq2seq.translation.scoring import END

    return "\t".join(f"{each.word or END} {each.probability:.1%}" for each in words)


def prefixes(config: SuggestConfig) -> Iterable[str]:
    """Return the prefix of the command line, or one per line of the input."""
    if config.prefix is not None:
        return [config.prefix]
    if config.input == "-":
        return decoded_lines(sys.stdin.buffer, "standard input")
    return read_lines(Path(config.input).expanduser())


def load_suggest(config: SuggestConfig) -> "Callable[[str, int], list[NextWord]]":
    """Load a language model, or a translator for ``source``; return its function of a prefix and a count."""
    from seq2seq.translation.language_model import LanguageModel
    from seq2seq.translation.translator import Translator

    if config.source is None:
        return LanguageModel.load(config.run, config.device).suggest
    return partial(Translator.load(config.run, config.device).suggest, config.source)


@recipe
def main(config: SuggestConfig) -> None:
    """Write suggestions for each prefix: new words if it ends in white space, else completions of its last word."""
    suggest = load_suggest(config)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    for prefix in prefixes(config):
        words = suggest(prefix, config.count)
        print(as_json(prefix, words) if config.json else as_text(words), flush=True)


if __name__ == "__main__":
    main()

"""Suggest the next words of a prefix: with a language model, or of a translation with a translator.

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

from seq2seq.config.hydra import recipe
from seq2seq.corpora.lines import decoded_lines, read_lines
from seq2seq.search import NextWord
from seq2seq.translation.config import SuggestConfig
from seq2seq.translation.language_model import LanguageModel
from seq2seq.translation.translator import Translator

END = "</s>"
"""How the end of the sentence is shown."""


def as_json(prefix: str, words: list[NextWord]) -> str:
    """One line of JSON; the end of the sentence is an empty word."""
    return json.dumps({"prefix": prefix, "words": [one._asdict() for one in words]}, ensure_ascii=False)


def as_text(words: list[NextWord]) -> str:
    """The words, likeliest first, each with its share, tabs between them."""
    return "\t".join(f"{one.word or END} {one.probability:.1%}" for one in words)


def prefixes(config: SuggestConfig) -> Iterable[str]:
    """The one of the command line, or a line each."""
    if config.prefix is not None:
        return [config.prefix]
    if config.input == "-":
        return decoded_lines(sys.stdin.buffer, "standard input")
    return read_lines(Path(config.input).expanduser())


def suggester(config: SuggestConfig) -> Callable[[str, int], list[NextWord]]:
    """What answers a prefix: a language model, or a translator that has the source before it."""
    if config.source is None:
        return LanguageModel.load(config.run, config.device).suggest
    return partial(Translator.load(config.run, config.device).suggest, config.source)


@recipe
def main(config: SuggestConfig) -> None:
    """Answer each prefix as it comes: white space at its end asks for a new word, else its last is gone on with."""
    suggest = suggester(config)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    for prefix in prefixes(config):
        words = suggest(prefix, config.count)
        print(as_json(prefix, words) if config.json else as_text(words), flush=True)


if __name__ == "__main__":
    main()

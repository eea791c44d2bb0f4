"""Translate text, a line in, a line out.

python recipes/translate.py run=runs/demo < in.txt > out.txt
python recipes/translate.py run=runs/demo input=in.txt.gz output=out.txt
python recipes/translate.py run=runs/a ensemble=[runs/b,runs/c] < in.txt > out.txt
python recipes/translate.py run=runs/demo json=true n_best=5 < in.txt > out.jsonl
"""

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from seq2seq.atomic import atomic_write
from seq2seq.bar import with_bar
from seq2seq.config import recipe
from seq2seq.processes import is_first
from seq2seq.recipe_config import TranslateConfig
from seq2seq.sharing import translate_together
from seq2seq.text.lines import read_input
from seq2seq.text.mix import tagged
from seq2seq.translate import Translator
from seq2seq.translation import Translation


def as_json(translation: Translation) -> str:
    """One line of JSON: source, translation, score and, where several were asked for, all of them."""
    values = {"source": translation.source, "translation": translation.text, "score": translation.score}
    if translation.n_best:
        values["n_best"] = [{"translation": other.text, "score": other.score} for other in translation.n_best]
    return json.dumps(values, ensure_ascii=False)


@contextlib.contextmanager
def opened(output: str) -> Iterator[TextIO]:
    """Standard output, or a file that takes its name only when it is complete."""
    if output == "-":
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        yield sys.stdout
        return
    path = Path(output).expanduser()
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        yield file


@recipe
def main(config: TranslateConfig) -> None:
    """Stream lines through the model; progress goes to stderr alone."""
    translator = Translator.load(
        [config.run, *config.ensemble],
        config.device,
        config.precision,
        config.shortlist,
        language_model=config.language_model,
        language_model_weight=config.language_model_weight,
    )
    lines, count = read_input(config.input)
    lines = (tagged(line, config.tag) for line in lines)
    translations = translate_together(translator, lines, beam_size=config.beam_size, n_best=config.n_best)
    with opened(config.output if is_first() else "-") as output:  # of several processes one has them to write
        shown = sys.stderr.isatty() and not output.isatty()  # for a reader who does not see the lines come
        for translation in with_bar(translations, count, "translating", shown=shown):
            print(as_json(translation) if config.json else translation, file=output, flush=output is sys.stdout)


if __name__ == "__main__":
    main()

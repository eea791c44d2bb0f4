"""Translate text, a line in, a line out.

python recipes/translate.py run=runs/demo < in.txt > out.txt
python recipes/translate.py run=runs/demo input=in.txt.gz output=out.txt
python recipes/translate.py run=runs/a ensemble=[runs/b,runs/c] < in.txt > out.txt
python recipes/translate.py run=runs/demo json=true n_best=5 < in.txt > out.jsonl
python recipes/translate.py run=runs/demo search=sampling search.top_p=0.9 n_best=5 json=true < in.txt > out.jsonl
python recipes/translate.py run=runs/demo search=minimum_bayes_risk search.samples=64 < in.txt > out.txt
python recipes/translate.py run=runs/demo glossary=terms.tsv prefixes=begun.txt input=in.txt > out.txt
python recipes/translate.py run=runs/demo stream=true beam_size=1 < in.txt
"""

import json
import math
import sys
from collections.abc import Iterator
from typing import TextIO

from seq2seq.config.hydra import recipe
from seq2seq.corpora.lines import read_input
from seq2seq.errors import ConfigError
from seq2seq.system.processes import is_first, is_single_process
from seq2seq.translation.config import TranslateConfig
from seq2seq.translation.distributed import translate_together
from seq2seq.translation.io import load_translator, opened, requests
from seq2seq.translation.progress import with_bar
from seq2seq.translation.types import Translation


def as_json(translation: Translation) -> str:
    """One line of JSON: source, translation, scores and, where several were asked for, all of them."""
    values = {"source": translation.source, **judged(translation)}
    if translation.n_best:
        values["n_best"] = [judged(other) for other in translation.n_best]
    return json.dumps(values, ensure_ascii=False)


def judged(translation: Translation) -> dict[str, object]:
    """A translation: its score, its utility for minimum Bayes risk, and whether it was cut at the maximum length."""
    utility = {} if translation.utility is None else {"utility": translation.utility}
    cut = {} if translation.finished else {"finished": False}
    return {"translation": translation.text, "score": translation.score, **utility, **cut}


def show_growing(translations: Iterator[Translation], output: TextIO) -> None:
    """Write a translation as it grows; its last letter waits, for an accent may join it."""
    written = 0
    for grown in translations:
        ready = grown.text[:-1] if math.isnan(grown.score) else grown.text
        print(ready[written:], end="", file=output, flush=True)
        written = max(written, len(ready))
    print(file=output, flush=True)


@recipe
def main(config: TranslateConfig) -> None:
    """Stream lines through the model; progress goes to stderr alone."""
    config.check()
    translator = load_translator(config)
    search = config.searching(translator.search)
    lines, count = read_input(config.input)
    asked = requests(config, lines)
    with opened(config.output if is_first() else "-") as output:  # of several processes one has them to write
        if config.stream:
            if not is_single_process():
                raise ConfigError("stream=true is for one process: start it with python, not with torchrun")
            for one in asked:
                show_growing(translator.stream(one.text, search=search, prefix=one.prefix), output)
            return
        translations = translate_together(translator, asked, search=search, copy=config.copy)
        shown = sys.stderr.isatty() and not output.isatty()  # for a reader who does not see the lines come
        for translation in with_bar(translations, count, "translating", shown=shown):
            print(as_json(translation) if config.json else translation, file=output, flush=output is sys.stdout)


if __name__ == "__main__":
    main()

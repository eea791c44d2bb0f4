"""Translate text line by line, or the sentences of a table, an Excel workbook, a PO, XLIFF or TMX file.

python recipes/translate.py run=runs/demo < in.txt > out.txt
python recipes/translate.py run=runs/demo input=in.txt.gz output=out.txt
python recipes/translate.py run=runs/demo input=strings.xlsx output=translated.xlsx source_column=English
python recipes/translate.py run=runs/demo input=app.po output=app.de.po
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
from typing import TYPE_CHECKING, TextIO

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.corpora.lines import MAX_LINE_BYTES, read_input
from seq2seq.errors import ConfigError
from seq2seq.translation.config import OnError, TranslateConfig

if TYPE_CHECKING:
    from seq2seq.corpora.documents.document import Document
    from seq2seq.metrics.suspicious import OutputCounts
    from seq2seq.search import SearchConfig
    from seq2seq.translation.translator import Translator
    from seq2seq.translation.types import Translation


def as_json(translation: "Translation") -> str:
    """Return one line of JSON: source, translation, scores and the n-best translations, if requested."""
    values = {"source": translation.source, **with_scores(translation)}
    if translation.n_best:
        values["n_best"] = [with_scores(other) for other in translation.n_best]
    return json.dumps(values, ensure_ascii=False)


def with_scores(translation: "Translation") -> dict[str, object]:
    """Return text and score, the utility for minimum Bayes risk, and what is wrong with the translation."""
    utility = {} if translation.utility is None else {"utility": translation.utility}
    unfinished = {} if translation.finished else {"finished": False}
    differences = {
        name: values
        for name in ("lost_placeholders", "added_placeholders")
        if (values := list(getattr(translation, name)))
    }
    return {"translation": translation.text, "score": translation.score, **utility, **unfinished, **differences}


def show_stream(translations: "Iterator[Translation]", output: TextIO) -> "Translation":
    """Write a translation while it grows, without its last letter, which an accent may still change; returns it."""
    written = 0
    for partial in translations:
        fixed = partial.text[:-1] if math.isnan(partial.score) else partial.text
        print(fixed[written:], end="", file=output, flush=True)
        written = max(written, len(fixed))
    print(file=output, flush=True)
    return partial


def add_output(counts: "OutputCounts", found: "Translation") -> None:
    """Count a translation."""
    counts.add(found.source, found.text, found.finished, found.lost_placeholders, found.added_placeholders)


def report_problems(counts: "OutputCounts", skipped: list[int]) -> None:
    """Print on stderr how many lines were too long, and what looks wrong in the translations."""
    if skipped:
        first = f"{len(skipped):,} not translated, the first in line {skipped[0]:,}"
        print(f"lines of more than {MAX_LINE_BYTES:,} bytes: {first}: split them into sentences", file=sys.stderr)
    for report in filter(None, (counts.report(), counts.placeholder_report())):
        print(report, file=sys.stderr)


def fill_document(
    config: TranslateConfig, translator: "Translator", search: "SearchConfig", document: "Document"
) -> None:
    """Write a copy of a table, workbook, PO, XLIFF or TMX file with translations."""
    from seq2seq.metrics.suspicious import OutputCounts
    from seq2seq.system.processes import is_first
    from seq2seq.translation.distributed import translate_distributed
    from seq2seq.translation.files import split_lines, translate_file
    from seq2seq.translation.io import opened_bytes, requests, with_progress

    counts = OutputCounts()
    # Counting reads the whole file, so that an error in it is reported before any work.
    count = sum(len(split_lines(text)[1::2]) for text in document.sources())

    def translate(lines: Iterator[str]) -> Iterator["Translation"]:
        translations = translate_distributed(translator, requests(config, lines), search=search, copy=config.copy)
        for translation in with_progress(translations, count, "translating", shown=sys.stderr.isatty()):
            add_output(counts, translation)
            yield translation

    if is_first():
        with opened_bytes(config.output) as output:
            translate_file(document, translate, output)
        print(document.report, file=sys.stderr)
        report_problems(counts, [])
    else:  # it helps the first process
        for _ in translate(iter(())):
            pass


@recipe
def main(config: TranslateConfig) -> None:
    """Translate a stream of lines, or a document; progress is shown on stderr."""
    config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.metrics.suspicious import OutputCounts
    from seq2seq.system.processes import is_first, is_single_process
    from seq2seq.translation.distributed import translate_distributed
    from seq2seq.translation.files import open_input
    from seq2seq.translation.io import ENCODING, check_constraints, load_translator, opened, requests, with_progress

    translator = load_translator(config)
    search = config.search_config(translator.search)
    check_constraints(translator, config, search)
    languages = translator.members[0].source_language, translator.members[0].target_language
    if (document := open_input(config, *languages)) is not None:
        fill_document(config, translator, search, document)
        return
    if search.n_best > 1 and not config.json:
        one = f"one translation per line, though the run has search.n_best={search.n_best}"
        print(f"{one}: json=true writes all, n_best=1 searches for one", file=sys.stderr)
    skipped: list[int] = []
    skip = skipped if config.errors is OnError.skip else None
    lines, count = read_input(config.input, skip, config.encoding, ENCODING)
    sentences = requests(config, lines)
    with opened(config.output if is_first() else "-") as output:  # only the first process writes
        if config.stream:
            if not is_single_process():
                raise ConfigError("stream=true needs a single process: start it with python, not with torchrun")
            counts = OutputCounts()
            for each in sentences:
                add_output(counts, show_stream(translator.stream(each.text, search=search, prefix=each.prefix), output))
            report_problems(counts, skipped)
            return
        translations = translate_distributed(translator, sentences, search=search, copy=config.copy)
        shown = sys.stderr.isatty() and not output.isatty()  # a terminal shows the translations themselves
        counts = OutputCounts()
        for translation in with_progress(translations, count, "translating", shown=shown):
            print(as_json(translation) if config.json else translation, file=output, flush=output is sys.stdout)
            add_output(counts, translation)
    report_problems(counts, skipped)


if __name__ == "__main__":
    main()

"""Analyse a trained model: every gate and state for one sentence, or statistics over a corpus.

python recipes/microscope.py run=runs/demo text='Where is my key?'
python recipes/microscope.py run=runs/demo text='Where is my key?' target='Wo ist mein Schloss?' output=wrong
python recipes/microscope.py run=runs/demo
python recipes/microscope.py run=runs/demo split=validation corpus.sentences=500 corpus.ablated=100
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.analysis.config import MicroscopeConfig

if TYPE_CHECKING:
    from seq2seq.analysis.study import Study
    from seq2seq.analysis.trace import Trace


def trace_sentence(config: MicroscopeConfig, text: str, is_lm: bool) -> "Trace":
    """Trace the translation of a sentence, or a language model that reads it."""
    from seq2seq.corpora.mixture import add_tag
    from seq2seq.translation.language_model import LanguageModel
    from seq2seq.translation.translator import Translator

    if is_lm:
        return LanguageModel.load(config.run, config.device).trace(text, alternatives=config.alternatives)
    translator = Translator.load([config.run, *config.ensemble], config.device, "float32")
    return translator.trace(
        add_tag(text, config.tag),
        target=config.target,
        beam_size=config.beam_size,
        alternatives=config.alternatives,
        member=config.member,
    )


def study_corpus(config: MicroscopeConfig, is_lm: bool) -> "Study":
    """Analyse the model over the corpus."""
    from seq2seq.analysis.study import study
    from seq2seq.corpora.monolingual import require_split
    from seq2seq.run.files import run_text
    from seq2seq.run.folder import RunFolder
    from seq2seq.system.device import choose_device

    run = RunFolder.open(config.run)
    data = run_text(run, config.data, config.split)
    corpus = require_split(data, config.split, is_lm)
    loaded = run.load()
    member = loaded.member(choose_device(config.device), "float32")
    return study(member, corpus, corpus.name, config.corpus, loaded.search)


@recipe
def main(config: MicroscopeConfig) -> None:
    """Print a summary; write the report, its pictures and its data to the folder ``output``."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.run.folder import RunFolder
    from seq2seq.system.hub import results_folder
    from seq2seq.system.lock import locked_output

    is_lm = RunFolder.open(config.run).is_language_model
    config.check(is_lm)
    output = Path(config.output or f"{results_folder(config.run)}-microscope").expanduser()
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    with locked_output(output / ("corpus" if config.text is None else "sentence")):
        report(config, output, is_lm)


def report(config: MicroscopeConfig, output: Path, is_lm: bool) -> None:
    """Write all files, the page last, and print the summary."""
    from seq2seq.analysis.study_page import study_page, study_pictures, study_text
    from seq2seq.analysis.trace_page import trace_page, trace_pictures, trace_text
    from seq2seq.report.page import write_page
    from seq2seq.system.atomic import atomic_write, remove_outdated

    if config.text is not None:
        trace = trace_sentence(config, config.text, is_lm)
        name, summary, pictures = "sentence", trace_text(trace), trace_pictures(trace)
        page, html = output / "sentence.html", trace_page(trace, pictures)
        remove_outdated(page)
        trace.save(output / "sentence.safetensors")
    else:
        results = study_corpus(config, is_lm)
        name, summary, pictures = "corpus", study_text(results), study_pictures(results)
        page, html = output / "corpus.html", study_page(results, pictures)
        remove_outdated(page)
        with atomic_write(output / "corpus.json") as temporary:
            temporary.write_text(json.dumps(results.as_dict(), ensure_ascii=False) + "\n", encoding="utf-8")
    for picture, png in pictures.items():
        with atomic_write(output / f"{name}.{picture}.png") as temporary:
            temporary.write_bytes(png)
    write_page(page, html)
    print(f"{summary}\n\n{page}")


if __name__ == "__main__":
    main()

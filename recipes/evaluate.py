"""Score a model, or text already translated, with BLEU, chrF and TER; a language model by its perplexity.

python recipes/evaluate.py run=runs/demo
python recipes/evaluate.py run=runs/demo data.test.source=FILE data.test.target=FILE
python recipes/evaluate.py run=runs/a ensemble=[runs/b,runs/c]
python recipes/evaluate.py run=runs/lm data.test.target=FILE
python recipes/evaluate.py hypotheses=FILE data.test.source=FILE data.test.target=FILE
"""

import json
import sys
from pathlib import Path

try:
    from seq2seq.config.hydra import names_setting, recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq import __version__
from seq2seq.config.recipes import EvaluateConfig
from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.lines import read_lines
from seq2seq.corpora.mixture import without_tags
from seq2seq.errors import ConfigError, counted
from seq2seq.tokenizer.normalization import Normalization, normalize


@recipe
def main(config: EvaluateConfig) -> None:
    """Print a table; JSON and hypotheses go to the run folder."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.corpora.monolingual import require_split
    from seq2seq.corpora.reading import language_of_text, names_corpus
    from seq2seq.evaluation.evaluate import evaluate, evaluate_language_model, score_table
    from seq2seq.run.files import run_data, run_text
    from seq2seq.run.folder import RunFolder
    from seq2seq.system.hub import results_folder
    from seq2seq.translation.io import load_translator
    from seq2seq.translation.language_model import LanguageModel

    data, language = config.data, config.data.target_language
    run = None if config.run is None else RunFolder.open(config.run)
    if run is not None:
        named = names_setting("data.target_language")
        language = data.target_language if named else language_of_text(data, run_data(run))
        data = run_text(run, data, config.split)
    elif not names_corpus(data, config.split):
        raise ConfigError("nothing to evaluate: name a model with run=PATH, or a file with hypotheses=FILE and data")
    language_model = run is not None and run.is_language_model
    config.check(language_model)
    corpus = require_split(data, config.split, language_model)
    pairs = list(corpus)
    if config.hypotheses is not None:
        tags = (data.source_tag or "").split()
        pairs = [Pair(without_tags(source, tags), target) for source, target in pairs]
        score_file(config, pairs, corpus.name, language, Normalization.nfc if run is None else run.normalization)
        return
    if config.run is None or run is None:
        raise ConfigError("name a model with run=PATH, or text already translated with hypotheses=FILE")
    folder = results_folder(run.path)
    if language_model:
        model, texts = LanguageModel.load(run.path, config.device), [pair.target for pair in pairs]
        perplexity = evaluate_language_model(model, texts, folder=folder, name=str(config.split), corpus=corpus.name)
        sentences = counted(perplexity.sentences, "sentence")
        print(f"{corpus.name}, {sentences}\n{perplexity.table()}\n{folder / 'scores.json'}")
        return
    translator = load_translator(config)
    translator.require_tag(data.source_tag)
    # Ensembles and shallow fusion have separate entries in scores.json.
    parts = [config.split, *(["ensemble"] if config.ensemble else []), *(["fusion"] if config.language_model else [])]
    scores = evaluate(
        translator,
        pairs,
        config.search_config(translator.search),
        folder=folder,
        name=".".join(parts),
        corpus=corpus.name,
        target_language=language,
        lowercase=config.lowercase,
        bootstrap=config.bootstrap,
    )
    print(f"{corpus.name}, {counted(len(pairs), 'sentence')}\n{score_table(scores)}\n{folder / 'scores.json'}")


def score_file(config: EvaluateConfig, pairs: list[Pair], corpus: str, language: str, form: Normalization) -> None:
    """Score the lines of ``hypotheses=FILE`` against the targets of a corpus, and print the scores as JSON too."""
    from seq2seq.evaluation.evaluate import report_copied_source
    from seq2seq.metrics.copied_source import copied_source_score
    from seq2seq.metrics.score import score
    from seq2seq.metrics.suspicious import report_lines
    from seq2seq.run.provenance import text_hash

    lines = list(read_lines(Path(config.hypotheses or "").expanduser()))
    given = [pair.target for pair in pairs]
    hashes = {"references": text_hash(given), "hypotheses": text_hash(lines), "normalization": str(form)}
    lines, references = ([normalize(line, form) for line in text] for text in (lines, given))
    result = score(lines, references, language=language, lowercase=config.lowercase, bootstrap=config.bootstrap)
    print(f"{config.hypotheses} against {corpus}\n{result.table()}")
    sources = [normalize(pair.source, form) for pair in pairs]
    copied = copied_source_score(sources, references, language=language, lowercase=config.lowercase)
    report_copied_source(copied, result)
    for report in report_lines([pair.source for pair in pairs], lines, references):
        print(report, file=sys.stderr)
    print(json.dumps({"version": __version__, **hashes, **result.as_dict(), "copied_source": copied.as_dict()}))


if __name__ == "__main__":
    main()

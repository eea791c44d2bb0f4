"""Compare systems on one test set: scores with intervals, significance, wins by length and rare words, sentences.

python recipes/compare.py systems=[runs/a,runs/b]
python recipes/compare.py systems=[a.de,b.de] data.test.source=test.en data.test.target=test.de
python recipes/compare.py 'systems=[runs/base-seed*,runs/new-seed*]' output=[report.html]
python recipes/compare.py systems=[runs/a,runs/b] comet=Unbabel/wmt22-comet-da
"""

import sys
from pathlib import Path
from typing import Any

try:
    from seq2seq.config.hydra import names_setting, recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.comparison.config import CompareConfig


@recipe
def main(config: CompareConfig) -> None:
    """Print tables, then sentences; the same goes to the files of output."""
    config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.comparison.comet import Comet, CometMetric
    from seq2seq.comparison.comparison import compare
    from seq2seq.comparison.corpora import first_run, frequencies, normalization, read_test_set, target_language
    from seq2seq.comparison.pages import as_text
    from seq2seq.comparison.report import sections, write
    from seq2seq.comparison.systems import ComparisonKey, read_systems, with_normal_lines
    from seq2seq.corpora.corpus import Pair
    from seq2seq.metrics.score import fresh_metrics, score, warn_of_misfit, why_no_ter
    from seq2seq.metrics.suspicious import report_lines
    from seq2seq.run.provenance import comparable, text_hash
    from seq2seq.system.device import choose_device
    from seq2seq.tokenizer.normalization import normalize

    run = first_run(config.systems)
    corpus = read_test_set(config, run)
    given, form = list(corpus), normalization(run)
    pairs = [Pair(pair.source, normalize(pair.target, form)) for pair in given]
    references = [pair.target for pair in pairs]
    language = target_language(config, run, names_setting("data.target_language"))
    warn_of_misfit(language, references)
    signatures = score(["text"], ["text"], language=language, lowercase=config.lowercase, bootstrap=0)
    common = ComparisonKey(
        text_hash(pair.target for pair in given),
        len(pairs),
        {name: comparable(metric.signature) for name in fresh_metrics() if (metric := getattr(signatures, name))},
        config.entry or str(config.split),
        str(config.translations),
    )
    systems = with_normal_lines(read_systems(config.systems, common), form)
    outputs = [output for system in systems for output in system.outputs]
    for output in outputs:
        for report in report_lines([pair.source for pair in pairs], output.lines, references):
            print(f"{output.name}: {report}", file=sys.stderr)
    if no_ter := why_no_ter(language, references, *(output.lines for output in outputs)):
        print(f"TER {no_ter}", file=sys.stderr)
    comet = None
    if config.comet is not None:
        on_gpu = choose_device(config.device).type == "cuda"
        comet = Comet(config.comet, [pair.source for pair in pairs], references, on_gpu)

    def metrics() -> dict[str, Any]:
        metrics = fresh_metrics(config.lowercase, language, ter=not no_ter)
        return metrics if comet is None else {**metrics, "comet": CometMetric(comet)}

    word_counts = frequencies(config, run, references, language)
    found = compare(systems, (corpus.name, common.references), pairs, metrics, word_counts, config, language)
    tables = sections(found)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    print(as_text(tables))
    for path in config.output:
        write(found, tables, Path(path).expanduser())


if __name__ == "__main__":
    main()

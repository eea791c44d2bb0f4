"""Check a parallel corpus: drift, odd characters, wrong languages, duplicates, overlap, length outliers.

python recipes/doctor.py data.train.source=train.en data.train.target=train.de
python recipes/doctor.py data.train.source=train.en data.train.target=train.de fix=true
python recipes/doctor.py data.train.file=train.tsv data.validation.file=val.tsv data.test.file=test.tsv examples=10
python recipes/doctor.py data.train.source=train.en data.train.target=train.de json=true > report.json
"""

import json
import sys

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.ignored_settings import refuse_ignored_data
from seq2seq.config.recipes import DoctorConfig
from seq2seq.corpora.config import DataConfig


def settings_of_original(data: DataConfig, both_sides: bool, titled: bool) -> list[str]:
    """Settings that do not fit the cleaned copy: it is UTF-8, and a file with both sides has two columns with tabs.

    Args:
        data: the settings.
        both_sides: whether the copy is one file.
        titled: whether its first row has the titles of the columns, so that settings may name them.
    """
    columns = {name: getattr(data, name) for name in ("source_column", "target_column")}
    unfit = [name for name, column in columns.items() if column is not None and (column.isdecimal() or not titled)]
    format = ["format"] if data.format is not None else []
    encoding = ["encoding"] if data.encoding is not None else []
    return [f"data.{name}" for name in [*encoding, *(both_sides * (format + unfit))]]


@recipe
def main(config: DoctorConfig) -> None:
    """Print a table and examples; with fix=true, write cleaned copies next to the training files."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.corpora.held_out import sets_of_file
    from seq2seq.corpora.reading import named_corpora
    from seq2seq.doctor.cleaning import check_complete, check_fix, clean
    from seq2seq.doctor.diagnosis import HELD_OUT, diagnose
    from seq2seq.doctor.report import as_dict, cleaning_summary, details, read_examples, summary

    refuse_ignored_data(config)
    corpora = named_corpora(config.data)
    training = {name: corpus for name, corpus in corpora.items() if name not in HELD_OUT}
    if config.fix:
        check_fix(training, config.keep)
    codes = {"source": config.data.source_language, "target": config.data.target_language}
    parts = sets_of_file(config.data)
    diagnoses = diagnose(corpora, max_length=config.max_length, max_ratio=config.max_ratio, codes=codes, parts=parts)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    if not config.json:
        print(summary(diagnoses), flush=True)
    cleaned = [diagnosis for diagnosis in diagnoses if config.fix and diagnosis.name in training]
    check_complete(cleaned)
    results = {diagnosis.name: clean(diagnosis, config.keep) for diagnosis in cleaned}
    pairs = read_examples(diagnoses, config.examples)
    if config.json:
        print(json.dumps(as_dict(diagnoses, results, pairs, config.examples)))
        return
    for diagnosis in cleaned:
        result, titled = results[diagnosis.name], diagnosis.corpus.titles is not None
        print(cleaning_summary(result))
        if unfit := " and ".join(settings_of_original(config.data, len(result.paths) == 1, titled)):
            print(f"  to read it, leave {unfit} out")
    for diagnosis in diagnoses:
        print(details(diagnosis, pairs, config.examples), end="\n" if diagnosis.findings else "")


if __name__ == "__main__":
    main()

"""Look a parallel corpus over: lines that drift, odd characters, wrong languages, duplicates, overlap, outliers.

python recipes/doctor.py data.train.source=train.en data.train.target=train.de
python recipes/doctor.py data.train.source=train.en data.train.target=train.de fix=true
python recipes/doctor.py data.train.file=train.tsv data.validation.file=val.tsv data.test.file=test.tsv examples=10
python recipes/doctor.py data.train.source=train.en data.train.target=train.de json=true > report.json
"""

import json
import sys

from seq2seq.config.hydra import recipe
from seq2seq.config.recipes import DoctorConfig
from seq2seq.corpora.reading import named_corpora
from seq2seq.doctor.cleaning import check_fix, clean
from seq2seq.doctor.examination import HELD_OUT, examine
from seq2seq.doctor.report import as_dict, details, fetch, summary, told


@recipe
def main(config: DoctorConfig) -> None:
    """Print a table, then examples; with fix=true write cleaned copies beside the training files."""
    corpora = named_corpora(config.data)
    training = {name: corpus for name, corpus in corpora.items() if name not in HELD_OUT}
    if config.fix:
        check_fix(training, config.keep)
    codes = {"source": config.data.source_language, "target": config.data.target_language}
    examinations = examine(corpora, max_length=config.max_length, max_ratio=config.max_ratio, codes=codes)
    sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
    if not config.json:
        print(summary(examinations), flush=True)
    cleaned = {one.name: clean(one, config.keep) for one in examinations if config.fix and one.name in training}
    texts = fetch(examinations, config.examples)
    if config.json:
        print(json.dumps(as_dict(examinations, cleaned, texts, config.examples)))
        return
    for one in cleaned.values():
        print(told(one))
    for examination in examinations:
        print(details(examination, texts, config.examples), end="\n" if examination.found else "")


if __name__ == "__main__":
    main()

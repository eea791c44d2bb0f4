"""Knowledge distillation: translate a training set with a teacher or an ensemble, to train a smaller student on.

python recipes/distill.py run=runs/teacher
python recipes/distill.py run=runs/first ensemble=[runs/second,runs/third] output=distilled
python recipes/distill.py run=runs/teacher beam_size=10 closest=true
python recipes/distill.py run=runs/teacher data.train.source=train.en data.train.target=train.de
"""

from dataclasses import replace
from pathlib import Path

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import DistillConfig
from seq2seq.corpora.config import MoreConfig, Split
from seq2seq.report.help import assignment, command, overrides


@recipe
def main(config: DistillConfig) -> None:
    """Write source.txt and target.txt into a new folder and print the next command."""
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.corpora.monolingual import require_split
    from seq2seq.corpora.reading import names_corpus
    from seq2seq.run.files import run_data, run_text
    from seq2seq.run.folder import RunFolder
    from seq2seq.system.hub import results_folder
    from seq2seq.translation.io import with_progress
    from seq2seq.translation.synthetic_text import SOURCE, TARGET, distill, write_pairs
    from seq2seq.translation.translator import Translator

    run = results_folder(config.run)
    output = Path(config.output or f"{run}-distilled").expanduser()
    folder = RunFolder.open(config.run)
    own, data = run_data(folder), run_text(folder, config.data, config.split)
    corpus = require_split(replace(data, source_tag=None), config.split)  # only the teacher reads the tag
    teacher = Translator.load([config.run, *config.ensemble], config.device, config.precision)
    teacher.require_tag(data.source_tag)
    pairs = distill(
        teacher,
        corpus,
        search=config.search_config(teacher.search),
        n_best=config.n_best,
        closest=config.closest,
        tag=data.source_tag,
    )
    shown = with_progress(pairs, sum(1 for _ in corpus), "translating")
    print(f"{corpus.name}: {write_pairs(shown, output, teacher.normalization)} in {output}")
    synthetic = MoreConfig(source=str(output / SOURCE), target=str(output / TARGET), source_tag=data.source_tag)
    # The student validates on the run's sets if the command names only a set to translate.
    base = data if names_corpus(data, Split.validation) else own
    student = replace(base, weight=0.0, more=[*data.more, synthetic], source_tag=data.source_tag)
    print(f"next: {command('train')} {' '.join(overrides(student, 'data'))} {assignment('run', f'{run}-student')}")


if __name__ == "__main__":
    main()

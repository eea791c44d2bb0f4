"""Train a translator or a language model, score it on the test set and show examples.

python recipes/train.py run=runs/demo
python recipes/train.py experiment=multi30k_attention run=runs/multi30k
python recipes/train.py experiment=auto data.file=pairs.csv run=runs/mine
python recipes/train.py model=language_model data.train.target=mono.de data.validation.target=val.de run=runs/lm
"""

import logging
from collections.abc import Iterable

try:
    from seq2seq.config.hydra import arguments_without_debug, recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.config.recipes import TrainConfig
from seq2seq.report.help import assignment, command, example_text, quoted

log = logging.getLogger("seq2seq")


@recipe
def main(config: TrainConfig) -> float:
    """Train in the run folder, or resume there; sweeps maximize the returned score of the best validation."""
    config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.api import train
    from seq2seq.corpora.corpus import Pair
    from seq2seq.evaluation.evaluate import evaluate_on_test
    from seq2seq.portable.normalization import is_blank
    from seq2seq.training.run_log import run_log

    run = train(config)
    with run_log(run.folder, continues=True):  # keeps what is reported here too
        test = run.corpus("test")
        if test is not None:
            log.info("\n%s", evaluate_on_test(run.folder, test, config.training.device))
        folder = assignment("run", run.folder)
        sentences: Iterable[Pair] = test or run.corpus("validation") or []
        if run.is_language_model:
            prefix = " ".join(example_text(pair.target for pair in sentences if not is_blank(pair.target)).split()[:2])
            following = f"{command('suggest')} {folder} {assignment('prefix', prefix)}"
        else:
            example = quoted(example_text(pair.source for pair in sentences if not is_blank(pair.source)))
            following = f"echo {example} | {command('translate')} {folder}"
        whole = arguments_without_debug()
        if whole is not None:
            following = " ".join([command("train"), *map(quoted, whole), assignment("run", f"{run.folder}-whole")])
        log.info("run folder: %s\nnext:       %s", run.folder, following)
    return run.best_score


if __name__ == "__main__":
    main()

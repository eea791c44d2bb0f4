"""Settings of training itself."""

from dataclasses import dataclass

from seq2seq.settings import Settings, setting
from seq2seq.system.device import Precision
from seq2seq.training.progress import Average, Criterion


@dataclass(kw_only=True)
class TrainingConfig(Settings):
    """How long and how carefully."""

    updates: int = setting(3000, "updates of the weights", at_least=1)
    accumulate: int = setting(1, "batches whose gradients are summed into one update", at_least=1)
    clip: float | None = setting(1.0, "largest norm of the gradient; null: not clipped", above=0)
    validate_every: int = setting(500, "updates between validations; each also saves the run", at_least=1)
    criterion: Criterion = setting(
        Criterion.bleu, "what makes a model better on the validation set: loss, bleu or chrf; the loss decides ties"
    )
    patience: int | None = setting(None, "stop after so many validations without a better one; null: never", at_least=1)
    average: Average = setting(Average.best, "average the weights at the best or last validations, or none")
    average_count: int = setting(4, "how many validations are averaged", at_least=1)
    ema: float | None = setting(
        None, "decay of a moving average of the weights, which is validated and saved; null: none", above=0, below=1
    )
    start: str | None = setting(None, "a run folder whose tokenizers and weights this run begins with; null: anew")
    save_minutes: float | None = setting(
        5.0,
        "minutes until the run is saved again, with the next record in metrics.jsonl; null: at validations alone",
        at_least=0,
    )
    log_every: int = setting(50, "updates between records in metrics.jsonl", at_least=1)
    precision: Precision = setting(
        Precision.auto, "matrix products in auto, float32, tf32 (of GPUs), bfloat16 or float16 (scaled loss)"
    )
    device: str = setting("auto", "auto, cpu or cuda")
    threads: int | None = setting(
        None, "threads on a CPU; null: OMP_NUM_THREADS, or one for each core; resume with the same", at_least=1
    )
    smaller: str | None = setting(
        None, "experiment=NAME of a smaller model, named where training would take over 15 minutes; null: none"
    )

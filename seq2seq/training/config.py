"""Settings of the training loop."""

from dataclasses import dataclass

from seq2seq.settings import Settings, setting
from seq2seq.system.device import Precision
from seq2seq.training.progress import Average, Criterion


@dataclass(kw_only=True)
class TrainingConfig(Settings):
    """Settings of the training loop."""

    updates: int = setting(3000, "number of weight updates", at_least=1)
    accumulate: int = setting(1, "batches per update (gradient accumulation)", at_least=1)
    clip: float | None = setting(1.0, "maximum gradient norm; null: no clipping", above=0)
    validate_every: int = setting(500, "updates between validations; each validation also saves the run", at_least=1)
    criterion: Criterion = setting(
        Criterion.bleu, "selects the best model on the validation set: loss, bleu or chrf; the loss breaks ties"
    )
    patience: int | None = setting(
        None, "stop after this number of validations without improvement; null: never", at_least=1
    )
    average: Average = setting(Average.best, "average the weights of the best or last validations, or none")
    average_count: int = setting(4, "number of validations whose weights are averaged", at_least=1)
    ema: float | None = setting(
        None,
        "decay of an exponential moving average of the weights, which is validated and saved; null: none",
        above=0,
        below=1,
    )
    start: str | None = setting(
        None, "run folder whose tokenizers and weights this run starts from; null: from scratch"
    )
    save_minutes: float | None = setting(
        5.0,
        "minutes between saves, at the next record in metrics.jsonl; null: only at validations",
        at_least=0,
    )
    log_every: int = setting(50, "updates between records in metrics.jsonl", at_least=1)
    samples: int = setting(3, "sample translations shown at each validation; 0: none", at_least=0, at_most=100)
    precision: Precision = setting(
        Precision.auto, "precision of matrix products: auto, float32, tf32 (GPUs), bfloat16 or float16 (scaled loss)"
    )
    device: str = setting("auto", "auto, cpu or cuda")
    threads: int | None = setting(
        None, "CPU threads; null: OMP_NUM_THREADS, or one per core; resume with the same number", at_least=1
    )
    smaller: str | None = setting(
        None, "experiment=NAME of a smaller model, suggested if training takes over 15 minutes; null: none"
    )

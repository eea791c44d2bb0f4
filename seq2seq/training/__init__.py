"""Training: loss, optimizer, schedule, update step, trainer, checkpoints, log. Validation is passed as a function."""

from typing import TYPE_CHECKING

from seq2seq.system.lazy import lazy

if TYPE_CHECKING:
    from seq2seq.training.config import Average, LossConfig, RiskConfig, ScheduledSamplingConfig, TrainingConfig
    from seq2seq.training.objective import build_objective
    from seq2seq.training.optimizer import SGD, Adadelta, Adagrad, Adam, AdamW, Muon, OptimizerConfig
    from seq2seq.training.progress import Progress, Validation
    from seq2seq.training.schedule import (
        Constant,
        Cosine,
        Exponential,
        Halving,
        InverseSquareRoot,
        Plateau,
        ScheduleConfig,
    )
    from seq2seq.training.trainer import Trainer
else:
    __getattr__ = lazy(
        __name__,
        {
            "config": "Average LossConfig RiskConfig ScheduledSamplingConfig TrainingConfig",
            "objective": "build_objective",
            "optimizer": "Adadelta Adagrad Adam AdamW Muon OptimizerConfig SGD",
            "progress": "Progress Validation",
            "schedule": "Constant Cosine Exponential Halving InverseSquareRoot Plateau ScheduleConfig",
            "trainer": "Trainer",
        },
    )

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Average",
    "Constant",
    "Cosine",
    "Exponential",
    "Halving",
    "InverseSquareRoot",
    "LossConfig",
    "Muon",
    "OptimizerConfig",
    "Plateau",
    "Progress",
    "RiskConfig",
    "ScheduleConfig",
    "ScheduledSamplingConfig",
    "Trainer",
    "TrainingConfig",
    "Validation",
    "build_objective",
]

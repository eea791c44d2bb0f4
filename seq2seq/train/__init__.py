"""Learning: loss, optimiser, schedule, progress, trainer, log. It never imports search: validation is passed in."""

from seq2seq.train.config import Average, TrainingConfig
from seq2seq.train.loss import LossConfig
from seq2seq.train.optimizer import SGD, Adam, AdamW, OptimizerConfig
from seq2seq.train.progress import Progress, Validation
from seq2seq.train.schedule import Constant, Cosine, Halving, InverseSquareRoot, Plateau, ScheduleConfig
from seq2seq.train.trainer import Trainer

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Average",
    "Constant",
    "Cosine",
    "Halving",
    "InverseSquareRoot",
    "LossConfig",
    "OptimizerConfig",
    "Plateau",
    "Progress",
    "ScheduleConfig",
    "Trainer",
    "TrainingConfig",
    "Validation",
]

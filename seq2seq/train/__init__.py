"""Learning: loss, optimiser, schedule, progress, trainer, log. It never imports search: validation is passed in."""

from seq2seq.train.config import TrainingConfig
from seq2seq.train.loss import LossConfig
from seq2seq.train.objective import build_objective
from seq2seq.train.optimizer import SGD, Adadelta, Adagrad, Adam, AdamW, Muon, OptimizerConfig
from seq2seq.train.progress import Average, Progress, Validation
from seq2seq.train.risk import RiskConfig
from seq2seq.train.schedule import Constant, Cosine, Exponential, Halving, InverseSquareRoot, Plateau, ScheduleConfig
from seq2seq.train.scheduled_sampling import ScheduledSamplingConfig
from seq2seq.train.trainer import Trainer

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

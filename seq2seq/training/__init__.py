"""Training: loss, optimizer, schedule, update step, trainer, checkpoints, log. Validation is passed as a function."""

from seq2seq.training.config import TrainingConfig
from seq2seq.training.loss import LossConfig
from seq2seq.training.objective import build_objective
from seq2seq.training.optimizer import SGD, Adadelta, Adagrad, Adam, AdamW, Muon, OptimizerConfig
from seq2seq.training.progress import Average, Progress, Validation
from seq2seq.training.risk import RiskConfig
from seq2seq.training.schedule import Constant, Cosine, Exponential, Halving, InverseSquareRoot, Plateau, ScheduleConfig
from seq2seq.training.scheduled_sampling import ScheduledSamplingConfig
from seq2seq.training.trainer import Trainer

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

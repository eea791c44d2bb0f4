"""What an update minimises: teacher forcing, and the variations that settings put around it."""

from collections.abc import Collection

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.device import Precision, autocast
from seq2seq.training.config import TrainingConfig
from seq2seq.training.consistency import Consistency
from seq2seq.training.loss import Loss, LossConfig, Objective, loss_sums
from seq2seq.training.risk import Draw, RiskConfig, RiskTraining
from seq2seq.training.scheduled_sampling import ScheduledSampling, ScheduledSamplingConfig


class TeacherForcing:
    """Cross entropy of each target piece, those before it being given: the plain objective."""

    def __init__(self, smoothing: float, precision: Precision) -> None:
        self.smoothing = smoothing
        self.precision = precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target pieces."""
        source_BS, lengths_B, target_BT, positions_P, labels_P = batch
        with autocast(self.precision, source_BS.device):
            logits_PV = network(source_BS, lengths_B, target_BT, positions_P)
        return loss_sums(logits_PV, labels_P, self.smoothing)


def build_objective(
    loss: LossConfig,
    scheduled_sampling: ScheduledSamplingConfig,
    risk: RiskConfig,
    training: TrainingConfig,
    draw: Draw,
    excluded: Collection[int] = (),
) -> Objective:
    """Teacher forcing, or what the settings make of it.

    From the inside out: one pass or two that must agree, over inputs as they are or mixed with the network's own
    predictions, alone or beside the risk of its own translations.

    Args:
        loss: smoothing, and the weight of agreement.
        scheduled_sampling: how many inputs are the network's own.
        risk: the weight of risk, and how it is estimated.
        training: how many updates there will be, which a schedule may go by, and the precision of products.
        draw: samples translations and rewards them; called only where risk has a weight.
        excluded: tokens that write nothing, which scheduled sampling never predicts.
    """
    precision = training.precision
    objective: Objective = TeacherForcing(loss.label_smoothing, precision)
    if loss.consistency > 0:
        objective = Consistency(loss.consistency, loss.label_smoothing, precision)
    if scheduled_sampling.rate > 0:
        objective = ScheduledSampling(objective, scheduled_sampling, training.updates, precision, excluded)
    if risk.weight > 0:
        objective = RiskTraining(objective, risk, draw, precision)
    return objective

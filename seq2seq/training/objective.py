"""Training objectives: teacher forcing and its variations."""

from collections.abc import Collection

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.system.device import autocast
from seq2seq.system.precision import Precision
from seq2seq.training.bag_of_words import BagOfWords
from seq2seq.training.config import LossConfig, RiskConfig, ScheduledSamplingConfig, TrainingConfig
from seq2seq.training.consistency import Consistency, SimCut
from seq2seq.training.guided_attention import GuidedAttention, Links
from seq2seq.training.loss import Loss, Objective, loss_sums
from seq2seq.training.risk import Draw, RiskTraining
from seq2seq.training.scheduled_sampling import ScheduledSampling


class TeacherForcing:
    """Cross entropy of each target token, given the tokens before it: the default objective."""

    def __init__(self, smoothing: float, precision: Precision) -> None:
        self.smoothing = smoothing
        self.precision = precision

    def __call__(self, network: Network, batch: Batch, update: int) -> Loss:
        """Sums over the batch's target tokens."""
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
    links: Links | None = None,
) -> Objective:
    """Build the objective of the settings.

    From the inside out: teacher forcing in one pass, or in two passes with a consistency loss (R-Drop or SimCut); with
    guided attention or a bag of words; over the target's tokens or over inputs with scheduled sampling; alone or added
    to the risk of sampled translations.

    Args:
        loss: label smoothing, and the weights of consistency losses, of which one at most is above 0.
        scheduled_sampling: the share of inputs that are the network's own predictions.
        risk: the weight of the risk, and its estimator.
        training: the number of updates, which the sampling schedule depends on, and the precision.
        draw: samples translations and rewards them; called only if the risk has a weight.
        excluded: tokens that scheduled sampling never predicts, such as padding.
        links: what attention is drawn towards if ``loss.guided_attention`` is above 0.
    """
    precision = training.precision
    objective: Objective = TeacherForcing(loss.label_smoothing, precision)
    if loss.consistency > 0:
        objective = Consistency(loss.consistency, loss.label_smoothing, precision)
    elif loss.simcut > 0:
        objective = SimCut(loss.simcut, loss.cutoff, loss.label_smoothing, precision, loss.cutoff_span)
    if links is not None and loss.guided_attention > 0:
        updates = round(loss.guided_until * training.updates)
        objective = GuidedAttention(objective, links, loss.guided_attention, updates)
    if loss.bag_of_words > 0:
        updates = round(loss.bag_until * training.updates)
        objective = BagOfWords(objective, loss.bag_of_words, updates, precision)
    if scheduled_sampling.rate > 0:
        objective = ScheduledSampling(objective, scheduled_sampling, training.updates, precision, excluded)
    if risk.weight > 0:
        objective = RiskTraining(objective, risk, draw, precision)
    return objective

"""Loss by position, with the target given and without: exposure bias (Bengio et al. 2015, Ranzato et al. 2016).

For a source x and its reference y₁ … y_T (y_T the end mark), at position t:

- teacher-forced loss: -log p(y_t | x, y₁ … y_{t-1}): the decoder reads the reference, as in training;
- free-running loss: -log p(y_t | x, ŷ₁ … ŷ_{t-1}), where ŷ_s is the decoder's own prediction at position s after
  ŷ₁ … ŷ_{s-1}, the likeliest piece or one drawn: the decoder reads itself, as in search, but is asked for the
  reference.

A free run is over at its own end mark: positions after it count for neither, so that both are means over the same
positions. At t = 1, and wherever the free run has written the reference so far, both losses are equal; `Position.same`
says how often. So the free-running loss charges for every departure, a good paraphrase or a shift by one piece
included: it bounds what exposure costs from above.

B sentences, T target positions, P real ones of a batch.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.corpora.corpus import Pair
from seq2seq.data.batch import Batch, batches_by_length, make_batch
from seq2seq.figures.config import ExposureConfig
from seq2seq.figures.systems import System
from seq2seq.model import Network
from seq2seq.system.device import Precision
from seq2seq.tokenizer.spelling import no_text
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.training.loss import label_log_probabilities
from seq2seq.training.objective import TeacherForcing
from seq2seq.training.scheduled_sampling import Prediction, ScheduledSampling, ScheduledSamplingConfig

BATCH_PIECES = 2048
"""Most source pieces of a batch, padding included."""

SEED = 1
"""Of what is drawn, with prediction=sample."""

Floats = NDArray[np.float64]


class Position(NamedTuple):
    """Means over the sentences whose reference has this position and whose free run has not ended before it."""

    position: int
    """From 1."""
    sentences: int
    teacher_forced: float
    """Nats."""
    free_running: float
    gap_ci95: tuple[float, float]
    """95 % interval of free-running less teacher-forced, by the normal distribution of a mean of paired differences."""
    same: float
    """Share of sentences where the free run has written the reference so far."""


class Losses(NamedTuple):
    """Losses of a batch, one entry for each counted position."""

    position_P: Floats
    teacher_forced_P: Floats
    free_running_P: Floats
    same_P: NDArray[np.bool_]


class Exposure(NamedTuple):
    """Losses of a run by position, and over all positions that were counted."""

    name: str
    positions: list[Position]
    counted: int
    """Target pieces."""
    teacher_forced: float
    free_running: float


def measure(system: System, pairs: Sequence[Pair], config: ExposureConfig) -> Exposure:
    """Both losses over a test set; positions that fewer than ``config.sentences`` sentences reach are not shown."""
    member = system.translator.members[0]
    sources = system.encoded([pair.source for pair in pairs])
    targets = member.tokenizers.target.encode_all([pair.target for pair in pairs])
    excluded = no_text(member.tokenizers.target)
    found = []
    with torch.random.fork_rng([member.device] if member.device.type == "cuda" else []):
        torch.manual_seed(SEED)
        for rows in batches_by_length(sources, BATCH_PIECES):
            batch = make_batch([sources[row] for row in rows], [targets[row] for row in rows]).to(member.device)
            found.append(losses(system.network, batch, config.prediction, excluded))
    every = Losses(*(np.concatenate(parts) for parts in zip(*found, strict=True)))
    positions = [_position(every, position) for position in range(1, config.positions + 1)]
    return Exposure(
        system.name,
        [one for one in positions if one is not None and one.sentences >= config.sentences],
        len(every.position_P),
        float(every.teacher_forced_P.mean()),
        float(every.free_running_P.mean()),
    )


@torch.no_grad()
def losses(network: Network, batch: Batch, prediction: Prediction, excluded: Collection[int] = ()) -> Losses:
    """Both losses at every real target position up to where the free run has ended; it never says what is excluded."""
    sampling = ScheduledSamplingConfig(rate=1, prediction=prediction)
    objective = TeacherForcing(0, Precision.float32)
    own_BT = ScheduledSampling(objective, sampling, 1, Precision.float32, excluded).mixed(network, batch, 1.0)
    teacher_P, free_P = (_label_losses(network, batch._replace(target_BT=read)) for read in (batch.target_BT, own_BT))
    running_BT = (own_BT == EOS).cumsum(1) == 0
    same_BT = (own_BT != batch.target_BT).cumsum(1) == 0
    position_BT = torch.arange(1, own_BT.size(1) + 1, device=own_BT.device).expand_as(own_BT)
    counted_P, same_P, position_P = (
        part_BT.flatten()[batch.positions_P].cpu().numpy() for part_BT in (running_BT, same_BT, position_BT)
    )
    return Losses(position_P[counted_P].astype(np.float64), teacher_P[counted_P], free_P[counted_P], same_P[counted_P])


def _label_losses(network: Network, batch: Batch) -> Floats:
    logits_PV = network(batch.source_BS, batch.source_lengths_B, batch.target_BT, batch.positions_P)
    losses_P: Tensor = -label_log_probabilities(logits_PV, batch.labels_P)
    found: Floats = losses_P.double().cpu().numpy()
    return found


def _position(every: Losses, position: int) -> Position | None:
    there = every.position_P == position
    count = int(there.sum())
    if not count:
        return None
    teacher, free = every.teacher_forced_P[there], every.free_running_P[there]
    gap = free - teacher
    error = 1.96 * float(gap.std(ddof=1)) / count**0.5 if count > 1 else 0.0
    interval = (float(gap.mean()) - error, float(gap.mean()) + error)
    return Position(
        position, count, float(teacher.mean()), float(free.mean()), interval, float(every.same_P[there].mean())
    )

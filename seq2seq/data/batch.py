"""A batch: padded tensors of ids, and where in them the real target pieces stand.

B sentences, S source positions, T target positions, P real target positions.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seq2seq.system.device import to_device
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD

Ids = NDArray[np.int32] | Sequence[int]


class Batch(NamedTuple):
    """Ids on one device. Sources end with the end mark; targets are shifted by one between input and label."""

    source_BS: Tensor
    source_lengths_B: Tensor
    target_BT: Tensor
    """Beginning mark, then the target's pieces: what the decoder reads."""
    positions_P: Tensor
    """Real target positions in the flattened (B·T)."""
    labels_P: Tensor
    """The piece to predict at each of them: the target's pieces, then the end mark."""

    def to(self, device: torch.device) -> "Batch":
        """The same batch on ``device``; the host does not wait for it."""
        return Batch(*(to_device(part, device) for part in self))

    def halves(self) -> list["Batch"]:
        """The first half of the sentences and the second, padded as before; a single sentence stays as it is."""
        middle, width = len(self.source_BS) // 2, self.target_BT.size(1)
        if not middle:
            return [self]
        halves = []
        for rows, start in ((slice(0, middle), 0), (slice(middle, None), middle * width)):
            source_BS, lengths_B, target_BT = (part[rows] for part in self[:3])
            positions_P = self.positions_P - start
            own_P = (positions_P >= 0) & (positions_P < target_BT.numel())
            halves.append(Batch(source_BS, lengths_B, target_BT, positions_P[own_P], self.labels_P[own_P]))
        return halves


def pad(rows: Sequence[Ids], *, before: Sequence[int] = (), after: Sequence[int] = ()) -> NDArray[np.int64]:
    """Right-padded matrix of the rows, each with marks before and after it."""
    extra = len(before) + len(after)
    matrix = np.full((len(rows), max(len(row) for row in rows) + extra), PAD, dtype=np.int64)
    matrix[:, : len(before)] = before
    for line, row in zip(matrix, rows, strict=True):
        end = len(before) + len(row)
        line[len(before) : end] = row
        line[end : end + len(after)] = after
    return matrix


def source_tensors(rows: Sequence[Ids]) -> tuple[Tensor, Tensor]:
    """Sources (B, S) with end marks and their lengths (B,), the mark counted."""
    lengths = np.array([len(row) + 1 for row in rows], dtype=np.int64)
    return torch.from_numpy(pad(rows, after=[EOS])), torch.from_numpy(lengths)


def target_input(rows: Sequence[Ids]) -> Tensor:
    """Targets (B, T) behind beginning marks: what the decoder reads."""
    return torch.from_numpy(pad(rows, before=[BOS]))


def make_batch(sources: Sequence[Ids], targets: Sequence[Ids]) -> Batch:
    """Put pairs of id lists (no marks in them) together."""
    source_BS, lengths_B = source_tensors(sources)
    target_BT = target_input(targets)
    labels_BT = torch.from_numpy(pad(targets, after=[EOS]))
    ends_B = torch.tensor([len(row) + 1 for row in targets])
    real_BT = torch.arange(target_BT.size(1)) < ends_B.unsqueeze(1)
    positions_P = real_BT.flatten().nonzero().squeeze(1)
    return Batch(source_BS, lengths_B, target_BT, positions_P, labels_BT.flatten()[positions_P])


def batches_by_length(sources: Sequence[Ids], pieces: int) -> Iterator[list[int]]:
    """Row numbers of the sources that are not empty, longest first, in batches of at most so many padded pieces."""
    order = sorted((row for row, source in enumerate(sources) if len(source)), key=lambda row: -len(sources[row]))
    while order:
        size = max(1, pieces // (len(sources[order[0]]) + 1))
        yield order[:size]
        order = order[size:]

"""Sentence vectors projected to two dimensions (Sutskever et al. 2014, figure 2).

B sentences, D width of the vectors, R rank, X components.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.figures.systems import System
from seq2seq.model import AttentionKind, BridgeKind

CONTEXT = "context vector"
STATE = "initial decoder state"


class Point(NamedTuple):
    """A sentence and its coordinates."""

    sentence: str
    x: float
    y: float


class Projection(NamedTuple):
    """Sentences in the plane of the first two principal components of their vectors."""

    vector: str
    """The projected vector: the context vector or, with attention, the initial decoder state."""
    width: int
    points: list[Point]
    explained_variance: tuple[float, float]
    """Shares of the variance along x and y."""


def project(system: System, sentences: Sequence[str]) -> Projection:
    """Encode sentences and project their vectors.

    Raises:
        ConfigError: the model has attention and its initial decoder state is zero.
    """
    vectors_BD = sentence_vectors(system, sentences)
    plane_BX, share_X = principal_components(vectors_BD, 2)
    points = [Point(text, x, y) for text, (x, y) in zip(sentences, plane_BX.tolist(), strict=True)]
    return Projection(vector_kind(system), vectors_BD.size(1), points, (float(share_X[0]), float(share_X[1])))


def vector_kind(system: System) -> str:
    """Return which vector represents a sentence in this model.

    Without attention it is the context vector, the decoder's only source of information. With attention it is the
    initial decoder state of all layers.
    """
    return CONTEXT if system.network.config.attention is AttentionKind.none else STATE


@torch.inference_mode()
def sentence_vectors(system: System, sentences: Sequence[str]) -> Tensor:
    """Return the vectors (B, D) of sentences in float64.

    Raises:
        ConfigError: they are all zero (``model.bridge=zero`` with attention).
    """
    member = system.translator.members[0]
    memory, state = system.network.encode(*member.sources(system.encoded(sentences)))
    if vector_kind(system) == CONTEXT:
        return memory.context_BD.double().cpu()
    if system.network.config.bridge is BridgeKind.zero:
        raise ConfigError(
            f"{system.folder} has attention and a zero initial state (model.bridge=zero), so no vector represents a "
            f"sentence: give a run without attention, or leave figure contexts out"
        )
    parts = [part.transpose(0, 1).flatten(1) for part in (state.hidden_LNH, state.cell_LNH) if part is not None]
    return torch.cat(parts, dim=1).double().cpu()


def principal_components(vectors_BD: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Principal component analysis (Pearson 1901, Hotelling 1933) by singular value decomposition.

    The sign of each component is fixed: the first sentence whose coordinate exceeds half of the largest absolute
    coordinate is positive.

    Returns:
        Coordinates (B, X) and the share of the variance along each component (X,). Both are zero for components beyond
        the rank; shares are zero if all vectors are equal.
    """
    centred_BD = vectors_BD - vectors_BD.mean(0)
    directions_BR, values_R, _ = torch.linalg.svd(centred_BD, full_matrices=False)
    missing = max(0, count - len(values_R))
    coordinates_BX = torch.nn.functional.pad(directions_BR * values_R, (0, missing))[:, :count]
    variances_X = torch.nn.functional.pad(values_R.square(), (0, missing))[:count]
    total = values_R.square().sum()
    far_BX = coordinates_BX.abs() > coordinates_BX.abs().amax(0) / 2
    sign_X = coordinates_BX.gather(0, far_BX.int().argmax(0, keepdim=True)).sign()
    return coordinates_BX * torch.where(sign_X == 0, 1.0, sign_X), variances_X / total if total > 0 else variances_X

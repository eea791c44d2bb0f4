"""What the decoder is told of a sentence, as points of a plane (Sutskever et al. 2014, figure 2).

B sentences, D width of the vectors.
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
    """A sentence in the plane."""

    sentence: str
    x: float
    y: float


class Projection(NamedTuple):
    """Sentences by the two directions in which their vectors differ most."""

    vector: str
    """What was projected: the context vector or, with attention, the decoder's initial state."""
    width: int
    points: list[Point]
    explained_variance: tuple[float, float]
    """Shares of all variance that x and y have."""


def project(system: System, sentences: Sequence[str]) -> Projection:
    """Encode sentences and show them by their first two principal components.

    Raises:
        ConfigError: the decoder begins with zeros and hears the source through attention alone.
    """
    vectors_BD = vectors(system, sentences)
    plane_BX, share_X = principal_components(vectors_BD, 2)
    points = [Point(text, x, y) for text, (x, y) in zip(sentences, plane_BX.tolist(), strict=True)]
    return Projection(kind(system), vectors_BD.size(1), points, (float(share_X[0]), float(share_X[1])))


def kind(system: System) -> str:
    """What stands for a sentence in this model.

    Without attention the context vector, all that the decoder ever hears: the summary of the encoder's top layer. With
    attention the decoder hears more, at every step; what it begins with is its initial state, of all layers.
    """
    return CONTEXT if system.network.config.attention is AttentionKind.none else STATE


@torch.inference_mode()
def vectors(system: System, sentences: Sequence[str]) -> Tensor:
    """The vectors (B, D) of sentences, in float64.

    Raises:
        ConfigError: they are zeros for every sentence (``model.bridge=zero`` with attention).
    """
    member = system.translator.members[0]
    memory, state = system.network.encode(*member.sources(system.encoded(sentences)))
    if kind(system) == CONTEXT:
        return memory.context_BD.double().cpu()
    if system.network.config.bridge is BridgeKind.zero:
        raise ConfigError(
            f"{system.folder} attends and begins with zeros (model.bridge=zero), so no vector stands for a sentence: "
            f"name a run without attention, or leave figure contexts out"
        )
    states_ZBH = state.hidden_LNH if state.cell_LNH is None else torch.cat([state.hidden_LNH, state.cell_LNH])
    return states_ZBH.transpose(0, 1).flatten(1).double().cpu()


def principal_components(vectors_BD: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Principal component analysis (Pearson 1901, Hotelling 1933) by singular values of the centred vectors.

    Returns:
        Coordinates (B, count), with zeros where the vectors have fewer dimensions, and the share of the variance
        that each has; zero where all vectors are equal. Each direction's sign is that in which the first sentence that
        lies off the centre by more than half the largest distance has a positive coordinate: so it is always the same.
    """
    centred_BD = vectors_BD - vectors_BD.mean(0)
    directions_BR, values_R, _ = torch.linalg.svd(centred_BD, full_matrices=False)
    found_BR = directions_BR * values_R
    coordinates_BX = torch.nn.functional.pad(found_BR, (0, max(0, count - len(values_R))))[:, :count]
    shares_X = torch.nn.functional.pad(values_R.square(), (0, max(0, count - len(values_R))))[:count]
    total = values_R.square().sum()
    far_BX = coordinates_BX.abs() > coordinates_BX.abs().amax(0) / 2
    sign_X = coordinates_BX.gather(0, far_BX.int().argmax(0, keepdim=True)).sign()
    return coordinates_BX * torch.where(sign_X == 0, 1.0, sign_X), shares_X / total if total > 0 else shares_X

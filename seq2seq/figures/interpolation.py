"""Interpolation between two sentences: translations of mixtures of their context vectors.

Bowman et al. (2016, table 8) study a sentence space by decoding points on the line between two codes. A translator is
not trained on such points, so nothing guarantees that they decode to sentences.

B mixtures, D width of an encoder layer.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.systems import System
from seq2seq.inference import NetworkStepper
from seq2seq.inference.stepper import StepperState
from seq2seq.metrics.similarity import Similarity
from seq2seq.model import AttentionKind, Network
from seq2seq.model.decoder import Memory, State
from seq2seq.search import beam_search
from seq2seq.tokenizer.tokenizer import BOS, EOS
from seq2seq.translation.decoding import decode


class Mixture(NamedTuple):
    """The translation of (1 - t) c₁ + t c₂."""

    t: float
    text: str
    log_probability: float
    """Log-probability of the text given the mixture, in nats, EOS included."""
    to_first: float
    """chrF of the text, 0 to 100, against the text at t = 0."""
    to_second: float
    """chrF against the text at t = 1."""


class Walk(NamedTuple):
    """All mixtures of two sentences, including both ends."""

    first: str
    second: str
    mixtures: list[Mixture]


class MixtureStepper:
    """A `Stepper` that starts from given memories and states in place of encoded sources.

    Args:
        stepper: bound to as many sources; only their lengths matter, which limit the length of the texts.
        memory: one row per mixture.
        state: the initial decoder state of every mixture.
    """

    def __init__(self, stepper: NetworkStepper, memory: Memory, state: State) -> None:
        self.stepper, self.memory, self.state = stepper, memory, state
        self.bos, self.eos = stepper.bos, stepper.eos
        self.sentences, self.source_lengths = stepper.sentences, stepper.source_lengths

    def start(self, beam_size: int) -> StepperState:
        """Return every mixture's state in ``beam_size`` rows."""
        decoder = self.stepper.decoder
        return StepperState(decoder.memory(self.memory), decoder.start(self.state, beam_size))

    def step(self, tokens_N: Tensor, state: StepperState) -> tuple[Tensor, StepperState]:
        """Same as `NetworkStepper.step`."""
        return self.stepper.step(tokens_N, state)

    def select(self, state: StepperState, rows_N: Tensor, sentences_B: Tensor | None) -> StepperState:
        """Same as `NetworkStepper.select`."""
        return self.stepper.select(state, rows_N, sentences_B)


def check_no_attention(system: System) -> None:
    """Check that the context vector is the decoder's only source of information.

    Raises:
        ConfigError: the model has attention; there is no source sentence whose states belong to a mixture.
    """
    if system.network.config.attention is not AttentionKind.none:
        raise ConfigError(
            f"{system.folder} has attention, and a mixture of two context vectors has no source sentence to attend to: "
            f"give a run without attention, or leave interpolation out of figures"
        )


@torch.inference_mode()
def interpolate(system: System, first: str, second: str, steps: int, beam_size: int | None) -> Walk:
    """Decode ``steps`` mixtures of two sentences, t from 0 to 1.

    The summaries of hidden and cell states of each encoder layer are mixed, and the bridge computes the initial decoder
    state from the result. At t = 0 and t = 1 this is the usual translation by beam search.

    Args:
        system: a model without attention.
        first, second: source sentences.
        steps: number of mixtures including both ends, at least 2.
        beam_size: None uses the run's ``search.beam_size``.

    Raises:
        ConfigError: the model has attention.
        DataError: a sentence is blank.
    """
    check_no_attention(system)
    translator, member = system.translator, system.translator.members[0]
    sources = member.sources(system.encoded([first, second]))
    share_B = torch.linspace(0, 1, steps, dtype=torch.float64, device=member.device)
    memory, state = mixed_contexts(system.network, *sources, share_B)
    # The length limits are interpolated too, so that the ends have those of their own sentence.
    exact_B = _interpolated(sources.lengths_B.double().unsqueeze(1), share_B).squeeze(1)
    lengths_B = (exact_B - 1e-9).ceil().long()  # whole numbers are rounded up in their last bit
    stepper = NetworkStepper(
        system.network, member.decoder, sources.source_BS[:1].expand(steps, -1), lengths_B, BOS, EOS
    )
    config = translator.search.beam(beam_size or translator.search.beam_size)
    best = [ranked[0] for ranked in beam_search(MixtureStepper(stepper, memory, state), config)]
    texts = [decode(translator.ensemble, hypothesis) for hypothesis in best]
    chrf = Similarity("chrf")
    to_first, to_second = ([100 * value for value in chrf(texts, end)] for end in (texts[0], texts[-1]))
    mixtures = zip(
        share_B.tolist(), texts, (hypothesis.log_probability for hypothesis in best), to_first, to_second, strict=True
    )
    return Walk(first, second, [Mixture(*mixture) for mixture in mixtures])


def mixed_contexts(network: Network, source_BS: Tensor, lengths_B: Tensor, share_B: Tensor) -> tuple[Memory, State]:
    """Return memory and initial decoder state of (1 - t) c₁ + t c₂ of two sources, for each t of ``share_B``.

    Raises:
        RunError: the network has no encoder.
    """
    if network.encoder is None or network.bridge is None or network.source_embedding is None:
        raise RunError("a language model has no context vector: give a translation model")
    encoded = network.encoder(network.source_embedding(source_BS), lengths_B)
    hidden = [_interpolated(summary_2D, share_B) for summary_2D in encoded.hidden]
    cell = [_interpolated(summary_2D, share_B) for summary_2D in encoded.cell]
    hidden_LBH, cell_LBH = network.bridge(hidden, cell)
    return Memory(hidden[-1], None), network.decoder.start(hidden_LBH, cell_LBH, None)


def _interpolated(ends_2D: Tensor, share_B: Tensor) -> Tensor:
    return torch.lerp(ends_2D[0], ends_2D[1], share_B.to(ends_2D.dtype).unsqueeze(1))

"""Sentences between two sentences: what the decoder makes of a mixture of their contexts.

The path from one code to another and what is decoded on it is how Bowman et al. (2016, table 8) look at the space of
sentences. A translator is trained on the ends alone: nothing made it put sentences in between.

B mixtures, D width of an encoder layer.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from sacrebleu.metrics.chrf import CHRF
from torch import Tensor

from seq2seq.errors import ConfigError, RunError
from seq2seq.figures.systems import System
from seq2seq.inference import NetworkStepper
from seq2seq.inference.stepper import StepperState
from seq2seq.model import AttentionKind, Network
from seq2seq.model.state import Memory, State
from seq2seq.search import SearchConfig, beam_search
from seq2seq.tokenizer.tokenizer import BOS, EOS
from seq2seq.translation.decoding import decode


class Mixture(NamedTuple):
    """What was decoded from (1 - t) c₁ + t c₂."""

    t: float
    text: str
    log_probability: float
    """Of the text given the mixture, in nats, its end mark included."""
    to_first: float
    """chrF of the text, 0 to 100, against that of the first end."""
    to_second: float


class Walk(NamedTuple):
    """All mixtures of two sentences, the ends themselves included."""

    first: str
    second: str
    mixtures: list[Mixture]


class MixtureStepper:
    """Steps a network from a memory and a state that are there already, in place of sources to be encoded."""

    def __init__(self, reader: NetworkStepper, memory: Memory, state: State) -> None:
        """``reader`` is bound to as many sources; only their lengths count, which limit how long a text may be."""
        self.reader, self.memory, self.state = reader, memory, state
        self.bos, self.eos = reader.bos, reader.eos
        self.sentences, self.source_lengths = reader.sentences, reader.source_lengths

    def start(self, beam_size: int) -> StepperState:
        """Every mixture's state in ``beam_size`` rows."""
        decoder = self.reader.decoder
        return StepperState(decoder.memory(self.memory), decoder.start(self.state, beam_size), None)

    def step(self, tokens_N: Tensor, state: StepperState) -> tuple[Tensor, StepperState]:
        """As `NetworkStepper.step`."""
        return self.reader.step(tokens_N, state)

    def select(self, state: StepperState, rows_N: Tensor, sentences_B: Tensor | None) -> StepperState:
        """As `NetworkStepper.select`."""
        return self.reader.select(state, rows_N, sentences_B)


def check(system: System) -> None:
    """Hold that the fixed context is all that the decoder hears.

    Raises:
        ConfigError: the model attends: half-way between two sentences there is no third for attention to look at.
    """
    if system.network.config.attention is not AttentionKind.none:
        raise ConfigError(
            f"{system.folder} attends to the source at every step, and a mixture of two contexts has no source: name a "
            f"run without attention, or leave interpolation out of figures"
        )


@torch.inference_mode()
def interpolate(system: System, first: str, second: str, steps: int, beam_size: int | None) -> Walk:
    """Decode ``steps`` mixtures of two sentences' contexts, t from 0 to 1.

    What is mixed is all that the encoder hands on: the summary of hidden and of cell states of each layer. The bridge
    then makes the decoder's initial state of it. At t = 0 and t = 1 beam search gives the sentences' translations.

    Args:
        system: a model without attention.
        first, second: source sentences.
        steps: how many, both ends counted, at least 2.
        beam_size: hypotheses kept; None: as the run's ``search.beam_size``.

    Raises:
        ConfigError: the model attends.
        DataError: a sentence is blank.
    """
    check(system)
    translator, member = system.translator, system.translator.members[0]
    sources = member.sources(system.encoded([first, second]))
    share_B = torch.linspace(0, 1, steps, dtype=torch.float64, device=member.device)
    memory, state = mixed(system.network, *sources, share_B)
    # Texts may be as long as those of a source of a length in between: at the ends, of the sentence itself.
    lengths_B = _between(sources.lengths_B.double().unsqueeze(1), share_B).ceil().long().squeeze(1)
    reader = NetworkStepper(
        system.network, member.decoder, sources.source_BS[:1].expand(steps, -1), lengths_B, BOS, EOS
    )
    usual = translator.search
    config = SearchConfig(
        beam_size=beam_size or usual.beam_size,
        length_penalty=usual.length_penalty,
        max_length_ratio=usual.max_length_ratio,
        max_length_offset=usual.max_length_offset,
    )
    found = [ranked[0] for ranked in beam_search(MixtureStepper(reader, memory, state), config)]
    texts = [decode(translator.ensemble, one) for one in found]
    to_first, to_second = (_likeness(texts, end) for end in (texts[0], texts[-1]))
    mixtures = zip(share_B.tolist(), texts, (one.log_probability for one in found), to_first, to_second, strict=True)
    return Walk(first, second, [Mixture(*mixture) for mixture in mixtures])


def mixed(network: Network, source_BS: Tensor, lengths_B: Tensor, share_B: Tensor) -> tuple[Memory, State]:
    """What the decoder is told of (1 - t) c₁ + t c₂ for each t of ``share_B``, from two sources.

    Raises:
        RunError: the network has no encoder.
    """
    if network.encoder is None or network.bridge is None or network.source_embedding is None:
        raise RunError("a language model has no context to mix: name a translator")
    encoded = network.encoder(network.source_embedding(source_BS), lengths_B)
    hidden = [_between(summary_2D, share_B) for summary_2D in encoded.hidden]
    cell = [_between(summary_2D, share_B) for summary_2D in encoded.cell]
    hidden_LBH, cell_LBH = network.bridge(hidden, cell)
    return Memory(hidden[-1], None), network.decoder.start(hidden_LBH, cell_LBH, None)


def _between(ends_2D: Tensor, share_B: Tensor) -> Tensor:
    share_B1 = share_B.to(ends_2D.dtype).unsqueeze(1)
    return (1 - share_B1) * ends_2D[0] + share_B1 * ends_2D[1]


def _likeness(texts: Sequence[str], end: str) -> list[float]:
    """chrF of each text against one; of a text without characters 0, unless both are empty."""
    metric = CHRF()
    return [100.0 if text == end else float(metric.sentence_score(text, [end]).score) for text in texts]

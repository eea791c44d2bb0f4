"""Sentences looked into: a picture is drawn when it is asked for, and the last ones are kept."""

import gc
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch

from seq2seq.analysis.trace import Trace
from seq2seq.analysis.trace_page import drawings
from seq2seq.errors import DataError
from seq2seq.serving.answers import weights
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import TooLargeError
from seq2seq.serving.schemas import RunnerUp, Step, TraceAnswer
from seq2seq.translation.translator import Translator

KEPT = 32_000_000
"""Bytes of the traces that are kept; one of a long sentence may have as many alone."""

NUMBERS = 4_000_000
"""Gates and states of a trace, at most: several are made at a time, and each is there twice for a while."""

NODES = 400
"""Hypotheses of a tree that is drawn, at most."""


@dataclass(eq=False)
class Seen:
    """A sentence, and the pictures that have been drawn of it."""

    trace: Trace
    pictures: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def bytes(self) -> int:
        """What its arrays take."""
        return sum(array.nbytes for array in self.trace.arrays().values())


class Microscope:
    """Traces and pictures of these translators.

    Args:
        translators: by name.
        limits: how long a sentence is at most of which pictures are drawn.
    """

    def __init__(self, translators: Mapping[str, Translator], limits: LimitsConfig) -> None:
        self.translators, self.limits = translators, limits
        self._kept: dict[tuple[str, str, str | None, int | None], Seen] = {}

    def answer(self, seen: Seen, run: str) -> TraceAnswer:
        """What is read first: step by step, and attention."""
        trace = seen.trace
        return TraceAnswer(
            run=run,
            text=trace.text,
            source_pieces=list(trace.source_tokens),
            steps=steps(trace),
            attention=weights(trace.attention),
            pictures=self._pictures(trace),
        )

    def traced(self, run: str, text: str, target: str | None, beam_size: int | None) -> Seen:
        """A sentence seen from inside, or what is kept of it.

        Raises:
            Seq2SeqError: as `Translator.trace`.
            TooLargeError: the sentence is too long for a model of this size.
        """
        asked = (run, text, target, beam_size)
        seen = self._kept.pop(asked, None)
        if seen is None:
            numbers = traced_numbers(self.translators[run], text, target)
            if numbers > NUMBERS:
                raise TooLargeError(
                    f"gates and states of this sentence may be {numbers:,} numbers, and at most {NUMBERS:,} are kept: "
                    "give a shorter one"
                )
            seen = Seen(self.translators[run].trace(text, target=target, beam_size=beam_size))
        self._kept[asked] = seen  # the newest last
        while len(self._kept) > 1 and sum(one.bytes for one in self._kept.values()) > KEPT:
            del self._kept[next(iter(self._kept))]
        return seen

    def picture(self, seen: Seen, name: str) -> bytes:
        """A picture, as PNG.

        Raises:
            DataError: there is none of that name.
            TooLargeError: the sentence is too long to be drawn.
        """
        draws, trace = drawings(seen.trace), seen.trace
        if name not in draws:
            raise DataError(f"there is no picture of that name: ask for one of {', '.join(draws)}")
        if name not in self._pictures(trace):
            raise TooLargeError(
                f"pictures are drawn of at most {self.limits.drawn:,} tokens and {NODES:,} hypotheses, and this "
                f"sentence has {positions(trace):,} and {len(trace.tree):,}: give a shorter one"
            )
        if name not in seen.pictures:
            seen.pictures[name] = draws[name]()
            gc.collect()  # a figure refers to itself, with all its pixels
        return seen.pictures[name]

    def _pictures(self, trace: Trace) -> list[str]:
        """What is drawn of it: nothing that takes long or much memory."""
        if positions(trace) > self.limits.drawn:
            return []
        return [name for name in drawings(trace) if name != "tree" or len(trace.tree) <= NODES]


def traced_numbers(translator: Translator, text: str, target: str | None) -> int:
    """Numbers of a trace, at most: those of four gates and two states of every unit, at every position of its side."""
    members, config = translator.ensemble, translator.ensemble.translators[0].network.config
    source = 1 + len(members.encoded([text])[1][0])
    if target is None:
        read = int(translator.search.max_lengths(torch.tensor([source]))[0])
    else:
        read = 1 + len(members.target.encode(target))
    encoder, decoder = config.encoder, config.decoder
    return 6 * (source * encoder.layers * encoder.width + read * decoder.layers * decoder.size)


def positions(trace: Trace) -> int:
    """Tokens of the longer side."""
    return max(len(trace.source_tokens), len(trace.input_tokens))


def steps(trace: Trace) -> list[Step]:
    """What the decoder read and predicted, with the likeliest other pieces."""
    others = trace.alternative_log_probabilities.exp().tolist()
    return [
        Step(
            read=trace.input_tokens[step],
            predicted=predicted,
            probability=math.exp(float(trace.log_probabilities[step])),
            runners_up=[
                RunnerUp(piece=piece, probability=share)
                for piece, share in zip(trace.alternative_tokens[step], others[step], strict=True)
            ],
        )
        for step, predicted in enumerate(trace.target_tokens)
    ]

"""Traces of sentences and their pictures, drawn on request. The most recent traces are cached."""

import gc
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch

from seq2seq.analysis.trace import Trace
from seq2seq.analysis.trace_page import drawings
from seq2seq.errors import DataError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import TooLargeError
from seq2seq.serving.responses import attention_rows
from seq2seq.serving.schemas import DecoderStep, TokenAlternative, TraceResponse
from seq2seq.translation.translator import Translator

CACHE_BYTES = 32_000_000
"""Size of the cache. A single trace may need as much."""

MAX_TRACE_VALUES = 4_000_000
"""Most gate and state values of a trace. Several traces are computed at a time, and each is copied once."""

MAX_TREE_HYPOTHESES = 400
"""Most hypotheses of a beam tree that is drawn."""


@dataclass(eq=False)
class CachedTrace:
    """A trace with the pictures drawn so far."""

    trace: Trace
    pictures: dict[str, bytes] = field(default_factory=dict)

    @cached_property
    def array_bytes(self) -> int:
        """Size of the arrays."""
        return sum(array.nbytes for array in self.trace.arrays().values())

    @property
    def bytes(self) -> int:
        """Size of the arrays and of the pictures."""
        return self.array_bytes + sum(map(len, self.pictures.values()))


class TraceCache:
    """Traces and pictures of some translators.

    Args:
        translators: by name.
        limits: longest sentence with pictures.
    """

    def __init__(self, translators: Mapping[str, Translator], limits: LimitsConfig) -> None:
        self.translators, self.limits = translators, limits
        self._traces: dict[tuple[str, str, str | None, int | None], CachedTrace] = {}

    def response(self, cached: CachedTrace, run: str) -> TraceResponse:
        """Return the decoder steps and attention weights."""
        trace = cached.trace
        return TraceResponse(
            run=run,
            text=trace.text,
            source_tokens=list(trace.source_tokens),
            steps=decoder_steps(trace),
            attention=attention_rows(trace.attention),
            pictures=self._picture_names(trace),
        )

    def trace(self, run: str, text: str, target: str | None, beam_size: int | None) -> CachedTrace:
        """Trace a sentence, or return its cached trace.

        Raises:
            Seq2SeqError: as in `Translator.trace`.
            TooLargeError: the sentence is too long for a model of this size.
        """
        key = (run, text, target, beam_size)
        cached = self._traces.pop(key, None)
        if cached is None:
            values = max_trace_values(self.translators[run], text, target)
            if values > MAX_TRACE_VALUES:
                raise TooLargeError(
                    f"the trace of this sentence may have {values:,} gate and state values, the limit is "
                    f"{MAX_TRACE_VALUES:,}: shorten it"
                )
            cached = CachedTrace(self.translators[run].trace(text, target=target, beam_size=beam_size))
        self._traces[key] = cached  # the newest last
        self._remove_oldest()
        return cached

    def _remove_oldest(self) -> None:
        while len(self._traces) > 1 and sum(other.bytes for other in self._traces.values()) > CACHE_BYTES:
            del self._traces[next(iter(self._traces))]

    def picture(self, cached: CachedTrace, name: str) -> bytes:
        """Draw a picture as PNG.

        Raises:
            DataError: the name is unknown.
            TooLargeError: the sentence is too long for pictures.
        """
        draws, trace = drawings(cached.trace), cached.trace
        if name not in draws:
            raise DataError(f"there is no picture with this name: choose one of {', '.join(draws)}")
        if name not in self._picture_names(trace):
            raise TooLargeError(
                f"this sentence has {longer_side(trace):,} tokens and {len(trace.tree):,} hypotheses, the limit for "
                f"pictures is {self.limits.picture_tokens:,} and {MAX_TREE_HYPOTHESES:,}: shorten it"
            )
        if name not in cached.pictures:
            cached.pictures[name] = draws[name]()
            gc.collect()  # a figure with all its pixels is part of a reference cycle
            self._remove_oldest()
        return cached.pictures[name]

    def _picture_names(self, trace: Trace) -> list[str]:
        """Return the names of pictures that need little time and memory."""
        if longer_side(trace) > self.limits.picture_tokens:
            return []
        return [name for name in drawings(trace) if name != "tree" or len(trace.tree) <= MAX_TREE_HYPOTHESES]


def max_trace_values(translator: Translator, text: str, target: str | None) -> int:
    """Return the most values of a trace: four gates and two states of every unit at every position of its side."""
    members, config = translator.ensemble, translator.ensemble.translators[0].network.config
    source = 1 + len(members.encoded([text])[1][0])
    if target is None:
        steps = int(translator.search.max_lengths(torch.tensor([source]))[0])
    else:
        steps = 1 + len(members.target.encode(target))
    encoder, decoder = config.encoder, config.decoder
    return 6 * (source * encoder.layers * encoder.width + steps * decoder.layers * decoder.size)


def longer_side(trace: Trace) -> int:
    """Return the number of tokens of the longer side."""
    return max(len(trace.source_tokens), len(trace.input_tokens))


def decoder_steps(trace: Trace) -> list[DecoderStep]:
    """Return input token, output token and other probable tokens of each step."""
    alternatives = trace.alternative_log_probabilities.exp().tolist()
    return [
        DecoderStep(
            read=trace.input_tokens[step],
            predicted=predicted,
            probability=math.exp(float(trace.log_probabilities[step])),
            alternatives=[
                TokenAlternative(token=token, probability=probability)
                for token, probability in zip(trace.alternative_tokens[step], alternatives[step], strict=True)
            ],
        )
        for step, predicted in enumerate(trace.target_tokens)
    ]

"""Sentences looked into: a picture is drawn when it is asked for, and the last ones are kept."""

import math
from collections.abc import Mapping
from functools import lru_cache

from seq2seq.errors import DataError
from seq2seq.inspect.trace import Trace
from seq2seq.inspect.trace_page import drawings
from seq2seq.serving.answers import weights
from seq2seq.serving.schemas import RunnerUp, Step, TraceAnswer
from seq2seq.translate import Translator

KEPT = 8
"""Traces; one of a long sentence takes some megabytes."""

DRAWN = 64
"""Pictures; one takes some ten kilobytes and up to seconds to draw."""


class Microscope:
    """Traces and pictures of these translators; for one thread.

    Args:
        translators: by name.
    """

    def __init__(self, translators: Mapping[str, Translator]) -> None:
        self.translators = translators
        self._traced = lru_cache(KEPT)(self._trace)
        self.picture = lru_cache(DRAWN)(self._picture)

    def trace(self, run: str, text: str, target: str | None, beam_size: int | None) -> TraceAnswer:
        """What is read first: step by step, and attention.

        Raises:
            Seq2SeqError: as `Translator.trace`.
        """
        found = self._traced(run, text, target, beam_size)
        return TraceAnswer(
            run=run,
            text=found.text,
            source_pieces=list(found.source_pieces),
            steps=steps(found),
            attention=weights(found.attention),
            pictures=list(drawings(found)),
        )

    def _picture(self, run: str, text: str, target: str | None, beam_size: int | None, name: str) -> bytes:
        """A picture, as PNG.

        Raises:
            DataError: there is none of that name.
            Seq2SeqError: as `Translator.trace`.
        """
        draws = drawings(self._traced(run, text, target, beam_size))
        if name not in draws:
            raise DataError(f"there is no picture of that name: ask for one of {', '.join(draws)}")
        return draws[name]()

    def _trace(self, run: str, text: str, target: str | None, beam_size: int | None) -> Trace:
        return self.translators[run].trace(text, target=target, beam_size=beam_size)


def steps(trace: Trace) -> list[Step]:
    """What the decoder read and predicted, with the likeliest other pieces."""
    others = trace.runner_up_log_probabilities.exp().tolist()
    return [
        Step(
            read=trace.read_pieces[step],
            predicted=predicted,
            probability=math.exp(float(trace.log_probabilities[step])),
            runners_up=[
                RunnerUp(piece=piece, probability=share)
                for piece, share in zip(trace.runner_up_pieces[step], others[step], strict=True)
            ],
        )
        for step, predicted in enumerate(trace.target_pieces)
    ]

"""Show a translation while it is searched."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from seq2seq.inference.members import Members
from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.portable.translation import join_translations
from seq2seq.search import Hypothesis, stream_beam_search
from seq2seq.translation.batching import split_request
from seq2seq.translation.decoding import RankedHypothesis, SearchOptions, bind, translation
from seq2seq.translation.types import Request, Translation


def stream_translation(members: Members, request: Request, options: SearchOptions) -> Iterator[Translation]:
    """Yield partial translations and then the translation, as `Translator.stream`; the options are checked."""
    if len(request.text) <= MAX_SEGMENT:
        yield from _stream_sentence(members, request, options)
        return
    done: list[Translation] = []
    for part in split_request(members, request):
        latest = list[Translation]()
        for partial in _stream_sentence(members, part, options):
            latest = [partial]
            yield join_translations(Translation, request.text, [*done, partial], options.search.length_penalty)
        done += latest
    if not done:
        yield join_translations(Translation, request.text, [], options.search.length_penalty)


@torch.inference_mode()
def _stream_sentence(members: Members, request: Request, options: SearchOptions) -> Iterator[Translation]:
    encoded, longest = members.encoded([request.text])
    if not longest[0]:
        yield join_translations(Translation, request.text, [], options.search.length_penalty)
        return
    bound, shown = bind(members, [request], encoded), ""
    for tokens, result in stream_beam_search(bound.stepper, options.search):
        hypothesis = result or Hypothesis(tokens, math.nan, math.nan, finished=False)
        hypothesis = hypothesis._replace(tokens=bound.ids(hypothesis.tokens))
        partial = translation(members, request.text, encoded[0][0], RankedHypothesis(hypothesis))
        text = partial.text.rstrip("\ufffd")  # the first bytes of an incomplete character
        if result is not None:
            yield partial
        elif len(text) > len(shown):
            shown = text
            yield replace(partial, text=text)

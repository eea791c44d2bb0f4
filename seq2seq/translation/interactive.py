"""A translation while it is made: shown growing, and the words that may come next."""

import math
from collections.abc import Iterator
from dataclasses import replace

import torch

from seq2seq.corpora.segments import LONGEST
from seq2seq.errors import ConfigError
from seq2seq.inference.members import Members
from seq2seq.search import Hypothesis, NextWord, growing, next_words, normalized
from seq2seq.tokenizer.spelling import split_prefix
from seq2seq.translation.answer import Asked, Choice, bind, translation
from seq2seq.translation.batching import in_stretches
from seq2seq.translation.types import Request, Translation, joined


def growing_translation(members: Members, request: Request, asked: Asked) -> Iterator[Translation]:
    """`Translator.stream`, of a request and settings that were checked."""
    if len(request.text) <= LONGEST:
        yield from _growing(members, request, asked)
        return
    done: list[Translation] = []
    for part in in_stretches(members, request):
        shown = list[Translation]()
        for one in _growing(members, part, asked):
            shown = [one]
            yield joined(request.text, [*done, one], asked.search.length_penalty)
        done += shown
    if not done:
        yield joined(request.text, [], asked.search.length_penalty)


@torch.inference_mode()
def _growing(members: Members, request: Request, asked: Asked) -> Iterator[Translation]:
    encoded, longest = members.encoded([request.text])
    if not longest[0]:
        yield joined(request.text, [], asked.search.length_penalty)
        return
    bound, shown = bind(members, [request], encoded), ""
    for tokens, result in growing(bound.stepper, asked.search):
        one = result or Hypothesis(tokens, math.nan, math.nan, finished=False)
        one = one._replace(tokens=bound.ids(one.tokens))
        found = translation(members, request.text, encoded[0][0], Choice(one))
        text = found.text.rstrip("\ufffd")  # a character of which only the first bytes are there
        if result is not None:
            yield found
        elif len(text) > len(shown):
            shown = text
            yield replace(found, text=text)


@torch.inference_mode()
def suggestions(members: Members, text: str, prefix: str, count: int) -> list[NextWord]:
    """`Translator.suggest`."""
    if count < 1:
        raise ConfigError(f"count must be at least 1, got {count}")
    members.require_full_vocabulary("a suggestion")
    given, begun = split_prefix(prefix)
    stepper = members.bind(members.encoded([text])[0]).stepper
    if members.language_model is not None:
        stepper = normalized(stepper)
    return next_words(stepper, members.target.encode(given), begun, members.spelling, count)

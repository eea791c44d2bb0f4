"""Other words at a position of a translation, each with the best translation that contains it."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from fastapi import Request as HttpRequest

from seq2seq.corpora.words import NO_SPACES
from seq2seq.errors import Seq2SeqError
from seq2seq.serving.executor import TranslationExecutor
from seq2seq.serving.limits import BatchKey
from seq2seq.serving.responses import client_address, result_of, translation_message
from seq2seq.serving.schemas import Alternative, AlternativesRequest
from seq2seq.translation.types import Request, Translation

UNSPACED = re.compile(rf"{NO_SPACES}|[\u3001-\u303f\uff01-\uff65]")
"""A letter or a punctuation mark that other words follow without a space."""


async def suggest_alternatives(
    executor: TranslationExecutor, key: BatchKey, request: AlternativesRequest, http_request: HttpRequest
) -> list[Alternative]:
    """Return the most probable words after ``request.before``, each with a translation that starts with both.

    Raises:
        BusyError: the queue is full.
        DisconnectedError: the client has disconnected.
        Seq2SeqError: the vocabulary cannot express ``request.before``.
    """
    translator = executor.translators[key.run]
    spaced = translator.ensemble.target.word_level
    before = " ".join(request.before.split())
    if before and (spaced or request.before[-1].isspace() or not UNSPACED.match(before[-1])):
        before += " "
    complete_words, typed = before[: before.rfind(" ") + 1], before[before.rfind(" ") + 1 :]
    suggest = partial(translator.suggest, request.text, before, request.count + 1)
    pending = executor.call(key, [request.text, before], suggest, client_address(http_request))
    suggestions = await result_of(pending, http_request)
    words = [suggestion for suggestion in suggestions if suggestion.word != typed][: request.count]  # without EOS
    prefixes = [complete_words + word.word for word in words]
    translations = await _translations(executor, key, request.text, prefixes, http_request)
    # A prefix may end within a word, so the model may have extended the word: then a space ends it.
    complete = [
        prefix if translation is None or keeps_words(translation.text, prefix, spaced) else f"{prefix} "
        for translation, prefix in zip(translations, prefixes, strict=True)
    ]
    extended = [ended for ended, prefix in zip(complete, prefixes, strict=True) if ended != prefix]
    retried = await _translations(executor, key, request.text, extended, http_request)
    corrected = dict(zip(extended, retried, strict=True))
    chosen = [
        (word, corrected.get(ended, translation))
        for word, ended, translation in zip(words, complete, translations, strict=True)
    ]
    return [
        Alternative(
            word=word.word.removeprefix(typed),
            probability=word.probability,
            translation=translation_message(translation),
        )
        for word, translation in chosen
        if translation is not None
    ]


def keeps_words(text: str, prefix: str, spaced: bool = False) -> bool:
    """Return whether a text starts with a prefix and ends its last word there.

    Args:
        text: a translation.
        prefix: of the translation.
        spaced: whether spaces separate words in all scripts, as in the text of a vocabulary of words.
    """
    rest = text.removeprefix(prefix)
    unspaced = not spaced and any(UNSPACED.match(side) for side in (prefix[-1:], rest[:1]))
    return text.startswith(prefix) and (rest[:1] in ("", " ") or unspaced)


async def _translations(
    executor: TranslationExecutor, key: BatchKey, text: str, prefixes: Sequence[str], http_request: HttpRequest
) -> list[Translation | None]:
    """Translate a sentence with each prefix; None: the vocabulary cannot express the prefix."""
    key = replace(key, n_best=1, attention=False)
    pending = [executor.translate(key, [Request(text, prefix)], client_address(http_request)) for prefix in prefixes]
    results = await asyncio.gather(*(result_of(each, http_request) for each in pending), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, Seq2SeqError):
            raise result
    return [None if isinstance(result, BaseException) else result[0] for result in results]

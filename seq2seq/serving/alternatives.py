"""Other words at a place of a translation, each with the translation that it leads to."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from fastapi import Request as Asking

from seq2seq.errors import Seq2SeqError
from seq2seq.serving.answers import answer
from seq2seq.serving.limits import client_of, received
from seq2seq.serving.schemas import Alternative, AlternativesQuestion
from seq2seq.serving.size import How
from seq2seq.serving.worker import Worker
from seq2seq.translation.types import Request, Translation


async def alternatives(worker: Worker, how: How, question: AlternativesQuestion, asking: Asking) -> list[Alternative]:
    """The likeliest words behind ``question.before``, and the rest translated anew behind each.

    Raises:
        BusyError: there is too much to do.
        GoneError: the client has left.
        Seq2SeqError: no pieces of the vocabulary write what is before.
    """
    before = f"{' '.join(question.before.split())} ".lstrip()
    translator = worker.translators[how.run]
    suggest = partial(translator.suggest, question.text, before, question.count + 1)
    called = worker.call(how, [question.text, before], suggest, client_of(asking))
    suggested = await received(called, asking)
    found = [one for one in suggested if one.word][: question.count]  # without the end of the sentence
    beginnings = [before + one.word for one in found]
    plain = await _translations(worker, how, question.text, beginnings, asking)
    # A beginning may end within a word, so the model may have gone on in it: then another word is asked for behind it.
    pairs = zip(plain, beginnings, strict=True)
    longer = [text if one is None or keeps(one.text, text) else f"{text} " for one, text in pairs]
    again = [text for text, beginning in zip(longer, beginnings, strict=True) if text != beginning]
    retried = await _translations(worker, how, question.text, again, asking)
    anew = dict(zip(again, retried, strict=True))
    chosen = [(word, anew.get(text, one)) for word, text, one in zip(found, longer, plain, strict=True)]
    return [
        Alternative(word=word.word, probability=word.probability, translation=answer(one))
        for word, one in chosen
        if one is not None
    ]


def keeps(text: str, beginning: str) -> bool:
    """Whether a text begins so, the last word complete."""
    return f"{text} ".startswith(f"{beginning} ")


async def _translations(
    worker: Worker, how: How, text: str, beginnings: Sequence[str], asking: Asking
) -> list[Translation | None]:
    """A translation for each beginning; None where it cannot be one."""
    how = replace(how, n_best=1, attention=False)
    asked = [worker.translate(how, [Request(text, beginning)], client_of(asking)) for beginning in beginnings]
    found = await asyncio.gather(*(received(one, asking) for one in asked), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException) and not isinstance(one, Seq2SeqError):
            raise one
    return [None if isinstance(one, BaseException) else one[0] for one in found]

"""A batch of requests in, translations out: conditions on the way into a search, text on the way out of it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.errors import ConfigError
from seq2seq.inference.members import BoundMembers, EncodedSources, Members
from seq2seq.metrics.similarity import Similarity, expected_utilities
from seq2seq.search import DRAWING, Hypothesis, Method, Phrase, PrefixStepper, SearchConfig, search
from seq2seq.settings import validate
from seq2seq.tokenizer.spelling import given_pieces, phrase_pieces, typed, whole_characters
from seq2seq.tokenizer.tokenizer import normalize
from seq2seq.translation.copying import copied
from seq2seq.translation.types import Copy, Request, Translation


@dataclass(frozen=True)
class Asked:
    """What is wanted of all sentences alike."""

    search: SearchConfig
    attention: bool = False
    copy: Copy = Copy.none

    def check(self, members: Members) -> None:
        """Hold that it makes sense, and that these members can do it.

        Raises:
            ConfigError: names what is out of range, contradicts another setting or is beyond the members.
        """
        validate(self.search, "search")
        self.search.check()
        if self.copy is not Copy.none and not members.attends:
            raise ConfigError(
                f"copy={self.copy} goes by attention, and the model has none: train one with model=attention"
            )
        if self.copy is Copy.unknown and not members.target.word_level:
            raise ConfigError(
                "copy=unknown replaces <unk>, and only vocabularies of words (tokenizer=word) write it: leave it out"
            )


def asked_of(
    members: Members,
    search: SearchConfig,
    beam_size: int | None,
    n_best: int | None,
    *,
    attention: bool = False,
    copy: Copy = Copy.none,
) -> Asked:
    """What a call wants, checked; ``beam_size`` and ``n_best`` take the place of those of ``search``.

    Raises:
        ConfigError: names what is out of range, contradicts another setting or is beyond the members.
    """
    if beam_size is not None and search.method in DRAWING:
        raise ConfigError(f"beam_size={beam_size} does nothing with search.method={search.method}: leave it out")
    search = replace(search, beam_size=search.beam_size if beam_size is None else beam_size)
    search = replace(search, n_best=search.n_best if n_best is None else n_best)
    if copy not in list(Copy):
        raise ConfigError(f"copy must be one of {', '.join(Copy)}, got {copy}")
    asked = Asked(search, attention, Copy(copy))
    asked.check(members)
    return asked


class Choice(NamedTuple):
    """A hypothesis that was chosen."""

    hypothesis: Hypothesis
    utility: float | None = None


def bind(
    members: Members, requests: Sequence[Request], encoded: EncodedSources, method: Method = Method.beam
) -> BoundMembers:
    """The members reading a batch, each sentence held to its prefix.

    Methods that do not look for the likeliest are held to text (`CharacterStepper`).

    Raises:
        ConfigError: a prefix or phrases are asked for beside a short-list.
        DataError: no pieces write a prefix.
    """
    prefixes = [typed(request.prefix) for request in requests]
    for what, asked in (("a prefix", any(prefixes)), ("a phrase", any(request.phrases for request in requests))):
        if asked:
            members.require_full_vocabulary(what)
    bound = members.bind(encoded)
    if method != Method.beam:
        bound = bound.text_only(members)
    if not any(prefixes):
        return bound
    given = [given_pieces(members.target, request.prefix, members.spelling) for request in requests]
    return bound._replace(stepper=PrefixStepper(bound.stepper, prefixes, *members.indexes, given))


@torch.inference_mode()
def answers(members: Members, requests: Sequence[Request], encoded: EncodedSources, asked: Asked) -> list[Translation]:
    """Translate sentences together.

    Args:
        members: what translates.
        requests: the sentences.
        encoded: their pieces, for every member.
        asked: how, and what to tell.
    """
    bound = bind(members, requests, encoded, asked.search.method)
    seeds = [own_seed(asked.search.seed, request.text) for request in requests]
    phrases = [
        [Phrase(phrase_pieces(members.target, phrase), members.inner) for phrase in dict.fromkeys(request.phrases)]
        for request in requests
    ]

    def text(one: Hypothesis) -> str:
        return read(members, one._replace(tokens=bound.ids(one.tokens)))

    found = search(bound.stepper, asked.search, seeds, phrases, text)
    ranked = [
        chosen(members, [one._replace(tokens=bound.ids(one.tokens)) for one in all], asked.search) for all in found
    ]
    weights = _attention(members, encoded[0], ranked) if asked.attention or asked.copy is not Copy.none else None
    translations, number = [], 0
    for request, source, choices in zip(requests, encoded[0], ranked, strict=True):
        own = [None] * len(choices) if weights is None else weights[number : number + len(choices)]
        number += len(choices)
        n_best = [
            _finished(translation(members, request.text, source, choice, weight), asked)
            for choice, weight in zip(choices, own, strict=True)
        ]
        if asked.search.method != Method.sampling:  # copying may have made some alike
            n_best = [one for place, one in enumerate(n_best) if one.text not in {two.text for two in n_best[:place]}]
        translations.append(replace(n_best[0], n_best=tuple(n_best)) if asked.search.n_best > 1 else n_best[0])
    return translations


def own_seed(seed: int, text: str) -> int:
    """The seed of a sentence's draws: of the seed and the sentence alone, wherever it stands."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {normalize(text)}".encode(), digest_size=8).digest()) >> 1


def translation(
    members: Members, text: str, source: Sequence[int], choice: Choice, attention: Tensor | None = None
) -> Translation:
    """A translation from its pieces."""
    hypothesis, first = choice.hypothesis, members.translators[0]
    return Translation(
        source=text,
        text=read(members, hypothesis),
        score=hypothesis.score,
        log_probability=hypothesis.log_probability,
        pieces=tuple(members.target.pieces(hypothesis.tokens)),
        source_pieces=tuple(first.tokenizers.source.pieces(source)),
        attention=attention,
        utility=choice.utility,
        finished=hypothesis.finished,
    )


def read(members: Members, hypothesis: Hypothesis) -> str:
    """The text of a hypothesis; of one that was cut off within a character, without its first bytes."""
    tokens = hypothesis.tokens
    return members.target.decode(tokens if hypothesis.finished else whole_characters(tokens, members.single_bytes))


def chosen(members: Members, found: list[Hypothesis], config: SearchConfig) -> list[Choice]:
    """What was found, or, of many drawn, those of the least Bayes risk, finished before cut.

    Of equal texts the likeliest stands for all, one that is finished before one that is cut.
    """
    if config.method != Method.minimum_bayes_risk:
        return [Choice(one) for one in found]
    if members.on_step is not None:  # comparing many drawn translations takes as long as steps do
        members.on_step()
    likeliest: dict[str, Hypothesis] = {}
    texts = [read(members, one) for one in found]
    for text, one in zip(texts, found, strict=True):
        known = likeliest.setdefault(text, one)
        if (one.finished, one.score) > (known.finished, known.score):
            likeliest[text] = one
    utilities = expected_utilities(texts, _similarity(str(config.utility), members.target_language))
    best = sorted(utilities, key=lambda text: (not likeliest[text].finished, -utilities[text], -likeliest[text].score))
    return [Choice(likeliest[text], utilities[text]) for text in best[: config.n_best]]


@lru_cache
def _similarity(metric: str, language: str) -> Similarity:
    return Similarity(metric, language)


def _attention(members: Members, sources: list[list[int]], ranked: list[list[Choice]]) -> list[Tensor] | None:
    """Weights of every translation of every sentence in turn; None without attention."""
    pairs = [
        (source, choice.hypothesis.tokens)
        for source, choices in zip(sources, ranked, strict=True)
        for choice in choices
    ]
    return members.attention([source for source, _ in pairs], [target for _, target in pairs])


def _finished(found: Translation, asked: Asked) -> Translation:
    """With what it takes from its source; without attention weights that nobody asked for."""
    text = found.text if asked.copy is Copy.none else copied(found, asked.copy)
    return replace(found, text=text, attention=found.attention if asked.attention else None)

"""Translate one batch: encode constraints, search, and turn hypotheses into translations."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.corpora.words import is_unspaced
from seq2seq.errors import ConfigError, DataError
from seq2seq.inference.members import BoundMembers, EncodedSources, Members
from seq2seq.metrics.similarity import Similarity, expected_utilities
from seq2seq.portable.placeholders import SYMBOLS
from seq2seq.portable.text import complete_characters
from seq2seq.search import SAMPLING_METHODS, Hypothesis, Method, Phrase, PrefixStepper, SearchConfig, search
from seq2seq.settings import validate
from seq2seq.tokenizer.normalization import normalize
from seq2seq.tokenizer.token_bytes import phrase_tokens, prefix_bytes, stable_prefix_tokens
from seq2seq.translation.config import Copy
from seq2seq.translation.copying import copy_from_source
from seq2seq.translation.types import Glossary, Request, Translation


@dataclass(frozen=True)
class SearchOptions:
    """The options that all sentences of a call share."""

    search: SearchConfig
    attention: bool = False
    copy: Copy = Copy.none

    def check(self, members: Members) -> None:
        """Check the options against each other and against the models.

        Raises:
            ConfigError: a setting is out of range, contradicts another, or is not supported by the models.
        """
        validate(self.search, "search")
        self.search.check()
        if self.copy is not Copy.none and not members.attends:
            raise ConfigError(
                f"copy={self.copy} needs attention, and the model has none: train one with model=attention"
            )
        if self.copy is Copy.unknown and not members.target.word_level:
            raise ConfigError(
                "copy=unknown replaces <unk>, which only word vocabularies (tokenizer=word) write: leave it out"
            )


def search_options(
    members: Members,
    search: SearchConfig,
    beam_size: int | None,
    n_best: int | None,
    *,
    attention: bool = False,
    copy: Copy | str = Copy.none,
) -> SearchOptions:
    """Return checked options; ``beam_size`` and ``n_best`` override those of ``search`` unless they are None.

    Raises:
        ConfigError: a setting is out of range, contradicts another, or is not supported by the models.
    """
    if beam_size is not None and search.method in SAMPLING_METHODS:
        raise ConfigError(f"beam_size={beam_size} does nothing with search.method={search.method}: leave it out")
    search = replace(search, beam_size=search.beam_size if beam_size is None else beam_size)
    search = replace(search, n_best=search.n_best if n_best is None else n_best)
    if copy not in list(Copy):
        raise ConfigError(f"copy must be one of {', '.join(Copy)}, got {copy}")
    options = SearchOptions(search, attention, Copy(copy))
    options.check(members)
    return options


class RankedHypothesis(NamedTuple):
    """A hypothesis and, for minimum Bayes risk, its utility."""

    hypothesis: Hypothesis
    utility: float | None = None


def bind(
    members: Members, requests: Sequence[Request], encoded: EncodedSources, method: Method = Method.beam
) -> BoundMembers:
    """Bind the models to a batch, with the prefix of each request.

    Methods other than beam search may only write valid text (`CharacterStepper`), as improbable tokens come up.

    Raises:
        ConfigError: a prefix or phrases are used with a shortlist.
        DataError: no tokens write a prefix.
    """
    begun = [members.protected(request.prefix, request.text) for request in requests]
    prefixes = [prefix_bytes(prefix, members.target.normalization) for prefix in begun]
    for what, used in (("a prefix", any(prefixes)), ("a phrase", any(request.phrases for request in requests))):
        if used:
            members.require_full_vocabulary(what)
    bound = members.bind(encoded)
    if method != Method.beam:
        bound = bound.text_only(members)
    if not any(prefixes):
        return bound
    given = [stable_prefix_tokens(members.target, prefix, members.spelling) for prefix in begun]
    return bound._replace(stepper=PrefixStepper(bound.stepper, prefixes, *members.indexes, given))


def constraint(members: Members, text: str) -> Phrase:
    """A phrase that a translation contains; beside any letters, if its script and the vocabulary have no spaces.

    Raises:
        ConfigError: the phrase is blank.
        DataError: the vocabulary cannot write one of its words.
    """
    characters, inner = members.target.normalize(text), members.inner_without_spaces
    if inner is None or not characters:
        return Phrase(phrase_tokens(members.target, text), members.inner)
    tokens = phrase_tokens(members.target, text, after_letter=any(map(is_unspaced, characters)))
    with_space = b" " + (members.spelling[tokens[0]] or b"")
    other_first = members.spelling.index(with_space) if with_space in members.spelling else None
    return Phrase(tokens, inner[is_unspaced(characters[-1])], other_first)


def check_glossary(members: Members, glossary: Glossary, search: SearchConfig) -> None:
    """Check that every term of a glossary can be written, before a file is translated up to the first that cannot.

    Raises:
        ConfigError: the search cannot force phrases, or there is a shortlist.
        DataError: the vocabulary cannot write a translation.
    """
    if search.method != Method.beam:
        raise ConfigError(f"search.method={search.method} cannot force phrases: set search.method=beam")
    members.require_full_vocabulary("a glossary")
    for term, target in glossary.translations.items():
        try:
            constraint(members, target)
        except DataError as error:
            raise DataError(f"glossary, term {term!r}: {error}") from None


@torch.inference_mode()
def translate_batch(
    members: Members, requests: Sequence[Request], encoded: EncodedSources, options: SearchOptions
) -> list[Translation]:
    """Translate a batch of sentences.

    Args:
        members: the models.
        requests: the sentences.
        encoded: their source tokens, for every member.
        options: how to search, and what to return.
    """
    bound = bind(members, requests, encoded, options.search.method)
    seeds = [sentence_seed(options.search.seed, request.text) for request in requests]
    phrases = [
        [constraint(members, members.protected(phrase, request.text)) for phrase in dict.fromkeys(request.phrases)]
        for request in requests
    ]

    def text_of(hypothesis: Hypothesis) -> str:
        return decode(members, hypothesis._replace(tokens=bound.ids(hypothesis.tokens)))

    results = search(bound.stepper, options.search, seeds, phrases, text_of)
    ranked = [
        rank(members, [each._replace(tokens=bound.ids(each.tokens)) for each in hypotheses], options.search)
        for hypotheses in results
    ]
    needs_attention = options.attention or options.copy is not Copy.none
    attention = iter(_attention(members, encoded[0], ranked) or ()) if needs_attention else iter(())
    translations = []
    for request, source, candidates in zip(requests, encoded[0], ranked, strict=True):
        n_best = []
        for candidate in candidates:
            found = translation(members, request.text, source, candidate, next(attention, None))
            if options.copy is not Copy.none:
                found = with_text(members, found, copied(members, found, candidate, options.copy))
            n_best.append(found if options.attention else replace(found, attention=None))
        if options.search.method != Method.sampling:  # copying may have made texts equal
            n_best = list(_first_by_text(n_best).values())
        translations.append(replace(n_best[0], n_best=tuple(n_best)) if options.search.n_best > 1 else n_best[0])
    return translations


def copied(members: Members, found: Translation, candidate: RankedHypothesis, copy: Copy) -> str:
    """The text with words copied from the source, while symbols stand for placeholders, which may contain spaces."""
    source, text = members.protected(found.source, found.source), decode(members, candidate.hypothesis)
    tags = members.source_tokenizers[0].tags - {*SYMBOLS}
    text = copy_from_source(replace(found, source=source, text=text), copy, tags)
    return members.target.normalize(members.restored(text, found.source))


def _first_by_text(translations: Sequence[Translation]) -> dict[str, Translation]:
    """Return the first translation of each text, in order."""
    first: dict[str, Translation] = {}
    for each in translations:
        first.setdefault(each.text, each)
    return first


def sentence_seed(seed: int, text: str) -> int:
    """Return the random seed of a sentence, a function of the search's seed and the text alone."""
    return int.from_bytes(hashlib.blake2b(f"{seed} {normalize(text)}".encode(), digest_size=8).digest()) >> 1


def translation(
    members: Members, text: str, source: Sequence[int], candidate: RankedHypothesis, attention: Tensor | None = None
) -> Translation:
    """Build a translation of ``text`` from a candidate and the source tokens of the first member."""
    hypothesis, first = candidate.hypothesis, members.translators[0]
    written = members.restored(decode(members, hypothesis), text)
    built = Translation(
        source=text,
        text=written,
        score=hypothesis.score,
        log_probability=hypothesis.log_probability,
        tokens=tuple(members.target.tokens(hypothesis.tokens)),
        source_tokens=tuple(first.tokenizers.source.tokens(source)),
        attention=attention,
        utility=candidate.utility,
        finished=hypothesis.finished,
    )
    return with_text(members, built, written)


def with_text(members: Members, found: Translation, text: str) -> Translation:
    """The translation with a text, and the placeholders that it has too few or too many of."""
    if members.placeholders is None:
        return replace(found, text=text)
    difference = members.placeholders.compare(found.source, text)
    return replace(found, text=text, lost_placeholders=difference.lost, added_placeholders=difference.added)


def decode(members: Members, hypothesis: Hypothesis) -> str:
    """Return the text of a hypothesis; an unfinished one loses the bytes of an incomplete last character."""
    tokens = hypothesis.tokens
    return members.target.decode(tokens if hypothesis.finished else complete_characters(tokens, members.single_bytes))


def rank(members: Members, hypotheses: list[Hypothesis], config: SearchConfig) -> list[RankedHypothesis]:
    """Return the candidates, best first: by utility for minimum Bayes risk, else in the given order.

    For minimum Bayes risk, hypotheses of equal text are represented by the best: finished before unfinished, then by
    score.
    """
    if config.method != Method.minimum_bayes_risk:
        return [RankedHypothesis(each) for each in hypotheses]
    if members.on_step is not None:  # comparing the samples takes as long as search steps do
        members.on_step()
    best: dict[str, Hypothesis] = {}
    texts = [decode(members, each) for each in hypotheses]
    for text, each in zip(texts, hypotheses, strict=True):
        other = best.setdefault(text, each)
        if (each.finished, each.score) > (other.finished, other.score):
            best[text] = each
    utilities = expected_utilities(texts, _similarity(str(config.utility), members.target_language))
    ranked = sorted(utilities, key=lambda text: (not best[text].finished, -utilities[text], -best[text].score))
    return [RankedHypothesis(best[text], utilities[text]) for text in ranked[: config.n_best]]


@lru_cache
def _similarity(metric: str, language: str) -> Similarity:
    return Similarity(metric, language)


def _attention(members: Members, sources: list[list[int]], ranked: list[list[RankedHypothesis]]) -> list[Tensor] | None:
    """Return the weights of every candidate of every sentence in turn; None without attention."""
    pairs = [
        (source, candidate.hypothesis.tokens)
        for source, candidates in zip(sources, ranked, strict=True)
        for candidate in candidates
    ]
    return members.attention([source for source, _ in pairs], [target for _, target in pairs])

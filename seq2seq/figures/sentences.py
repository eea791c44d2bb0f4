"""Sentences for the figures contexts and interpolation: those of the settings, or a default set."""

from collections.abc import Iterable
from itertools import islice, pairwise

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.lines import read_input
from seq2seq.errors import ConfigError, DataError, counted
from seq2seq.figures.config import ContextsConfig, InterpolationConfig
from seq2seq.portable.normalization import is_blank

ROLES = [
    "The woman helps the man.",
    "The man helps the woman.",
    "The woman thanks the man.",
    "The man thanks the woman.",
    "The woman talks to the man.",
    "The man talks to the woman.",
]
"""Subject and object swapped, with three verbs: a bag of words cannot distinguish the two."""

ORDERS = [
    "I gave her a letter on Monday.",
    "On Monday I gave her a letter.",
    "She gave me a letter on Monday.",
    "On Monday she gave me a letter.",
    "They gave us a letter on Monday.",
    "On Monday they gave us a letter.",
]
"""The same statement in two word orders, with three subjects: the built-in grammar has no passive voice."""

ENDS = [
    "She sleeps.",
    "The old man did not sell the house yesterday.",
    "Does the boy want to read the book?",
]
"""A short statement, a long negated one, and a question."""

PANEL_SIZE = 12
WORDS = range(3, 13)


def context_panels(config: ContextsConfig, corpus: Corpus | None) -> list[list[str]]:
    """Return the sentences of each panel of figure contexts.

    They are those of the settings if given. For the built-in corpus they are counterparts of Sutskever et al. 2014,
    figure 2: swapped roles, and another word order. For another corpus they are the first `PANEL_SIZE` sentences with
    3 to 12 words.

    Raises:
        DataError: the file cannot be read, or a panel has fewer than three sentences.
        ConfigError: no sentences are given and the corpus has too few.
    """
    if config.sentences:
        panels, origin = [config.sentences], "contexts.sentences"
    elif config.input is not None:
        panels, origin = split_at_blank_lines(read_input(config.input)[0]), config.input
    elif isinstance(corpus, BuiltinCorpus):
        return [ROLES, ORDERS]
    else:
        panels = [first_sentences(corpus, PANEL_SIZE, "contexts.sentences or contexts.input=FILE")]
        origin = "the test set"
    if not panels or min(map(len, panels)) < 3:
        raise DataError(f"{origin} has a panel with fewer than three sentences: give at least three, to be projected")
    return panels


def interpolation_ends(config: InterpolationConfig, corpus: Corpus | None) -> list[tuple[str, str]]:
    """Return the two sentences of each panel of figure interpolation.

    Raises:
        ConfigError: no sentences are given and the corpus has too few.
    """
    if config.sentences:
        sentences = config.sentences
    elif isinstance(corpus, BuiltinCorpus):
        sentences = ENDS
    else:
        sentences = first_sentences(corpus, 3, "interpolation.sentences")
    return list(pairwise(sentences))


def split_at_blank_lines(lines: Iterable[str]) -> list[list[str]]:
    """Return groups of stripped lines; blank lines separate groups."""
    groups: list[list[str]] = [[]]
    for line in lines:
        if not is_blank(line):
            groups[-1].append(line.strip())
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


def first_sentences(corpus: Corpus | None, count: int, setting: str) -> list[str]:
    """Return the first distinct sources with 3 to 12 words.

    Args:
        corpus: the test set.
        count: number of sentences.
        setting: the setting that could give sentences, for the error message.

    Raises:
        ConfigError: there is no test set, or it has too few such sentences.
    """
    fitting = (pair.source for pair in corpus or () if len(pair.source.split()) in WORDS)
    sentences = list(islice(dict.fromkeys(islice(fitting, 50 * count)), count))
    if len(sentences) < count:
        raise ConfigError(
            f"there is no test set with {counted(count, 'sentence')} of 3 to 12 words: give sentences with {setting}"
        )
    return sentences

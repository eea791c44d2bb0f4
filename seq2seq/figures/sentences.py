"""Which sentences are looked at: those that are named, else a set whose words, roles and order vary."""

from collections.abc import Iterable
from itertools import islice, pairwise

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.corpus import Corpus
from seq2seq.corpora.lines import read_input
from seq2seq.errors import ConfigError, DataError
from seq2seq.figures.config import ContextsConfig, InterpolationConfig

ROLES = [
    "The woman helps the man.",
    "The man helps the woman.",
    "The woman thanks the man.",
    "The man thanks the woman.",
    "The woman talks to the man.",
    "The man talks to the woman.",
]
"""Who does it to whom, with three verbs: a bag of words cannot tell the two apart."""

ORDERS = [
    "I gave her a letter on Monday.",
    "On Monday I gave her a letter.",
    "She gave me a letter on Monday.",
    "On Monday she gave me a letter.",
    "They gave us a letter on Monday.",
    "On Monday they gave us a letter.",
]
"""The same said in two orders, by three givers: the built-in grammar has no passive voice."""

ENDS = [
    "She sleeps.",
    "The old man did not sell the house yesterday.",
    "Does the boy want to read the book?",
]
"""From a short statement over a long, denied one to a question."""

SHOWN = 12
WORDS = range(3, 13)


def panels(config: ContextsConfig, test: Corpus | None) -> list[list[str]]:
    """Sentences of each panel of figure contexts.

    Those that are named; else, for the built-in corpus, the counterparts of Sutskever et al. 2014, figure 2: who does
    what to whom, and the same in another order; else the first `SHOWN` of the test set with 3 to 12 words.

    Raises:
        DataError: the file cannot be read, or a panel has fewer than three sentences, which need no projection.
        ConfigError: nothing is named and there is nothing to choose from.
    """
    if config.sentences:
        found, where = [config.sentences], "contexts.sentences"
    elif config.input is not None:
        found, where = parted(read_input(config.input)[0]), config.input
    elif isinstance(test, BuiltinCorpus):
        return [ROLES, ORDERS]
    else:
        found, where = [some(test, SHOWN, "contexts.sentences or contexts.input=FILE")], "the test set"
    if not found or min(map(len, found)) < 3:
        raise DataError(f"{where} has a panel of fewer than three sentences: two dimensions show nothing of so few")
    return found


def ends(config: InterpolationConfig, test: Corpus | None) -> list[tuple[str, str]]:
    """The two sentences of each panel of figure interpolation.

    Raises:
        ConfigError: nothing is named and there is nothing to choose from.
    """
    if config.sentences:
        path = config.sentences
    elif isinstance(test, BuiltinCorpus):
        path = ENDS
    else:
        path = some(test, 3, "interpolation.sentences")
    return list(pairwise(path))


def parted(lines: Iterable[str]) -> list[list[str]]:
    """Lines in groups, which blank lines part."""
    groups: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            groups[-1].append(line.strip())
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]


def some(test: Corpus | None, count: int, setting: str) -> list[str]:
    """The first different sentences of a test set that are neither very short nor long.

    Raises:
        ConfigError: there is no test set, or it has not that many; ``setting`` would name them.
    """
    fitting = (pair.source for pair in test or () if len(pair.source.split()) in WORDS)
    found = list(islice(dict.fromkeys(islice(fitting, 50 * count)), count))
    if len(found) < count:
        raise ConfigError(
            f"there is no test set with {count} sentences of 3 to 12 words: name sentences with {setting}"
        )
    return found

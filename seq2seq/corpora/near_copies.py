"""Groups of sentence pairs that are equal or nearly equal on one side.

Two sentences are near copies if their `normalized` forms are equal, or if the sets of character 5-grams of these forms
have a Jaccard similarity (size of the intersection / size of the union) of at least 0.9. The search is exact: prefix
and position filters (Bayardo et al. 2007; Xiao et al. 2008, "PPJoin") only skip pairs that cannot reach the threshold.
"""

import unicodedata
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import regex

from seq2seq.corpora.corpus import Pair

Integers = npt.NDArray[np.int64]

GRAM = 5
"""Characters of an n-gram."""

BLOCK = 2_000_000
"""n-grams that are compared at a time."""

WORDS = 4
"""64-bit words in the signature of a text."""

BIT_COUNTS = np.array([byte.bit_count() for byte in range(256)], np.uint8)
"""Bits that are set in each byte."""

REMOVED = regex.compile(r"[\p{N}\p{P}\p{S}\p{Z}\p{Cc}\p{Cf}]+")
"""Digits, punctuation, symbols, white space, control and format characters (Unicode categories N, P, S, Z, Cc, Cf).

Private-use characters stay: in fonts of some languages they are letters.
"""


def normalized(sentence: str) -> str:
    """A sentence in NFC and lower case, without the characters of `REMOVED`."""
    return REMOVED.sub("", unicodedata.normalize("NFC", sentence).lower())


def group_pairs(pairs: Sequence[Pair]) -> tuple[Integers, Integers]:
    """Group pairs whose sources or whose targets are near copies; groups that share a pair are one group.

    Returns:
        The group of each pair, from 0, [pairs], and a number for each source: sources with equal `normalized` forms
        have the same one, [pairs].
    """
    if not len(pairs):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    (sources, similar_sources), (_, similar_targets) = (near_copies(side) for side in zip(*pairs, strict=True))
    links = np.stack([similar_sources, similar_targets + len(pairs)])  # all sentences are the nodes of one graph
    components = merge_components(np.arange(2 * len(pairs)), links)
    return np.unique(components[similar_sources], return_inverse=True)[1], sources


def near_copies(sentences: Sequence[str]) -> tuple[Integers, Integers]:
    """The number of each sentence's normalized form and of its group of similar forms, both [sentences]."""
    forms: dict[str, int] = {}
    numbers = np.array([forms.setdefault(normalized(sentence), len(forms)) for sentence in sentences], np.int64)
    return numbers, group_texts(list(forms))[numbers]


def merge_components(labels: Integers, links: Integers) -> Integers:
    """Connected components of a graph: the smallest node of each node's component, [nodes].

    Args:
        labels: the components without the links, in the same form.
        links: pairs of nodes, [2, links].
    """
    while True:
        ends = labels[links]
        if (ends[0] == ends[1]).all():
            return labels
        labels = labels.copy()
        np.minimum.at(labels, ends.max(0), ends.min(0))
        while not np.array_equal(labels, shorter := labels[labels]):
            labels = shorter


def group_texts(texts: Sequence[str]) -> Integers:
    """Group texts that are linked by Jaccard similarities of at least 0.9: the first text of each one's group, [texts].

    Args:
        texts: `normalized` and different.
    """
    grams, sizes = _sets_of_grams(texts)
    starts, labels = np.cumsum(sizes) - sizes, np.arange(len(texts))
    signatures = _signatures(grams, starts)
    for candidates in _candidates(grams, starts, sizes):
        candidates = candidates[:, labels[candidates[0]] != labels[candidates[1]]]
        for block in _blocks(candidates, sizes):
            # Signatures differ in no more bits than sets in n-grams, and these in at most 1 of 19 if they are similar.
            first, second = signatures[block]
            differences = BIT_COUNTS[(first ^ second).view(np.uint8)].sum(1, dtype=np.int64)
            block = block[:, 19 * differences <= sizes[block].sum(0)]
            similar = _intersections(block, grams, starts, sizes) * 19 >= sizes[block].sum(0) * 9
            labels = merge_components(labels, block[:, similar])
    return labels


def _sets_of_grams(texts: Sequence[str]) -> tuple[Integers, Integers]:
    """The different n-grams of each text as numbers, rare ones first, all texts in one array, and their counts.

    A number is the rank of an n-gram by its frequency, so that each text has its rarest n-grams first.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    alphabet, symbols = np.unique(codes, return_inverse=True)
    counts = np.maximum(lengths - GRAM + 1, 0)
    owners = np.repeat(np.arange(len(texts)), counts)
    first = np.repeat(np.cumsum(lengths) - lengths, counts) + _positions(counts)  # of each n-gram, in symbols
    keys, values = symbols[first], len(alphabet)
    for offset in range(1, GRAM):
        if values * len(alphabet) >= 2**63:  # the numbers stay exact
            distinct, keys = np.unique(keys, return_inverse=True)
            values = len(distinct)
        keys, values = keys * len(alphabet) + symbols[first + offset], values * len(alphabet)
    _, keys, frequencies = np.unique(keys, return_inverse=True, return_counts=True)
    ranks = np.empty(len(frequencies), np.int64)
    ranks[np.argsort(frequencies, kind="stable")] = np.arange(len(frequencies))
    owned = np.sort(owners * max(len(ranks), 1) + ranks[keys])
    owned = owned[np.diff(owned, prepend=-1) > 0]  # faster than np.unique, which hashes
    return owned % max(len(ranks), 1), np.bincount(owned // max(len(ranks), 1), minlength=len(texts))


def _signatures(grams: Integers, starts: Integers) -> npt.NDArray[np.uint64]:
    """For each text `WORDS` words in which every n-gram of it flips a bit, [texts, WORDS].

    The words of a text without n-grams mean nothing.
    """
    bits, words = np.left_shift(np.uint64(1), (grams % 64).astype(np.uint64)), grams // 64 % WORDS
    end = np.zeros(1, np.uint64)  # where texts without n-grams at the end start
    parts = (np.append(np.where(words == word, bits, np.uint64(0)), end) for word in range(WORDS))
    return np.stack([np.bitwise_xor.reduceat(part, starts) for part in parts], axis=1)


def _candidates(grams: Integers, starts: Integers, sizes: Integers) -> Iterator[Integers]:
    """Pairs of texts that share one of their rarest n-grams and can be similar, [2, pairs] at a time.

    A similar text shares at least 9 in 10 n-grams, so also one of the first ``size - ceil(0.9 size) + 1``.
    """
    prefixes = np.where(sizes > 0, sizes - (9 * sizes + 9) // 10 + 1, 0)
    text = np.repeat(np.arange(len(sizes)), prefixes)
    position = _positions(prefixes)
    gram = grams[starts[text] + position]
    order = np.lexsort((sizes[text], gram))
    text, position, gram = text[order], position[order], gram[order]
    size, left = sizes[text], np.arange(len(text))
    for distance in range(1, len(text)):  # from each entry to the later ones with the same n-gram, shorter texts first
        left = left[left < len(text) - distance]
        right = left + distance
        near = (gram[left] == gram[right]) & (10 * size[left] >= 9 * size[right])
        left, right = left[near], right[near]
        if not len(left):
            return
        rest = np.minimum(size[left] - position[left], size[right] - position[right])  # if this is the first shared one
        possible = rest * 19 >= (size[left] + size[right]) * 9
        yield np.stack([text[left[possible]], text[right[possible]]])


def _blocks(pairs: Integers, sizes: Integers) -> Iterator[Integers]:
    """Consecutive parts of pairs [2, pairs] with at most about `BLOCK` n-grams each."""
    cumulative = np.cumsum(sizes[pairs].sum(0))
    cuts = np.searchsorted(cumulative, np.arange(BLOCK, cumulative.max(initial=0), BLOCK))
    return (part for part in np.split(pairs, cuts, axis=1) if part.shape[1])


def _intersections(pairs: Integers, grams: Integers, starts: Integers, sizes: Integers) -> Integers:
    """The number of n-grams that both texts of each pair contain, [pairs]."""
    texts = pairs.T.ravel()
    owners = np.repeat(np.arange(len(texts)) // 2, sizes[texts])
    values = grams[np.repeat(starts[texts], sizes[texts]) + _positions(sizes[texts])]
    keys = np.sort(owners * (grams.max() + 1) + values)
    return np.bincount(keys[1:][keys[1:] == keys[:-1]] // (grams.max() + 1), minlength=pairs.shape[1])


def _positions(counts: Integers) -> Integers:
    """0, 1, …, count - 1 for each count, one after the other."""
    return np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)

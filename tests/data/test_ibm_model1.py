"""IBM Model 1, compared with the textbook and with plain loops."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.data import ibm_model1 as alignment
from seq2seq.data.ibm_model1 import Bitext, make_bitext, model1
from seq2seq.errors import DataError

SIZE = 6
tokens = st.lists(st.integers(0, SIZE - 1), max_size=6)
corpora = st.lists(st.tuples(tokens, tokens), min_size=1, max_size=8).filter(lambda pairs: any(t for _, t in pairs))


def bitext(pairs: list[tuple[list[int], list[int]]]) -> Bitext:
    sources, targets = ([np.array(row, dtype=np.int32) for row in side] for side in zip(*pairs, strict=True))
    return make_bitext(sources, targets, SIZE, SIZE)


def learned(pairs: list[tuple[list[int], list[int]]], iterations: int) -> dict[tuple[int, int], float]:
    """Return t by (source token, target token)."""
    lexicon, _ = model1(bitext(pairs), iterations)
    return {(int(e), int(f)): float(t) for e, f, t in zip(*lexicon, strict=True)}


def by_loops(pairs: list[tuple[list[int], list[int]]], iterations: int) -> dict[tuple[int, int], float]:
    """Compute t with the loops of Brown et al."""
    chance: dict[tuple[int, int], float] = defaultdict(lambda: 1.0)
    for _ in range(iterations):
        counts: Counter[tuple[int, int]] = Counter()
        totals: Counter[int] = Counter()
        for source, target in pairs:
            words = [*source, SIZE]
            for f in target:
                whole = sum(chance[e, f] for e in words)
                for e in words:
                    counts[e, f] += chance[e, f] / whole
                    totals[e] += chance[e, f] / whole
        chance = defaultdict(float, {(e, f): count / totals[e] for (e, f), count in counts.items()})
    return dict(chance)


def test_the_textbook_example():
    """Koehn (2010), figure 4.4: the house / das Haus, the book / das Buch, a book / ein Buch."""
    the, house, book, a = range(4)
    das, haus, buch, ein = range(4)
    t = learned([([the, house], [das, haus]), ([the, book], [das, buch]), ([a, book], [ein, buch])], 40)
    assert t[the, das] > 0.9
    assert t[book, buch] > 0.9
    assert t[house, haus] > 0.9 > 0.1 > t[house, das]
    assert t[a, ein] > 0.9


@given(corpora, st.integers(1, 4), st.sampled_from([1, 10, 40, 4_000_000]))
def test_blocks_of_any_size_match_plain_loops(pairs, iterations, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alignment, "CHUNK", chunk)
        actual = learned(pairs, iterations)
    expected = by_loops(pairs, iterations)
    assert actual.keys() == expected.keys()
    assert actual == pytest.approx(expected, rel=1e-4)


@given(corpora)
def test_the_likelihood_does_not_fall_and_probabilities_of_a_source_token_add_up_to_one(pairs):
    lexicon, likelihoods = model1(bitext(pairs), 6)
    assert all(later >= earlier - 1e-4 for earlier, later in pairwise(likelihoods))
    totals = np.bincount(lexicon.sources_C, lexicon.probabilities_C)
    assert totals[totals > 0] == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize(("pair", "side"), [(([SIZE], [0]), "source"), (([0], [SIZE + 2]), "target")])
def test_ids_outside_the_vocabulary(pair, side):
    with pytest.raises(
        DataError,
        match=f"{side} side has token id {SIZE if side == 'source' else SIZE + 2}, but the vocabulary 6 tokens",
    ) as it:
        bitext([([1], [1]), pair])
    assert "\n" not in str(it.value)

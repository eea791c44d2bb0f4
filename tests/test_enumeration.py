"""Every search against all translations there are: random small networks, five letters, few positions.

`Tree` asks a network for the next token after every beginning, by its training pass and not by the steps of search, and
adds up. The methods are compared with that: lists of a beam as wide as the tree, what a narrow one finds, phrases,
prefixes, and how often samples come. A few networks here; hundreds with ``-m slow``.
"""

import math
from collections import Counter
from collections.abc import Iterator
from random import Random

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from networks import BOS, EOS, PAD, VOCABULARY, model_configs, padded, random_network, random_sentences

from seq2seq.model import InferencePrecision, ModelConfig, Network, NetworkStepper, PreparedDecoder
from seq2seq.search import Method, Phrase, PrefixStepper, SearchConfig, indexes, search

Path = tuple[int, ...]
LETTERS = range(3, VOCABULARY)
SPELT = [None, None, None, b" ab", b"b", b" a", b"c", b"bc"]
WIDE = 250
"""More hypotheses than there are beginnings of three tokens."""

few_or_many = pytest.mark.parametrize("count", [4, pytest.param(150, marks=pytest.mark.slow)])


class Tree:
    """All that a network can say of one source within ``limit`` tokens."""

    def __init__(self, network: Network, source: list[int], limit: int) -> None:
        self.limit = limit
        beginnings: list[Path] = [()]
        for length in range(limit - 1):
            beginnings += [(*path, letter) for path in beginnings if len(path) == length for letter in LETTERS]
        source_BS, lengths_B = padded([source] * len(beginnings))
        target_BT, _ = padded([[BOS, *path] for path in beginnings])
        last_B = torch.tensor([row * target_BT.size(1) + len(path) for row, path in enumerate(beginnings)])
        with torch.no_grad():
            table = network(source_BS, lengths_B, target_BT, last_B).double().log_softmax(1)
        self.next = dict(zip(beginnings, table.tolist(), strict=True))

    def paths(self) -> Iterator[Path]:
        """Those that end, and those that are cut at the limit."""
        for beginning in self.next:
            yield (*beginning, EOS)
            if len(beginning) + 1 == self.limit:
                yield from ((*beginning, letter) for letter in LETTERS)

    def total(self, path: Path) -> float:
        return sum(self.next[path[:place]][token] for place, token in enumerate(path))


class World:
    """A network in float32 that never says a mark, bound to three sources, and their trees."""

    def __init__(self, config: ModelConfig, seed: int, limit: int) -> None:
        network = random_network(config, seed, spread=0.7, dtype=torch.float32)
        with torch.no_grad():
            network.output.bias[[PAD, BOS]] = -1e4
        sources = random_sentences(seed, [1, 3, 2])
        decoder = PreparedDecoder(network, InferencePrecision.float32)
        self.stepper = NetworkStepper(network, decoder, *padded(sources), BOS, EOS)
        self.trees = [Tree(network, source, limit) for source in sources]


def worlds(count: int, limit: int = 3) -> Iterator[tuple[World, Random]]:
    """So many of them, the same ones every time."""
    found: list[tuple[ModelConfig, int]] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(model_configs(), st.integers(0, 10_000))
    def draw(config: ModelConfig, seed: int) -> None:
        found.append((config, seed))

    draw()
    for config, seed in found:
        yield World(config, seed, limit), Random(seed)


def limited(limit: int, **changes: object) -> SearchConfig:
    return SearchConfig(max_length_ratio=0.0, max_length_offset=limit, **changes)


def path_of(one) -> Path:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def ranked(tree: Tree, paths: list[Path], length_penalty: float) -> list[tuple[bool, float]]:
    """Whether each has ended, and its score, in the order in which a search has to list them."""
    scores = [(path[-1] == EOS, tree.total(path) / len(path) ** length_penalty) for path in paths]
    return sorted(scores, reverse=True)


def real(found: list) -> list:
    """Those without a mark, each of which costs ten thousand nats."""
    return [one for one in found if one.log_probability > -1e3]


def agrees(found: list, wanted: list[tuple[bool, float]]) -> bool:
    return [one.finished for one in found] == [ended for ended, _ in wanted] and [
        one.score for one in found
    ] == pytest.approx([score for _, score in wanted], abs=2e-4)


@few_or_many
def test_a_beam_as_wide_as_the_tree_lists_the_tree(count):
    for world, random in worlds(count):
        penalty = random.choice([0.0, 0.6, 1.0])
        asked = limited(3, beam_size=WIDE, n_best=WIDE, length_penalty=penalty)
        for tree, found in zip(world.trees, search(world.stepper, asked), strict=True):
            assert agrees(real(found), ranked(tree, list(tree.paths()), penalty))
            assert {path_of(one) for one in real(found)} == {*tree.paths()}


@few_or_many
def test_what_a_narrow_beam_finds_is_in_the_tree_and_no_better_than_its_best(count):
    for world, random in worlds(count):
        method, width = random.choice([Method.beam, Method.diverse_beam]), random.randint(1, 6)
        found = search(world.stepper, limited(3, method=method, beam_size=width, n_best=width))
        for tree, several in zip(world.trees, found, strict=True):
            best = ranked(tree, list(tree.paths()), 1.0)[0]
            assert 1 <= len(several) <= width
            for one in real(several):
                assert one.log_probability == pytest.approx(tree.total(path_of(one)), abs=2e-4)
                assert (one.finished, one.score) <= (best[0], best[1] + 2e-4)


def contains(path: Path, phrase: Path, inner: set[int]) -> bool:
    """Whether a translation has a phrase whose last word ends with it."""
    ends = [place for place in range(len(phrase), len(path)) if path[place - len(phrase) : place] == phrase]
    return any(path[place] not in inner for place in ends)


@few_or_many
def test_a_wide_beam_with_phrases_lists_all_that_have_them(count):
    for world, random in worlds(count, limit=4):
        inner = set(random.sample(LETTERS, random.randint(0, 2)))
        wanted = [tuple(random.choices(LETTERS, k=random.randint(1, 2))) for _ in range(random.randint(1, 2))]
        longest = sum(map(len, wanted))
        asked = limited(4 - longest, beam_size=4 * WIDE, n_best=4 * WIDE)
        if asked.max_length_offset < 1:
            continue
        phrases = [[Phrase(phrase, inner) for phrase in wanted]] * 3
        for tree, found in zip(world.trees, search(world.stepper, asked, (), phrases), strict=True):
            ended = [path for path in tree.paths() if path[-1] == EOS]
            having = [path for path in ended if all(contains(path, phrase, inner) for phrase in wanted)]
            assert agrees([one for one in real(found) if one.finished], ranked(tree, having, 1.0))


def written(path: Path) -> bytes:
    text = b"".join(SPELT[token] or b"" for token in path)
    return text if not text or text.startswith(b" ") else b" " + text


@few_or_many
def test_a_prefix_goes_with_every_method(count):
    for world, random in worlds(count):
        prefixes = random.choices([b" ab", b" a", b" b", b" bc", b" abb", b" ", b""], k=3)
        bound = PrefixStepper(world.stepper, prefixes, *indexes(SPELT))
        [wide, *others] = (
            search(bound, asked, [7, 8, 9])
            for asked in (
                limited(3, beam_size=WIDE, n_best=WIDE),
                limited(3, beam_size=1),
                limited(3, beam_size=random.randint(2, 5)),
                limited(3, method=Method.diverse_beam, beam_size=4, n_best=4),
                limited(3, method=Method.sampling, n_best=10),
            )
        )
        for place, (tree, prefix) in enumerate(zip(world.trees, prefixes, strict=True)):
            fitting = [path for path in tree.paths() if path[-1] == EOS and written(path).startswith(prefix)]
            ended = [one for one in real(wide[place]) if one.finished and len(path_of(one)) <= 3]
            assert agrees(ended, ranked(tree, fitting, 1.0))
            for one in (one for found in others for one in found[place]):
                assert written(tuple(one.tokens)).startswith(prefix)


def shares(log_probability: list[float], asked: SearchConfig) -> dict[int, float]:
    """The chances of the next token: temperature, then the likeliest ``top_k``, then the nucleus."""
    highest = max(log_probability)
    weights = [math.exp((one - highest) / asked.temperature) for one in log_probability]
    likeliest = sorted(range(len(weights)), key=lambda token: -weights[token])[: asked.top_k]
    whole, kept, sum_ = sum(weights[token] for token in likeliest), list[int](), 0.0
    for token in likeliest:
        if sum_ < asked.top_p * whole:
            kept.append(token)
            sum_ += weights[token]
    return {token: weights[token] / sum_ for token in kept}


@few_or_many
def test_samples_come_as_often_as_they_are_likely(count):
    """Pearson's statistic of all trees together: a cell of share p has mean 1 - p, its variance is about twice that."""
    statistic, degrees, draws = 0.0, 0.0, 1500
    for world, random in worlds(count):
        changes = {"temperature": random.choice([0.5, 1.0, 2.0]), "top_k": random.choice([None, 2, 4])}
        asked = limited(3, method=Method.sampling, n_best=draws, top_p=random.choice([0.7, 1.0]), **changes)
        for tree, found in zip(world.trees, search(world.stepper, asked, [random.randrange(10**6)] * 3), strict=True):
            chance = dict.fromkeys(tree.paths(), 1.0)
            rows = {beginning: shares(row, asked) for beginning, row in tree.next.items()}
            for path in chance:
                for place, token in enumerate(path):
                    chance[path] *= rows[path[:place]].get(token, 0.0)
            assert sum(chance.values()) == pytest.approx(1)
            drawn = Counter(path_of(one) for one in found)
            assert all(chance[path] > 0 for path in drawn)
            often = {path: draws * share for path, share in chance.items() if draws * share >= 5}
            rest = draws - sum(often.values())
            cells = [(drawn[path], expected) for path, expected in often.items()]
            cells += [(draws - sum(drawn[path] for path in often), rest)] if rest >= 5 else []
            statistic += sum((seen - expected) ** 2 / expected for seen, expected in cells)
            degrees += len(cells) - sum(expected for _, expected in cells) / draws
            for one in found[:20]:
                assert one.log_probability == pytest.approx(tree.total(path_of(one)), abs=2e-4)
    assert abs(statistic - degrees) < 5 * math.sqrt(2 * degrees)

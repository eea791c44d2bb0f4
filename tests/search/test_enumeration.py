"""Every search against all translations there are: random small networks, five letters, few positions.

`Tree` asks networks for the next token after every beginning, by their training pass and not by the steps of search,
and adds up: of one network, of two that vote, of one beside a language model, of what a shortlist leaves. The methods
are compared with that: lists of a beam as wide as the tree, what a narrow one finds, phrases, prefixes, and how often
samples come. A few networks here; hundreds with ``-m slow``.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from networks import BOS, EOS, PAD, VOCABULARY, model_configs, padded, random_network, random_sentences

from seq2seq.inference import InferencePrecision, NetworkStepper, PreparedDecoder
from seq2seq.inference.shortlist import Shortlist
from seq2seq.model import AttentionKind, BridgeKind, DecoderConfig, EncoderConfig, ModelConfig, Network, Tying
from seq2seq.search import (
    Method,
    Phrase,
    PrefixStepper,
    SearchConfig,
    Stepper,
    ensemble,
    fusion,
    indexes,
    listed,
    search,
)

Path = tuple[int, ...]
LETTERS = range(3, VOCABULARY)
SPELT = [None, None, None, b" ab", b"b", b" a", b"c", b"bc"]
WIDE = 250
"""More hypotheses than there are beginnings of three tokens."""
LENGTHS = [1, 3, 2]
"""Of the sources."""
LANGUAGE_MODEL = ModelConfig(
    embedding_size=4,
    encoder=EncoderConfig(layers=0),
    bridge=BridgeKind.zero,
    decoder=DecoderConfig(layers=1, size=5),
    attention=AttentionKind.none,
    tying=Tying.none,
    dropout=0.0,
)
WEIGHT = 0.3
"""Of the language model."""

few_or_many = pytest.mark.parametrize("count", [6, pytest.param(150, marks=pytest.mark.slow)])


class Tree:
    """All that can be said of one source within ``limit`` tokens.

    Args:
        networks: translators, whose probabilities are averaged.
        language_model: what counts beside them, as `WEIGHT` says.
        source: the letters of a sentence.
        limit: most tokens, EOS included.
        allowed: the letters that a shortlist leaves; translators share all probability out among them.
    """

    def __init__(
        self,
        networks: Sequence[Network],
        language_model: Network | None,
        source: list[int],
        limit: int,
        allowed: Sequence[int],
    ) -> None:
        self.limit, self.allowed = limit, allowed
        beginnings = [path for length in range(limit) for path in product(allowed, repeat=length)]
        kept = [EOS, *allowed]
        mean = sum(torch.from_numpy(_table(one, source, beginnings))[:, kept].softmax(1) for one in networks)
        total = (mean / len(networks)).log()
        if language_model is not None:
            own = torch.from_numpy(_table(language_model, source, beginnings)).log_softmax(1)[:, kept]
            total = total + WEIGHT * own
        self.next = {
            beginning: dict(zip(kept, row, strict=True))
            for beginning, row in zip(beginnings, total.tolist(), strict=True)
        }

    def paths(self, limit: int | None = None) -> Iterator[Path]:
        """Those that end, and those that are cut at the limit."""
        limit = limit or self.limit
        for beginning in self.next:
            if len(beginning) < limit:
                yield (*beginning, EOS)
            if len(beginning) + 1 == limit:
                yield from ((*beginning, letter) for letter in self.allowed)

    def total(self, path: Path) -> float:
        return sum(self.next[path[:place]][token] for place, token in enumerate(path))


def _table(network: Network, source: list[int], beginnings: list[Path]) -> Any:
    """Logits of the next token after each beginning, in float64, by a training pass over all of them."""
    source_BS, lengths_B = padded([source] * len(beginnings))
    target_BT, _ = padded([[BOS, *path] for path in beginnings])
    last_B = torch.tensor([row * target_BT.size(1) + len(path) for row, path in enumerate(beginnings)])
    with torch.no_grad():
        return network(source_BS, lengths_B, target_BT, last_B).double().numpy()


class World:
    """Networks in float32 that never say a mark, bound to three sources, and their trees.

    By their number worlds take turns: one network, two, one beside a language model; each without and with a shortlist.
    """

    def __init__(self, config: ModelConfig, seed: int, number: int, limits: Sequence[int]) -> None:
        sources = random_sentences(seed, LENGTHS)
        networks = [self._network(config, seed + place) for place in range(2 if number % 3 == 1 else 1)]
        beside = self._network(LANGUAGE_MODEL, seed + 9) if number % 3 == 2 else None
        lists, allowed = None, [list(LETTERS)] * len(sources)
        if number % 2:
            lists, allowed = self._lists(Random(seed), sources)
        batch = padded(sources)
        steppers = [self._stepper(one, *batch, lists) for one in networks]
        self.numbers = steppers[0].shortlist or range(VOCABULARY)
        """Of the tokens that search knows."""
        self.stepper: Stepper[Any] = ensemble(steppers)
        if beside is not None:
            other: Stepper[Any] = self._stepper(beside, *batch, None)
            other = other if lists is None else listed(other, steppers[0].shortlist or [])
            self.stepper = fusion(self.stepper, other, WEIGHT)
        self.limits = list(limits)
        self.trees = [
            Tree(networks, beside, source, limit, own)
            for source, limit, own in zip(sources, limits, allowed, strict=True)
        ]
        self.whole = lists is None
        """Whether search may use all tokens."""

    def _network(self, config: ModelConfig, seed: int) -> Network:
        network = random_network(config, seed, spread=0.7, dtype=torch.float32)
        with torch.no_grad():
            network.output.bias[[PAD, BOS]] = -1e4
        return network

    def _stepper(self, network: Network, source_BS: Any, lengths_B: Any, lists: Any) -> NetworkStepper:
        decoder = PreparedDecoder(network, InferencePrecision.float32)
        chosen = None if lists is None else lists.choose(source_BS, lengths_B)
        return NetworkStepper(network, decoder, source_BS, lengths_B, BOS, EOS, chosen)

    def _lists(self, random: Random, sources: list[list[int]]) -> tuple[Shortlist, list[list[int]]]:
        """A shortlist by which each source letter stands for two others, and what that leaves to each source."""
        meant = {letter: random.sample(LETTERS, 2) for letter in LETTERS}
        table_VK = torch.tensor([meant.get(number, [-1, -1]) for number in range(VOCABULARY)], dtype=torch.int32)
        lists = Shortlist(table_VK, torch.tensor([EOS], dtype=torch.int32), VOCABULARY)
        return lists, [sorted({one for letter in source for one in meant[letter]}) for source in sources]

    def search(self, asked: SearchConfig, *others: Any) -> list[list[Any]]:
        """What a search finds, its tokens numbered as the networks have them."""
        found = search(self.stepper, asked, *others)
        return [[one._replace(tokens=[self.numbers[token] for token in one.tokens]) for one in own] for own in found]


def worlds(count: int, limits: Sequence[int] = (3, 3, 3), *, whole: bool = False) -> Iterator[tuple[World, Random]]:
    """So many of them, the same ones every time; with ``whole`` those without a shortlist."""
    for number, (config, seed) in enumerate(_drawn(count)):
        world = World(config, seed, number, limits)
        if world.whole or not whole:
            yield world, Random(seed)


@cache
def _drawn(count: int) -> list[tuple[ModelConfig, int]]:
    found: list[tuple[ModelConfig, int]] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(model_configs(), st.integers(0, 10_000))
    def draw(config: ModelConfig, seed: int) -> None:
        found.append((config, seed))

    draw()
    return found


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
def test_the_worlds_are_of_every_kind(count):
    """Or less would be compared than the tests say."""
    found = [(world.whole, type(world.stepper)) for world, _ in worlds(count, (1, 1, 1))]
    assert len({*found}) == 4
    configs = [config for config, _ in _drawn(count)]
    assert {config.attention is AttentionKind.none for config in configs} == {True, False}
    for choices in (
        [config.attention for config in configs],
        [config.attention_order for config in configs],
        [config.tying for config in configs],
        [config.summary for config in configs],
        [config.bridge for config in configs],
        [config.encoder.direction for config in configs],
        [config.encoder.cell for config in configs],
        [config.decoder.cell for config in configs],
        [config.decoder.readout for config in configs],
    ):
        assert count < 100 or {*choices} == {*type(choices[0])}


@few_or_many
def test_a_beam_as_wide_as_the_tree_lists_the_tree(count):
    """Each source to its own limit, by its own length."""
    for ratio, offset in ((0.0, 3), (1.0, 0), (0.7, 1)):
        limits = [max(1, math.floor(ratio * length + offset)) for length in LENGTHS]
        for world, random in worlds(count, limits):
            penalty = random.choice([0.0, 0.6, 1.0])
            lengths = {"max_length_ratio": ratio, "max_length_offset": offset}
            asked = limited(3, beam_size=WIDE, n_best=WIDE, length_penalty=penalty)
            for tree, found in zip(world.trees, world.search(replace(asked, **lengths)), strict=True):
                assert agrees(real(found), ranked(tree, list(tree.paths()), penalty))
                assert {path_of(one) for one in real(found)} == {*tree.paths()}


def plain_beam(tree: Tree, width: int) -> tuple[set[Path], float]:
    """The paths that finish by the rule of beam search, and by how much the closest decision was taken."""
    live: list[Path] = [()]
    ended, margin = set[Path](), math.inf
    for _ in range(tree.limit):
        longer = {(*path, token): tree.total((*path, token)) for path in live for token in tree.next[path]}
        order = sorted(longer, key=longer.__getitem__, reverse=True)
        ended |= {path for path in order[:width] if path[-1] == EOS}
        going = [path for path in order if path[-1] != EOS]
        for several in (order, going):
            if len(several) > width:
                margin = min(margin, longer[several[width - 1]] - longer[several[width]])
        live = going[:width]
        if len(ended) >= width or not live:
            break
    return ended, margin


@few_or_many
def test_a_narrow_beam_finishes_what_the_plain_rule_finishes(count):
    """With a beam of 1 that is greedy search: the likeliest token again and again."""
    compared = 0
    for world, random in worlds(count):
        width = random.randint(1, 6)
        found = world.search(limited(3, beam_size=width, n_best=width))
        for tree, several in zip(world.trees, found, strict=True):
            ended, margin = plain_beam(tree, width)
            if margin < 1e-3:  # rounding may decide otherwise
                continue
            compared += 1
            wanted = sorted((tree.total(path) / len(path) for path in ended), reverse=True)[:width]
            scores = [one.score for one in real(several) if one.finished]
            assert scores == pytest.approx(wanted, abs=2e-4)
    assert compared > count


@few_or_many
def test_what_a_narrow_beam_finds_is_in_the_tree_and_no_better_than_its_best(count):
    for world, random in worlds(count):
        method, width = random.choice([Method.beam, Method.diverse_beam]), random.randint(1, 6)
        found = world.search(limited(3, method=method, beam_size=width, n_best=width))
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
    for world, random in worlds(count, (4, 4, 4), whole=True):
        inner = set(random.sample(LETTERS, random.randint(0, 2)))
        wanted = [tuple(random.choices(LETTERS, k=random.randint(1, 2))) for _ in range(random.randint(1, 2))]
        longest = sum(map(len, wanted))
        if longest == 4:  # with one token more, the end, this is beyond the tree
            continue
        asked = limited(4 - longest, beam_size=4 * WIDE, n_best=4 * WIDE)
        narrow = replace(asked, beam_size=(width := random.randint(1, 5)), n_best=width)
        phrases = [[Phrase(phrase, inner) for phrase in wanted]] * 3
        both = (world.search(one, (), phrases) for one in (asked, narrow))
        for tree, found, few in zip(world.trees, *both, strict=True):
            ended = [path for path in tree.paths() if path[-1] == EOS]
            having = [path for path in ended if all(contains(path, phrase, inner) for phrase in wanted)]
            every = [one for one in real(found) if one.finished]
            assert agrees(every, ranked(tree, having, 1.0))
            assert {path_of(one) for one in every} == {*having}
            for one in few:
                assert not one.finished or path_of(one) in having
                assert one.log_probability == pytest.approx(tree.total(path_of(one)), abs=2e-4)


def written(path: Path) -> bytes:
    text = b"".join(SPELT[token] or b"" for token in path)
    return text if not text or text.startswith(b" ") else b" " + text


PREFIXES = [b" ab", b" a", b" b", b" bc", b" abb", b" ab a", b" ", b""]


def fits(path: Path, prefix: bytes, given: Path) -> bool:
    """Whether a translation begins with the given tokens and goes on with the rest of the text."""
    return path[: len(given)] == given and written(path).startswith(prefix)


def most(prefix: bytes, given: Path) -> int:
    """The most tokens, beginning with those given, that write a prefix and without their last do not."""
    bodies = [(*given, *more) for count in range(5 - len(given)) for more in product(LETTERS, repeat=count)]
    enough = [len(body) for body in bodies if fits(body, prefix, given) and not fits(body[:-1], prefix, given)]
    return max(enough, default=0)


def begun_by_lot(prefix: bytes, random: Random) -> Path:
    """Tokens that write a beginning of a prefix, as a tokenizer gives those of the complete words."""
    some = [path for path in ((3,), (5,), (5, 4), (4,)) if prefix.startswith(written(path)) and written(path) != prefix]
    return random.choice([(), *some])


@few_or_many
def test_a_prefix_goes_with_every_method(count):
    """Its lists have all there is: the limit on the length counts from the last token that the prefix may need."""
    for world, random in worlds(count, (5, 5, 5), whole=True):
        prefixes = random.choices(PREFIXES, k=3)
        given_ = [begun_by_lot(prefix, random) for prefix in prefixes]
        bound = PrefixStepper(world.stepper, prefixes, *indexes(SPELT), given_)
        [wide, *others] = (
            search(bound, asked, [7, 8, 9])
            for asked in (
                limited(1, beam_size=4 * WIDE, n_best=4 * WIDE),
                limited(1, beam_size=1),
                limited(1, beam_size=random.randint(2, 5)),
                limited(1, method=Method.diverse_beam, beam_size=4, n_best=4),
                limited(1, method=Method.sampling, n_best=10),
            )
        )
        for place, (tree, prefix, begun) in enumerate(zip(world.trees, prefixes, given_, strict=True)):
            fitting = [path for path in tree.paths(1 + most(prefix, begun)) if fits(path, prefix, begun)]
            assert agrees(real(wide[place]), ranked(tree, fitting, 1.0)), (prefix, begun)
            assert {path_of(one) for one in real(wide[place])} == {*fitting}
            for one in (one for found in others for one in found[place]):
                assert path_of(one) in fitting
                assert one.log_probability == pytest.approx(tree.total(path_of(one)), abs=2e-4)


def shares(log_probability: dict[int, float], asked: SearchConfig) -> dict[int, float]:
    """The chances of the next token: temperature, then the likeliest ``top_k``, then the nucleus."""
    highest = max(log_probability.values())
    weights = {token: math.exp((one - highest) / asked.temperature) for token, one in log_probability.items()}
    likeliest = sorted(weights, key=lambda token: -weights[token])[: asked.top_k]
    whole, kept, sum_ = sum(weights[token] for token in likeliest), list[int](), 0.0
    for token in likeliest:
        if sum_ < asked.top_p * whole:
            kept.append(token)
            sum_ += weights[token]
    return {token: weights[token] / sum_ for token in kept}


def chances(tree: Tree, asked: SearchConfig, limit: int, prefix: bytes = b"") -> dict[Path, float]:
    """Of every translation; what does not write the prefix, or a beginning of it, cannot be drawn."""
    rows = {}
    for beginning, row in tree.next.items():
        possible = {
            token: one
            for token, one in row.items()
            if written((*beginning, token)).startswith(prefix)
            or (token != EOS and prefix.startswith(written((*beginning, token))))
        }
        rows[beginning] = shares(possible, asked) if possible else {}
    chance = dict.fromkeys(tree.paths(limit), 1.0)
    for path in chance:
        for place, token in enumerate(path):
            chance[path] *= rows[path[:place]].get(token, 0.0)
    assert sum(chance.values()) == pytest.approx(1)
    return chance


@few_or_many
@pytest.mark.parametrize("begun", [False, True])
def test_samples_come_as_often_as_they_are_likely(count, begun):
    """Pearson's statistic of all trees together: a cell of share p has mean 1 - p, its variance is about twice that.

    Samples with a prefix are drawn, token by token, from what is possible with it.
    """
    statistic, degrees, draws = 0.0, 0.0, 1500
    for world, random in worlds(count, (4, 4, 4) if begun else (3, 3, 3), whole=begun):
        changes = {"temperature": random.choice([0.5, 1.0, 2.0]), "top_k": random.choice([None, 2, 4])}
        limit = 1 if begun else 3
        asked = limited(limit, method=Method.sampling, n_best=draws, top_p=random.choice([0.7, 1.0]), **changes)
        seeds = [random.randrange(10**6) for _ in LENGTHS]
        prefixes = random.choices([b" ab", b" a", b" b", b" abb"], k=3) if begun else [b""] * 3
        if begun:
            bound = PrefixStepper(world.stepper, prefixes, *indexes(SPELT))
            drawings = search(bound, asked, seeds)
        else:
            drawings = world.search(asked, seeds)
        for tree, prefix, found in zip(world.trees, prefixes, drawings, strict=True):
            chance = chances(tree, asked, limit + (most(prefix, ()) if begun else 0), prefix)
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

"""Every search method, compared with all possible translations of small random networks: five letters, few positions.

`Tree` computes the next-token distribution after every context by the training pass, not by search steps, for one
network, an ensemble of two, one fused with a language model, and a shortlist. The tests compare it with the lists of a
beam as wide as the tree, the results of narrow beams, phrases, prefixes, and sample frequencies. The fast tests
use a few networks, ``-m slow`` uses hundreds.
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

from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.shortlist import Shortlist
from seq2seq.model import (
    AttentionKind,
    BridgeKind,
    CopyKind,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    Network,
    Tying,
)
from seq2seq.search import (
    Method,
    Phrase,
    PrefixStepper,
    SearchConfig,
    Stepper,
    SubsetStepper,
    fusion,
    search,
    token_indexes,
)
from seq2seq.search.ensemble import ensemble

Path = tuple[int, ...]
LETTERS = range(3, VOCABULARY)
SPELT = [None, None, None, b" ab", b"b", b" a", b"c", b"bc"]
WIDE = 250
"""More than the number of prefixes of three tokens."""
LENGTHS = [1, 3, 2]
"""Source lengths."""
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
"""Weight of the language model."""

few_or_many = pytest.mark.parametrize("count", [6, pytest.param(150, marks=pytest.mark.slow)])


class Tree:
    """The exact distribution over translations of one source within ``limit`` tokens.

    Args:
        networks: translators, whose probabilities are averaged.
        language_model: fused with weight `WEIGHT`.
        source: the letters of a sentence.
        limit: maximum number of tokens, EOS included.
        allowed: the letters of the shortlist; translators renormalize over them.
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
        contexts = [path for length in range(limit) for path in product(allowed, repeat=length)]
        kept = [EOS, *allowed]
        mean = sum(torch.from_numpy(_table(network, source, contexts))[:, kept].softmax(1) for network in networks)
        total = (mean / len(networks)).log()
        if language_model is not None:
            own = torch.from_numpy(_table(language_model, source, contexts)).log_softmax(1)[:, kept]
            total = total + WEIGHT * own
        self.next = {
            context: dict(zip(kept, row, strict=True)) for context, row in zip(contexts, total.tolist(), strict=True)
        }

    def paths(self, limit: int | None = None) -> Iterator[Path]:
        """Yield the paths that end and those that are cut at the limit."""
        limit = limit or self.limit
        for context in self.next:
            if len(context) < limit:
                yield (*context, EOS)
            if len(context) + 1 == limit:
                yield from ((*context, letter) for letter in self.allowed)

    def total(self, path: Path) -> float:
        return sum(self.next[path[:place]][token] for place, token in enumerate(path))


def _table(network: Network, source: list[int], contexts: list[Path]) -> Any:
    """Return logits of the next token after each prefix, in float64, by one training pass."""
    source_BS, lengths_B = padded([source] * len(contexts))
    target_BT, _ = padded([[BOS, *path] for path in contexts])
    last_B = torch.tensor([row * target_BT.size(1) + len(path) for row, path in enumerate(contexts)])
    with torch.no_grad():
        return network(source_BS, lengths_B, target_BT, last_B).double().numpy()


class World:
    """Networks in float32 that never produce special tokens, bound to three sources, and their trees.

    The number selects the kind: one network, two, or one with a language model; each without and with a shortlist. The
    second of two never has a copy mechanism.
    """

    def __init__(self, config: ModelConfig, seed: int, number: int, limits: Sequence[int]) -> None:
        sources = random_sentences(seed, LENGTHS)
        plain = replace(config, copy=CopyKind.none)  # what a pointer computes with a shortlist: test_stepper
        kinds = [plain if number % 2 else config, plain][: 2 if number % 3 == 1 else 1]
        networks = [self._network(kind, seed + place) for place, kind in enumerate(kinds)]
        beside = self._network(LANGUAGE_MODEL, seed + 9) if number % 3 == 2 else None
        lists, allowed = None, [list(LETTERS)] * len(sources)
        if number % 2:
            lists, allowed = self._lists(Random(seed), sources)
        batch = padded(sources)
        steppers = [self._stepper(network, *batch, lists) for network in networks]
        self.numbers = steppers[0].shortlist or range(VOCABULARY)
        """The network's id of each token of the search."""
        self.stepper: Stepper[Any] = ensemble(steppers)
        if beside is not None:
            other: Stepper[Any] = self._stepper(beside, *batch, None)
            other = other if lists is None else SubsetStepper(other, steppers[0].shortlist or [])
            self.stepper = fusion(self.stepper, other, WEIGHT)
        self.limits = list(limits)
        self.trees = [
            Tree(networks, beside, source, limit, own)
            for source, limit, own in zip(sources, limits, allowed, strict=True)
        ]
        self.whole = lists is None
        """Return whether the world has no shortlist."""

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
        """Return a shortlist with two translations per source letter, and the letters allowed for each source."""
        meant = {letter: random.sample(LETTERS, 2) for letter in LETTERS}
        table_VK = torch.tensor([meant.get(number, [-1, -1]) for number in range(VOCABULARY)], dtype=torch.int32)
        lists = Shortlist(table_VK, torch.tensor([EOS], dtype=torch.int32), VOCABULARY)
        return lists, [sorted({one for letter in source for one in meant[letter]}) for source in sources]

    def search(self, search_config: SearchConfig, *others: Any) -> list[list[Any]]:
        """Return the search results with the networks' token ids."""
        result = search(self.stepper, search_config, *others)
        return [[one._replace(tokens=[self.numbers[token] for token in one.tokens]) for one in own] for own in result]


def worlds(count: int, limits: Sequence[int] = (3, 3, 3), *, whole: bool = False) -> Iterator[tuple[World, Random]]:
    """Yield ``count`` worlds, the same every time; with ``whole``, only those without a shortlist."""
    for number, (config, seed) in enumerate(_random_configs(count)):
        world = World(config, seed, number, limits)
        if world.whole or not whole:
            yield world, Random(seed)


@cache
def _random_configs(count: int) -> list[tuple[ModelConfig, int]]:
    result: list[tuple[ModelConfig, int]] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(model_configs(), st.integers(0, 10_000))
    def draw(config: ModelConfig, seed: int) -> None:
        result.append((config, seed))

    draw()
    return result


def limited(limit: int, **changes: object) -> SearchConfig:
    return SearchConfig(max_length_ratio=0.0, max_length_offset=limit, **changes)


def path_of(one) -> Path:
    return (*one.tokens, EOS) if one.finished else tuple(one.tokens)


def ranked(tree: Tree, paths: list[Path], length_penalty: float) -> list[tuple[bool, float]]:
    """Return (finished, score) of each path in the order in which a search must list them."""
    scores = [(path[-1] == EOS, tree.total(path) / len(path) ** length_penalty) for path in paths]
    return sorted(scores, reverse=True)


def real(hypotheses: list) -> list:
    """Return the hypotheses without special tokens, each of which costs ten thousand nats."""
    return [hypothesis for hypothesis in hypotheses if hypothesis.log_probability > -1e3]


def agrees(actual: list, expected: list[tuple[bool, float]]) -> bool:
    return [hypothesis.finished for hypothesis in actual] == [ended for ended, _ in expected] and [
        hypothesis.score for hypothesis in actual
    ] == pytest.approx([score for _, score in expected], abs=2e-4)


@few_or_many
def test_random_networks_cover_every_kind(count):
    """The other tests rely on this coverage."""
    result = [(world.whole, type(world.stepper)) for world, _ in worlds(count, (1, 1, 1))]
    assert len({*result}) == 4
    configs = [config for config, _ in _random_configs(count)]
    assert {config.attention is AttentionKind.none for config in configs} == {True, False}
    for choices in (
        [config.attention for config in configs],
        [config.attention_order for config in configs],
        [config.copy for config in configs],
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
def test_wide_beam_lists_every_translation(count):
    """Each source has a different length limit."""
    for ratio, offset in ((0.0, 3), (1.0, 0), (0.7, 1)):
        limits = [max(1, math.floor(ratio * length + offset)) for length in LENGTHS]
        for world, random in worlds(count, limits):
            penalty = random.choice([0.0, 0.6, 1.0])
            lengths = {"max_length_ratio": ratio, "max_length_offset": offset}
            search_config = limited(3, beam_size=WIDE, n_best=WIDE, length_penalty=penalty)
            for tree, result in zip(world.trees, world.search(replace(search_config, **lengths)), strict=True):
                assert agrees(real(result), ranked(tree, list(tree.paths()), penalty))
                assert {path_of(hypothesis) for hypothesis in real(result)} == {*tree.paths()}


def plain_beam(tree: Tree, width: int) -> tuple[set[Path], float]:
    """Return the finished paths by the rule of beam search, and the smallest margin of a decision."""
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
def test_narrow_beam_matches_a_plain_implementation(count):
    """A beam of 1 is greedy search."""
    compared = 0
    for world, random in worlds(count):
        width = random.randint(1, 6)
        hypotheses = world.search(limited(3, beam_size=width, n_best=width))
        for tree, several in zip(world.trees, hypotheses, strict=True):
            ended, margin = plain_beam(tree, width)
            if margin < 1e-3:  # rounding may change the order of ties
                continue
            compared += 1
            expected = sorted((tree.total(path) / len(path) for path in ended), reverse=True)[:width]
            scores = [hypothesis.score for hypothesis in real(several) if hypothesis.finished]
            assert scores == pytest.approx(expected, abs=2e-4)
    assert compared > count


@few_or_many
def test_narrow_beam_results_are_valid_and_not_better_than_the_best(count):
    for world, random in worlds(count):
        method, width = random.choice([Method.beam, Method.diverse_beam]), random.randint(1, 6)
        hypotheses = world.search(limited(3, method=method, beam_size=width, n_best=width))
        for tree, several in zip(world.trees, hypotheses, strict=True):
            best = ranked(tree, list(tree.paths()), 1.0)[0]
            assert 1 <= len(several) <= width
            for hypothesis in real(several):
                assert hypothesis.log_probability == pytest.approx(tree.total(path_of(hypothesis)), abs=2e-4)
                assert (hypothesis.finished, hypothesis.score) <= (best[0], best[1] + 2e-4)


def contains(path: Path, phrase: Path, inner: set[int]) -> bool:
    """Return whether a translation contains a phrase that ends at a word end."""
    ends = [place for place in range(len(phrase), len(path)) if path[place - len(phrase) : place] == phrase]
    return any(path[place] not in inner for place in ends)


@few_or_many
def test_wide_beam_with_phrases_lists_every_translation_that_contains_them(count):
    for world, random in worlds(count, (4, 4, 4), whole=True):
        inner = set(random.sample(LETTERS, random.randint(0, 2)))
        expected = [tuple(random.choices(LETTERS, k=random.randint(1, 2))) for _ in range(random.randint(1, 2))]
        longest = sum(map(len, expected))
        if longest == 4:  # with EOS, this is beyond the tree
            continue
        search_config = limited(4 - longest, beam_size=4 * WIDE, n_best=4 * WIDE)
        narrow = replace(search_config, beam_size=(width := random.randint(1, 5)), n_best=width)
        phrases = [[Phrase(phrase, inner) for phrase in expected]] * 3
        both = (world.search(one, (), phrases) for one in (search_config, narrow))
        for tree, actual, few in zip(world.trees, *both, strict=True):
            ended = [path for path in tree.paths() if path[-1] == EOS]
            having = [path for path in ended if all(contains(path, phrase, inner) for phrase in expected)]
            every = [one for one in real(actual) if one.finished]
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
    """Return whether a translation starts with the given tokens and continues the prefix."""
    return path[: len(given)] == given and written(path).startswith(prefix)


def most(prefix: bytes, given: Path) -> int:
    """Return the maximum number of tokens, starting with the given ones, of which the last completes the prefix."""
    bodies = [(*given, *more) for count in range(5 - len(given)) for more in product(LETTERS, repeat=count)]
    enough = [len(body) for body in bodies if fits(body, prefix, given) and not fits(body[:-1], prefix, given)]
    return max(enough, default=0)


def random_partial(prefix: bytes, random: Random) -> Path:
    """Return tokens that write the first part of a prefix, like a tokenizer's tokens of the complete words."""
    some = [path for path in ((3,), (5,), (5, 4), (4,)) if prefix.startswith(written(path)) and written(path) != prefix]
    return random.choice([(), *some])


@few_or_many
def test_prefix_works_with_every_method(count):
    """The length limit counts from the last token that the prefix may need."""
    for world, random in worlds(count, (5, 5, 5), whole=True):
        prefixes = random.choices(PREFIXES, k=3)
        given_ = [random_partial(prefix, random) for prefix in prefixes]
        bound = PrefixStepper(world.stepper, prefixes, *token_indexes(SPELT), given_)
        [wide, *others] = (
            search(bound, search_config, [7, 8, 9])
            for search_config in (
                limited(1, beam_size=4 * WIDE, n_best=4 * WIDE),
                limited(1, beam_size=1),
                limited(1, beam_size=random.randint(2, 5)),
                limited(1, method=Method.diverse_beam, beam_size=4, n_best=4),
                limited(1, method=Method.sampling, n_best=10),
            )
        )
        for place, (tree, prefix, partial) in enumerate(zip(world.trees, prefixes, given_, strict=True)):
            fitting = [path for path in tree.paths(1 + most(prefix, partial)) if fits(path, prefix, partial)]
            assert agrees(real(wide[place]), ranked(tree, fitting, 1.0)), (prefix, partial)
            assert {path_of(one) for one in real(wide[place])} == {*fitting}
            for one in (one for result in others for one in result[place]):
                assert path_of(one) in fitting
                assert one.log_probability == pytest.approx(tree.total(path_of(one)), abs=2e-4)


def shares(log_probability: dict[int, float], search_config: SearchConfig) -> dict[int, float]:
    """Return the probabilities of the next token: temperature, then top-k, then the nucleus."""
    highest = max(log_probability.values())
    weights = {token: math.exp((one - highest) / search_config.temperature) for token, one in log_probability.items()}
    likeliest = sorted(weights, key=lambda token: -weights[token])[: search_config.top_k]
    whole, kept, sum_ = sum(weights[token] for token in likeliest), list[int](), 0.0
    for token in likeliest:
        if sum_ < search_config.top_p * whole:
            kept.append(token)
            sum_ += weights[token]
    return {token: weights[token] / sum_ for token in kept}


def chances(tree: Tree, search_config: SearchConfig, limit: int, prefix: bytes = b"") -> dict[Path, float]:
    """Return the probability of every translation; only those that write the prefix can be drawn."""
    rows = {}
    for context, row in tree.next.items():
        possible = {
            token: one
            for token, one in row.items()
            if written((*context, token)).startswith(prefix)
            or (token != EOS and prefix.startswith(written((*context, token))))
        }
        rows[context] = shares(possible, search_config) if possible else {}
    chance = dict.fromkeys(tree.paths(limit), 1.0)
    for path in chance:
        for place, token in enumerate(path):
            chance[path] *= rows[path[:place]].get(token, 0.0)
    assert sum(chance.values()) == pytest.approx(1)
    return chance


@few_or_many
@pytest.mark.parametrize("partial", [False, True])
def test_sample_frequencies_match_probabilities(count, partial):
    """Pearson's statistic of all trees together: a cell of share p has mean 1 - p, its variance is about twice that.

    Samples with a prefix are drawn token by token among the tokens that continue it.
    """
    statistic, degrees, draws = 0.0, 0.0, 1500
    for world, random in worlds(count, (4, 4, 4) if partial else (3, 3, 3), whole=partial):
        changes = {"temperature": random.choice([0.5, 1.0, 2.0]), "top_k": random.choice([None, 2, 4])}
        limit = 1 if partial else 3
        search_config = limited(limit, method=Method.sampling, n_best=draws, top_p=random.choice([0.7, 1.0]), **changes)
        seeds = [random.randrange(10**6) for _ in LENGTHS]
        prefixes = random.choices([b" ab", b" a", b" b", b" abb"], k=3) if partial else [b""] * 3
        if partial:
            bound = PrefixStepper(world.stepper, prefixes, *token_indexes(SPELT))
            drawings = search(bound, search_config, seeds)
        else:
            drawings = world.search(search_config, seeds)
        for tree, prefix, actual in zip(world.trees, prefixes, drawings, strict=True):
            chance = chances(tree, search_config, limit + (most(prefix, ()) if partial else 0), prefix)
            counts = Counter(path_of(hypothesis) for hypothesis in actual)
            assert all(chance[path] > 0 for path in counts)
            often = {path: draws * share for path, share in chance.items() if draws * share >= 5}
            rest = draws - sum(often.values())
            cells = [(counts[path], expected) for path, expected in often.items()]
            cells += [(draws - sum(counts[path] for path in often), rest)] if rest >= 5 else []
            statistic += sum((seen - expected) ** 2 / expected for seen, expected in cells)
            degrees += len(cells) - sum(expected for _, expected in cells) / draws
            for hypothesis in actual[:20]:
                assert hypothesis.log_probability == pytest.approx(tree.total(path_of(hypothesis)), abs=2e-4)
    assert abs(statistic - degrees) < 5 * math.sqrt(2 * degrees)

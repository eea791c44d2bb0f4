"""Beam search for translations that contain given phrases: dynamic beam allocation (Post & Vilar 2018).

Hypotheses that are as far in their phrases (`tracking.progress`) are a bank, and the beam is shared out among the
banks: the best of each, from the bank that is farthest on, then the second best of each, and so on. A bank that has few
leaves its places to the others. With one place the search takes the phrases as fast as it can; with many it waits until
they fit. Without phrases there is one bank, and what is found is what `beam` finds.

The best hypothesis of the farthest bank always stays, and one of its continuations is in a bank farther on. So all
phrases are met however narrow the beam is, unless the stepper rules a piece of them out. With a beam as wide as the
tree of all hypotheses, what is found is the best that have them.

Candidates are, as there (§3), the best of all, the best of each hypothesis, and what takes a hypothesis on in a phrase.
Here a phrase is met only where its last word ends (`tracking`), so what ends the word is among the last.

Shapes: B sentences still searched, K beam, N = B * K rows (one a sentence in the first step), V vocabulary.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.candidates import candidates
from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NOTHING, Hypothesis, hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.stepper import State, Stepper
from seq2seq.search.tracking import Phrase, all_met, progress

Continuations = dict[tuple[int, int], float]
"""The total of each by its row within the sentence and its piece."""


class Path(NamedTuple):
    """A hypothesis under way."""

    total: float
    tokens: list[int]
    written: tuple[int, ...]
    """How far it is in each phrase."""
    row: int
    """Of the batch as it was stepped: its own while it waits, its parent's when it has just been made."""


@dataclass
class Sentence:
    """A sentence while it is searched."""

    phrases: Sequence[Phrase]
    limit: int
    """Most pieces of a hypothesis, end of sentence included."""
    live: list[Path]
    found: list[tuple[bool, Hypothesis]] = field(default_factory=list)
    """With whether all phrases are met."""

    def best(self, count: int) -> list[Hypothesis]:
        """What has all phrases first, then the finished, then by score."""
        ranked = sorted(self.found, key=lambda one: (one[0], one[1].finished, one[1].score), reverse=True)
        return [one for _, one in ranked[:count]] or [NOTHING]


@torch.no_grad()
def constrained_beam(
    stepper: Stepper[State], config: SearchConfig, phrases: Sequence[Sequence[Phrase]]
) -> list[list[Hypothesis]]:
    """Up to ``n_best`` hypotheses per sentence that contain its phrases, best first, in the order of the batch.

    None ends before it has them; the limit on the length is raised by their pieces. Only where the stepper rules a
    phrase out does one come back without it.

    Args:
        stepper: the model, bound to the sentences.
        config: of a beam.
        phrases: those of each sentence.

    Raises:
        ConfigError: ``n_best`` exceeds ``beam_size``.
    """
    config.check()
    device = stepper.source_lengths.device
    limits = length_limits(stepper, config).tolist()
    everyone = [
        Sentence(wanted, limit + sum(len(one.pieces) for one in wanted), [Path(0.0, [], (0,) * len(wanted), row)])
        for row, (wanted, limit) in enumerate(zip(phrases, limits, strict=True))
    ]
    searched, state = everyone, stepper.start(1)
    while searched:
        last = [path.tokens[-1] if path.tokens else stepper.bos for sentence in searched for path in sentence.live]
        log_probability_NV, state = stepper.step(torch.tensor(last, device=device), state)
        for sentence, found in zip(searched, _candidates(searched, log_probability_NV, config), strict=True):
            _take(sentence, found, config, stepper.eos)
        stay = [place for place, sentence in enumerate(searched) if _goes_on(sentence, config)]
        left = None if len(stay) == len(searched) else torch.tensor(stay, device=device)
        searched = [searched[place] for place in stay]
        for sentence in searched:  # rows of all sentences are equally many: a lost hypothesis fills what is missing
            sentence.live += [sentence.live[0]._replace(total=-math.inf)] * (config.beam_size - len(sentence.live))
        if searched:
            rows = [path.row for sentence in searched for path in sentence.live]
            state = stepper.select(state, torch.tensor(rows, device=device), left)
            _renumber(searched)
    return [sentence.best(config.n_best) for sentence in everyone]


def _candidates(searched: list[Sentence], log_probability_NV: Tensor, config: SearchConfig) -> list[Continuations]:
    """For each sentence the continuations to choose from: every one that is possible."""
    sentences, width = len(searched), len(searched[0].live)
    log_probability_BKV = log_probability_NV.view(sentences, width, -1)
    total_BK = torch.tensor([[path.total for path in one.live] for one in searched], device=log_probability_NV.device)
    count = min(2 * config.beam_size, width * log_probability_BKV.size(2))
    _, parent_BC, piece_BC = candidates(total_BK, log_probability_BKV, count)
    wanted = [
        {*zip(parents, pieces, strict=True)}
        for parents, pieces in zip(parent_BC.tolist(), piece_BC.tolist(), strict=True)
    ]
    best_BK = log_probability_BKV.argmax(2).tolist()
    for number, sentence in enumerate(searched):
        wanted[number] |= set(enumerate(best_BK[number]))
        for row, path in enumerate(sentence.live):
            own_V = log_probability_BKV[number, row]
            wanted[number] |= {(row, piece) for piece in _leading_on(sentence.phrases, path, own_V)}
    places = [(number, row, piece) for number, pairs in enumerate(wanted) for row, piece in sorted(pairs)]
    index = torch.tensor(places, device=log_probability_NV.device).T
    values = (log_probability_BKV[tuple(index)] + total_BK[index[0], index[1]]).tolist()
    found: list[Continuations] = [{} for _ in searched]
    for (number, row, piece), value in zip(places, values, strict=True):
        if value != -math.inf:
            found[number][row, piece] = value
    return found


def _leading_on(phrases: Sequence[Phrase], path: Path, log_probability_V: Tensor) -> set[int]:
    """The pieces that take a hypothesis on in its phrases."""
    pieces = set()
    for phrase, written in zip(phrases, path.written, strict=True):
        if written < len(phrase.pieces):
            pieces.add(phrase.pieces[written])
        elif written < phrase.met:
            inner = torch.tensor(sorted(phrase.inner), dtype=torch.int64, device=log_probability_V.device)
            pieces.add(int(log_probability_V.index_fill(0, inner, -math.inf).argmax()))
    return pieces


def _take(sentence: Sentence, found: Continuations, config: SearchConfig, eos: int) -> None:
    """Share the beam out among the banks: what ends within it is found, and K others go on."""
    banks: defaultdict[int, list[Path]] = defaultdict(list)
    for (row, piece), total in sorted(found.items(), key=lambda one: -one[1]):
        path = sentence.live[row]
        pairs = zip(sentence.phrases, path.written, strict=True)
        written = tuple(phrase.after(far, piece) for phrase, far in pairs)
        if piece != eos or all_met(sentence.phrases, written, at_end=True):
            banks[progress(sentence.phrases, written)].append(Path(total, [*path.tokens, piece], written, path.row))
    ranked = [
        path
        for _, _, path in sorted(
            ((rank, -bank, path) for bank, paths in banks.items() for rank, path in enumerate(paths)),
            key=lambda one: one[:2],
        )
    ]
    for path in ranked[: config.beam_size]:
        if path.tokens[-1] == eos:
            one = hypothesis(path.tokens, path.total, config.length_penalty, finished=True)
            sentence.found.append((True, one))
    sentence.live = [path for path in ranked if path.tokens[-1] != eos][: config.beam_size]


def _goes_on(sentence: Sentence, config: SearchConfig) -> bool:
    """Whether a further step may find more; if not, what is cut makes up ``n_best``."""
    length = len(sentence.live[0].tokens) if sentence.live else sentence.limit
    if len(sentence.found) < config.beam_size and length < sentence.limit:
        return True
    for path in sentence.live[: max(0, config.n_best - len(sentence.found))]:
        met = all_met(sentence.phrases, path.written, at_end=True)
        sentence.found.append((met, hypothesis(path.tokens, path.total, config.length_penalty, finished=False)))
    return False


def _renumber(searched: list[Sentence]) -> None:
    """Rows are numbered anew once the stepper has selected them."""
    row = 0
    for sentence in searched:
        numbers = range(row, row + len(sentence.live))
        sentence.live = [path._replace(row=number) for path, number in zip(sentence.live, numbers, strict=True)]
        row += len(sentence.live)

"""Beam search for translations that contain given phrases: dynamic beam allocation (Post & Vilar 2018).

Hypotheses with equal progress in their phrases form a bank. The beam is divided among the banks: the best hypothesis
of each bank, from the most advanced bank on, then the second best of each, and so on; banks with few hypotheses leave
their places to the others. With a beam of 1 the search completes the phrases as early as possible; a wide beam places
them where they fit. Without phrases there is one bank, and the result is that of `beam_search`.

The best hypothesis of the most advanced bank always stays, and one of its continuations is in a more advanced bank.
So all phrases are completed for any beam size, unless the stepper excludes a token of them.

As in the paper (§3), candidates are the best continuations overall, the best of each hypothesis, and those that
advance a phrase. Unlike the paper, a phrase is complete only where its last word ends, so tokens that end the word
advance it too.

Shapes: B sentences still in the batch, K beam size, N = B * K rows (one per sentence in the first step), C
candidates, V vocabulary.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.config import SearchConfig
from seq2seq.search.hypothesis import NO_HYPOTHESIS, Hypothesis, make_hypothesis
from seq2seq.search.prefix import length_limits
from seq2seq.search.repetition import discourage_repetition, forced_rows
from seq2seq.search.stepper import State, Stepper
from seq2seq.search.topk import top_continuations


@dataclass(frozen=True)
class Phrase:
    """Tokens that must occur consecutively, with a word end after the last: ``Mannschaft`` does not contain ``Mann``.

    The progress of a hypothesis is the number of tokens matched, 0 … len(tokens). At len(tokens) the last word has
    not ended yet; len(tokens) + 1 means complete, for good. After a mismatch, matching resumes at the longest prefix
    of the phrase that still fits (Knuth, Morris & Pratt 1977), so phrases may overlap.
    """

    tokens: tuple[int, ...]
    """At least one."""
    word_continuations: Collection[int]
    """Tokens that continue a word; directly after the last token they spoil the match."""
    other_first: int | None = None
    """A token that may stand for the first one: the same with a space before it."""
    fallbacks: tuple[int, ...] = field(init=False)
    """For every number of matched tokens, the next shorter prefix of the phrase that also matches."""

    def __post_init__(self) -> None:
        fallbacks = [0, 0]
        for token in self.tokens[1:]:
            shorter = fallbacks[-1]
            while shorter and token not in self.next_tokens(shorter):
                shorter = fallbacks[shorter]
            fallbacks.append(shorter + (token in self.next_tokens(shorter)))
        object.__setattr__(self, "fallbacks", tuple(fallbacks))

    @property
    def complete(self) -> int:
        """The progress of a hypothesis that contains the phrase."""
        return len(self.tokens) + 1

    def next_tokens(self, progress: int) -> tuple[int, ...]:
        """Return the tokens that match after ``progress`` matched tokens, fewer than all."""
        token = self.tokens[progress]
        return (token,) if progress or self.other_first is None else (token, self.other_first)

    def advance(self, progress: int, token: int) -> int:
        """Return the progress of a hypothesis after one more token."""
        if progress == self.complete or (progress == len(self.tokens) and token not in self.word_continuations):
            return self.complete
        if progress == len(self.tokens):
            progress = self.fallbacks[progress]
        while progress and token not in self.next_tokens(progress):
            progress = self.fallbacks[progress]
        return progress + (token in self.next_tokens(progress))


def bank_number(phrases: Sequence[Phrase], progress: Sequence[int]) -> int:
    """Return the bank of a hypothesis: its progress in all phrases.

    Complete phrases count for good. Only the longest partial phrase counts, because its next token may interrupt
    the others. There is therefore always a next token that advances the hypothesis, until all phrases are complete.
    """
    partial = complete = 0
    for phrase, matched in zip(phrases, progress, strict=True):
        if matched == phrase.complete:
            complete += matched
        else:
            partial = max(partial, matched)
    return complete + partial


def all_complete(phrases: Sequence[Phrase], progress: Sequence[int], *, at_end: bool) -> bool:
    """Return whether a hypothesis contains all phrases; ``at_end``: no further token can continue its last word."""
    return all(matched >= len(each.tokens) + (not at_end) for each, matched in zip(phrases, progress, strict=True))


Continuations = dict[tuple[int, int], float]
"""The total log-probability of each continuation, by its row within the sentence and its token."""


class Path(NamedTuple):
    """An unfinished hypothesis."""

    total: float
    tokens: list[int]
    progress: tuple[int, ...]
    """In each phrase."""
    row: int
    """Row of the stepped batch: of its parent until the stepper has selected rows, then its own."""


@dataclass
class Sentence:
    """The search of one sentence."""

    phrases: Sequence[Phrase]
    limit: int
    """Maximum number of tokens of a hypothesis, EOS included."""
    beam: list[Path]
    hypotheses: list[tuple[bool, Hypothesis]] = field(default_factory=list)
    """Each with whether it contains all phrases."""

    def best(self, count: int) -> list[Hypothesis]:
        """Return the best hypotheses: with all phrases first, then finished, then by score."""
        ranked = sorted(self.hypotheses, key=lambda pair: (pair[0], pair[1].finished, pair[1].score), reverse=True)
        return [hypothesis for _, hypothesis in ranked[:count]] or [NO_HYPOTHESIS]


@torch.no_grad()
def constrained_beam_search(
    stepper: Stepper[State], config: SearchConfig, phrases: Sequence[Sequence[Phrase]]
) -> list[list[Hypothesis]]:
    """Return up to ``n_best`` hypotheses per sentence that contain its phrases, best first, in batch order.

    No hypothesis ends before it contains them; the length limit is raised by the number of their tokens. A hypothesis
    lacks a phrase only if the stepper excludes one of its tokens.

    Args:
        stepper: the model, bound to the sentences.
        config: settings of a beam search.
        phrases: the phrases of each sentence.

    Raises:
        ConfigError: ``n_best`` exceeds ``beam_size``.
    """
    config.check()
    device = stepper.source_lengths.device
    limits = length_limits(stepper, config).tolist()
    sentences = [
        Sentence(own, limit + sum(len(phrase.tokens) for phrase in own), [Path(0.0, [], (0,) * len(own), row)])
        for row, (own, limit) in enumerate(zip(phrases, limits, strict=True))
    ]
    active, state = sentences, stepper.start(1)
    while active:
        last = [path.tokens[-1] if path.tokens else stepper.bos for sentence in active for path in sentence.beam]
        log_probability_NV, state = stepper.step(torch.tensor(last, device=device), state)
        if config.discourages_repetition:
            log_probability_NV = _discourage_repetition(active, log_probability_NV, config, forced_rows(stepper, state))
        for sentence, continuations in zip(active, _candidates(active, log_probability_NV, config), strict=True):
            _allocate_beam(sentence, continuations, config, stepper.eos)
        keep = [index for index, sentence in enumerate(active) if _is_active(sentence, config)]
        keep_B = None if len(keep) == len(active) else torch.tensor(keep, device=device)
        active = [active[index] for index in keep]
        for sentence in active:  # every sentence has K rows: impossible hypotheses pad the beam
            sentence.beam += [sentence.beam[0]._replace(total=-math.inf)] * (config.beam_size - len(sentence.beam))
        if active:
            rows = [path.row for sentence in active for path in sentence.beam]
            state = stepper.select(state, torch.tensor(rows, device=device), keep_B)
            _renumber_rows(active)
    return [sentence.best(config.n_best) for sentence in sentences]


def _discourage_repetition(
    active: list[Sentence], log_probability_NV: Tensor, config: SearchConfig, forced_N: Tensor | None
) -> Tensor:
    """Apply the repetition settings, except to tokens that advance a phrase."""
    rows = [(sentence.phrases, path) for sentence in active for path in sentence.beam]
    history = [path.tokens for _, path in rows]
    history_NT = torch.tensor(history, dtype=torch.int64, device=log_probability_NV.device)
    changed_NV = discourage_repetition(log_probability_NV, history_NT, config, forced_N)
    advancing = [
        (row, token)
        for row, (phrases, path) in enumerate(rows)
        for token in sorted(_advancing_tokens(phrases, path, log_probability_NV[row]))
    ]
    if not advancing:
        return changed_NV
    index = tuple(torch.tensor(advancing, device=changed_NV.device).T)
    return changed_NV.index_put(index, log_probability_NV[index])


def _candidates(active: list[Sentence], log_probability_NV: Tensor, config: SearchConfig) -> list[Continuations]:
    """Return the possible continuations of each sentence to choose from."""
    sentences, width = len(active), len(active[0].beam)
    device = log_probability_NV.device
    log_probability_BKV = log_probability_NV.view(sentences, width, -1)
    total_BK = torch.tensor([[path.total for path in sentence.beam] for sentence in active], device=device)
    count = min(2 * config.beam_size, width * log_probability_BKV.size(2))
    _, parent_BC, token_BC = top_continuations(total_BK, log_probability_BKV, count)
    chosen = [
        {*zip(parents, tokens, strict=True)}
        for parents, tokens in zip(parent_BC.tolist(), token_BC.tolist(), strict=True)
    ]
    best_BK = log_probability_BKV.argmax(2).tolist()
    for number, sentence in enumerate(active):
        chosen[number] |= set(enumerate(best_BK[number]))
        for row, path in enumerate(sentence.beam):
            own_V = log_probability_BKV[number, row]
            chosen[number] |= {(row, token) for token in _advancing_tokens(sentence.phrases, path, own_V)}
    indices = [(number, row, token) for number, pairs in enumerate(chosen) for row, token in sorted(pairs)]
    index = torch.tensor(indices, device=device).T
    values = (log_probability_BKV[tuple(index)] + total_BK[index[0], index[1]]).tolist()
    continuations: list[Continuations] = [{} for _ in active]
    for (number, row, token), value in zip(indices, values, strict=True):
        if value != -math.inf:
            continuations[number][row, token] = value
    return continuations


def _advancing_tokens(phrases: Sequence[Phrase], path: Path, log_probability_V: Tensor) -> set[int]:
    """Return the tokens that advance a hypothesis in its phrases."""
    tokens = set[int]()
    for phrase, matched in zip(phrases, path.progress, strict=True):
        if matched < len(phrase.tokens):
            tokens.update(phrase.next_tokens(matched))
        elif matched < phrase.complete:
            inner = torch.tensor(sorted(phrase.word_continuations), dtype=torch.int64, device=log_probability_V.device)
            tokens.add(int(log_probability_V.index_fill(0, inner, -math.inf).argmax()))
    return tokens


def _allocate_beam(sentence: Sentence, continuations: Continuations, config: SearchConfig, eos: int) -> None:
    """Divide the beam among the banks; collect hypotheses that end among the best K and keep the best K others."""
    banks: defaultdict[int, list[Path]] = defaultdict(list)
    for (row, token), total in sorted(continuations.items(), key=lambda item: -item[1]):
        path = sentence.beam[row]
        pairs = zip(sentence.phrases, path.progress, strict=True)
        progress = tuple(phrase.advance(matched, token) for phrase, matched in pairs)
        if token != eos or all_complete(sentence.phrases, progress, at_end=True):
            banks[bank_number(sentence.phrases, progress)].append(
                Path(total, [*path.tokens, token], progress, path.row)
            )
    ranked = [
        path
        for _, _, path in sorted(
            ((rank, -bank, path) for bank, paths in banks.items() for rank, path in enumerate(paths)),
            key=lambda entry: entry[:2],
        )
    ]
    for path in ranked[: config.beam_size]:
        if path.tokens[-1] == eos:
            hypothesis = make_hypothesis(path.tokens, path.total, config.length_penalty, finished=True)
            sentence.hypotheses.append((True, hypothesis))
    sentence.beam = [path for path in ranked if path.tokens[-1] != eos][: config.beam_size]


def _is_active(sentence: Sentence, config: SearchConfig) -> bool:
    """Return whether a further step may find more; if not, unfinished hypotheses fill up ``n_best``."""
    length = len(sentence.beam[0].tokens) if sentence.beam else sentence.limit
    if len(sentence.hypotheses) < config.beam_size and length < sentence.limit:
        return True
    for path in sentence.beam[: max(0, config.n_best - len(sentence.hypotheses))]:
        complete = all_complete(sentence.phrases, path.progress, at_end=True)
        hypothesis = make_hypothesis(path.tokens, path.total, config.length_penalty, finished=False)
        sentence.hypotheses.append((complete, hypothesis))
    return False


def _renumber_rows(active: list[Sentence]) -> None:
    """Give every path its own row, after the stepper has selected the parents' rows."""
    row = 0
    for sentence in active:
        numbers = range(row, row + len(sentence.beam))
        sentence.beam = [path._replace(row=number) for path, number in zip(sentence.beam, numbers, strict=True)]
        row += len(sentence.beam)

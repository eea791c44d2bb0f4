"""The most probable next words: a beam search over tokens that ends at word boundaries.

A word may be spelled in several ways, as one token or many; its probability is the sum over the spellings that the
beam visits. A word ends if the next token begins another word or ends the sentence. For a partly
typed word, only continuations of the typed letters count, with any division into tokens.

Shapes: N partial words in the beam, V vocabulary.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.stepper import State, Stepper

BEAM = 64
"""Partial words that are kept."""

TOLERANCE = 1e-3
"""The search stops when unfinished words hold at most this share of all probability."""

LONGEST = 40
"""Maximum number of tokens of a word after its typed letters."""

SPACE = b" "


class NextWord(NamedTuple):
    """A possible next word."""

    word: str
    """The whole word, typed letters included; empty for the end of the sentence."""
    probability: float
    """Among all continuations of the typed text."""


class Spelling:
    """The text of every token, and how tokens continue a partly typed word.

    Args:
        spelling: the bytes that each token writes, with a leading space if it begins a word; None: no text.
        eos: the token that ends the sentence.
    """

    def __init__(self, spelling: Sequence[bytes | None], eos: int) -> None:
        self.spelling = spelling
        begins = [text is not None and text.startswith(SPACE) for text in spelling]
        self.inner_V = torch.tensor([bool(text) and not new for text, new in zip(spelling, begins, strict=True)])
        self.ends_V = torch.tensor([new or token == eos for token, new in enumerate(begins)])

    def matching(self, rest: bytes) -> tuple[Tensor, Tensor]:
        """Return which tokens agree with the remaining typed text, and which of them write all of it; both (V,)."""
        covers = torch.tensor([text is not None and text.startswith(rest) for text in self.spelling])
        within = torch.tensor([bool(text) and rest.startswith(text or b"") for text in self.spelling])
        return covers | within, covers


class PartialWords(NamedTuple):
    """The beam: words that have not ended."""

    texts: list[bytes]
    """Each with a leading space; empty before the first token."""
    mass_N: Tensor
    """Their probabilities, float64."""


@torch.no_grad()
def next_words(
    stepper: Stepper[State],
    context: Sequence[int],
    partial_word: str,
    spelling: Sequence[bytes | None],
    count: int,
    beam_size: int = BEAM,
) -> list[NextWord]:
    """Return the ``count`` most probable next words, best first, ties in alphabetical order.

    Returns fewer words if there are fewer, or if all others together have a probability below `TOLERANCE`.

    Args:
        stepper: the model, bound to one sentence.
        context: the tokens of the complete words before.
        partial_word: the typed letters of the next word, without spaces; may be empty.
        spelling: the bytes that each token writes, with a leading space if it begins a word; None: no text.
        count: number of words.
        beam_size: partial words that are kept.
    """
    typed = SPACE + partial_word.encode()
    state, device = stepper.start(1), stepper.source_lengths.device
    for token in (stepper.bos, *context):
        log_probability_NV, state = stepper.step(torch.tensor([token], device=device), state)
    inside = first = Spelling(spelling, stepper.eos)
    if not context:  # the first word of a sentence needs no leading space, and not every vocabulary writes one
        first = Spelling([text and SPACE + text.removeprefix(SPACE) for text in spelling], stepper.eos)
    beam = PartialWords([b""], torch.ones(1, dtype=torch.float64))
    words: defaultdict[bytes, float] = defaultdict(float)
    total = 0.0
    for current in (first, *[inside] * (len(typed) - len(SPACE) + LONGEST - 1)):
        mass_NV = beam.mass_N.unsqueeze(1) * log_probability_NV.cpu().double().exp()
        if not partial_word and beam.texts == [b""]:
            words[b""] = total = float(mass_NV[0, stepper.eos])
        _add_ended_words(words, beam, mass_NV, current, typed)
        completed, mass_NV = _mask_mismatches(beam, mass_NV, current, typed)
        total += completed
        beam, rows_N, tokens_N = _advance(words, beam, mass_NV, current, beam_size)
        if float(beam.mass_N.sum()) <= TOLERANCE * total and all(text.startswith(typed) for text in beam.texts):
            break
        state = stepper.select(state, rows_N.to(device), None)
        log_probability_NV, state = stepper.step(tokens_N.to(device), state)
    found = [NextWord(word, words[text] / total) for text, word in _decodable(words) if words[text] > 0]
    return sorted(found, key=lambda each: (-each.probability, each.word))[:count]


def _add_ended_words(
    words: dict[bytes, float], beam: PartialWords, mass_NV: Tensor, spelling: Spelling, typed: bytes
) -> None:
    """Add the probability of the words that the next token ends."""
    ended_N = mass_NV[:, spelling.ends_V].sum(1).tolist()
    for text, mass in zip(beam.texts, ended_N, strict=True):
        if text.startswith(typed) and text != SPACE:
            words[text[1:]] += mass


def _mask_mismatches(beam: PartialWords, mass_NV: Tensor, spelling: Spelling, typed: bytes) -> tuple[float, Tensor]:
    """Set the probability of tokens that contradict the typed letters, or end the word, to 0.

    Returns:
        the probability with which this token completes the typed letters, and the masked probabilities (N, V).
    """
    completed, allowed = 0.0, []
    cache: dict[bytes, tuple[Tensor, Tensor]] = {}
    for text, mass_V in zip(beam.texts, mass_NV, strict=True):
        if text.startswith(typed):
            allowed.append(spelling.inner_V)
            continue
        rest = typed[len(text) :]
        if rest not in cache:
            cache[rest] = spelling.matching(rest)
        matching_V, covers_V = cache[rest]
        completed += float(mass_V[covers_V].sum())
        allowed.append(matching_V)
    return completed, mass_NV * torch.stack(allowed)


def _advance(
    words: dict[bytes, float], beam: PartialWords, mass_NV: Tensor, spelling: Spelling, beam_size: int
) -> tuple[PartialWords, Tensor, Tensor]:
    """Return the most probable partial words with one more token, the rows that they continue and their tokens.

    A token that contains the start of another word, which some vocabularies have, ends the word at once.
    """
    best = mass_NV.flatten().topk(min(beam_size, mass_NV.numel()))
    texts, masses, rows, tokens = [], [], [], []
    for mass, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        row, token = divmod(index, mass_NV.size(1))
        text = beam.texts[row] + (spelling.spelling[token] or b"")
        if SPACE in text[1:]:
            words[text[1:].partition(SPACE)[0]] += mass
        elif mass > 0:
            texts.append(text)
            masses.append(mass)
            rows.append(row)
            tokens.append(token)
    kept = PartialWords(texts, torch.tensor(masses, dtype=torch.float64))
    return kept, torch.tensor(rows, dtype=torch.int64), torch.tensor(tokens, dtype=torch.int64)


def _decodable(words: Iterable[bytes]) -> list[tuple[bytes, str]]:
    """Return the words that are valid UTF-8, as bytes and as text."""
    found = []
    for text in words:
        try:
            found.append((text, text.decode()))
        except UnicodeDecodeError:
            continue
    return found

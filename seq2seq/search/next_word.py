"""The likeliest next words: a beam over pieces that ends where a word does, not where a sentence does.

A word may be spelt in several ways, as one piece or as many; its probability is the sum over those that the beam meets.
A word is over when the next piece begins another one, or ends the sentence. Where the word has been begun already, only
what goes on as it was typed counts, however its letters fall into pieces.

N beginnings of words in the beam, V vocabulary.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.search.stepper import State, Stepper

BEAM = 64
"""Beginnings of words that are followed."""

SETTLED = 1e-3
"""What the search may leave undecided: the share of all probability that is left in unfinished words when it stops."""

LONGEST = 40
"""Pieces of the longest word."""

SPACE = b" "


class NextWord(NamedTuple):
    """A word that may come next."""

    word: str
    """The whole word, what was typed of it included; empty for the end of the sentence."""
    probability: float
    """Among all that may follow what was typed."""


class Spelling:
    """What every piece writes, and how a piece continues a text that is partly typed.

    Args:
        pieces: the bytes each piece writes, those of a new word beginning with a space; None: no text.
        eos: the piece that ends the sentence.
    """

    def __init__(self, pieces: Sequence[bytes | None], eos: int) -> None:
        self.pieces = pieces
        begins = [piece is not None and piece.startswith(SPACE) for piece in pieces]
        self.inner_V = torch.tensor([bool(piece) and not new for piece, new in zip(pieces, begins, strict=True)])
        self.ends_V = torch.tensor([new or number == eos for number, new in enumerate(begins)])

    def fitting(self, wanted: bytes) -> tuple[Tensor, Tensor]:
        """Pieces that agree with the text wanted next, and those of them that write all of it; both (V,)."""
        covers = torch.tensor([piece is not None and piece.startswith(wanted) for piece in self.pieces])
        within = torch.tensor([bool(piece) and wanted.startswith(piece or b"") for piece in self.pieces])
        return covers | within, covers


class Beginnings(NamedTuple):
    """Words while they are written."""

    texts: list[bytes]
    """Each begins with a space; empty before the first piece."""
    mass_N: Tensor
    """Their probabilities, float64."""


@torch.no_grad()
def next_words(
    stepper: Stepper[State],
    given: Sequence[int],
    begun: str,
    pieces: Sequence[bytes | None],
    count: int,
    beam_size: int = BEAM,
) -> list[NextWord]:
    """The ``count`` likeliest words, likeliest first, ties by their letters.

    Fewer where there are fewer, or where all others together have less than `SETTLED` of the probability.

    Args:
        stepper: the model, bound to one sentence.
        given: pieces of the complete words before.
        begun: the letters typed of the next word, no space in them; empty where it is all to be found.
        pieces: the bytes each piece writes, those of a new word beginning with a space; None: no text.
        count: words wanted.
        beam_size: beginnings of words that are followed.
    """
    typed = SPACE + begun.encode()
    state, device = stepper.start(1), stepper.source_lengths.device
    for piece in (stepper.bos, *given):
        log_probability_NV, state = stepper.step(torch.tensor([piece], device=device), state)
    inside = first = Spelling(pieces, stepper.eos)
    if not given:  # the first word of a sentence needs no space before it: not every vocabulary writes one
        first = Spelling([piece and SPACE + piece.removeprefix(SPACE) for piece in pieces], stepper.eos)
    live = Beginnings([b""], torch.ones(1, dtype=torch.float64))
    words: defaultdict[bytes, float] = defaultdict(float)
    total = 0.0
    for spelling in (first, *[inside] * (LONGEST - 1)):
        mass_NV = live.mass_N.unsqueeze(1) * log_probability_NV.cpu().double().exp()
        if not begun and live.texts == [b""]:
            words[b""] = total = float(mass_NV[0, stepper.eos])
        _end(words, live, mass_NV, spelling, typed)
        reached, mass_NV = _fitting(live, mass_NV, spelling, typed)
        total += reached
        live, rows_N, tokens_N = _advance(words, live, mass_NV, spelling, beam_size)
        if float(live.mass_N.sum()) <= SETTLED * total and all(text.startswith(typed) for text in live.texts):
            break
        state = stepper.select(state, rows_N.to(device), None)
        log_probability_NV, state = stepper.step(tokens_N.to(device), state)
    found = [NextWord(word, words[text] / total) for text, word in _readable(words) if words[text] > 0]
    return sorted(found, key=lambda one: (-one.probability, one.word))[:count]


def _end(words: dict[bytes, float], live: Beginnings, mass_NV: Tensor, spelling: Spelling, typed: bytes) -> None:
    """Count the words that are over with the next piece."""
    ended_N = mass_NV[:, spelling.ends_V].sum(1).tolist()
    for text, mass in zip(live.texts, ended_N, strict=True):
        if text.startswith(typed) and text != SPACE:
            words[text[1:]] += mass


def _fitting(live: Beginnings, mass_NV: Tensor, spelling: Spelling, typed: bytes) -> tuple[float, Tensor]:
    """What now has all that was typed, as a sum, and the probabilities (N, V) of the pieces that go on in the word."""
    reached, allowed = 0.0, []
    known: dict[bytes, tuple[Tensor, Tensor]] = {}
    for text, mass_V in zip(live.texts, mass_NV, strict=True):
        if text.startswith(typed):
            allowed.append(spelling.inner_V)
            continue
        wanted = typed[len(text) :]
        if wanted not in known:
            known[wanted] = spelling.fitting(wanted)
        fits_V, covers_V = known[wanted]
        reached += float(mass_V[covers_V].sum())
        allowed.append(fits_V)
    return reached, mass_NV * torch.stack(allowed)


def _advance(
    words: dict[bytes, float], live: Beginnings, mass_NV: Tensor, spelling: Spelling, beam_size: int
) -> tuple[Beginnings, Tensor, Tensor]:
    """The likeliest beginnings with a piece more, the rows they continue and their pieces.

    A piece that goes on into another word (some vocabularies have such) ends the word at once.
    """
    likeliest = mass_NV.flatten().topk(min(beam_size, mass_NV.numel()))
    texts, masses, rows, tokens = [], [], [], []
    for mass, place in zip(likeliest.values.tolist(), likeliest.indices.tolist(), strict=True):
        row, token = divmod(place, mass_NV.size(1))
        text = live.texts[row] + (spelling.pieces[token] or b"")
        if SPACE in text[1:]:
            words[text[1:].partition(SPACE)[0]] += mass
        elif mass > 0:
            texts.append(text)
            masses.append(mass)
            rows.append(row)
            tokens.append(token)
    kept = Beginnings(texts, torch.tensor(masses, dtype=torch.float64))
    return kept, torch.tensor(rows, dtype=torch.int64), torch.tensor(tokens, dtype=torch.int64)


def _readable(words: Iterable[bytes]) -> list[tuple[bytes, str]]:
    """The words that are text: bytes may spell what is none."""
    found = []
    for text in words:
        try:
            found.append((text, text.decode()))
        except UnicodeDecodeError:
            continue
    return found

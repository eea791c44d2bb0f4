"""All that choose the pieces of a translation together: an ensemble, a language model beside it, a short-list.

B sentences, S source positions, T target positions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.data.batch import target_input
from seq2seq.errors import ConfigError
from seq2seq.inference import NetworkStepper
from seq2seq.inference.member import Member, attention_weights, shared
from seq2seq.inference.shortlist import Shortlist
from seq2seq.inference.watched import watched
from seq2seq.model import AttentionKind
from seq2seq.search import (
    CallbackStepper,
    CharacterStepper,
    Stepper,
    SubsetStepper,
    TokenIndex,
    ensemble,
    fusion,
    token_indexes,
)
from seq2seq.tokenizer.spelling import inner_pieces, no_text, single_bytes, spelled
from seq2seq.tokenizer.tokenizer import PAD, UNK, Tokenizer

Encoded = list[list[list[int]]]
"""Of every member, the pieces of every sentence."""


class Bound(NamedTuple):
    """The members reading a batch."""

    stepper: Stepper[Any]
    first: NetworkStepper
    """That of the first member."""

    def text_only(self, members: "Members") -> "Bound":
        """The same, where nothing but text is possible: no marks, and no bytes that are no character."""
        excluded, single_bytes, numbers = no_text(members.target), members.single_bytes, self.first.pieces
        if numbers is not None:
            excluded = frozenset(place for place, number in enumerate(numbers) if number in excluded)
            single_bytes = [single_bytes[number] for number in numbers]
        return self._replace(stepper=CharacterStepper(self.stepper, single_bytes, excluded))

    def ids(self, tokens: list[int]) -> list[int]:
        """Ids of pieces that search knows by their number in the short-list."""
        return self.first.ids(tokens)


@dataclass(frozen=True)
class Members:
    """What translates; nothing in it changes but what is worked out when it is first asked for."""

    translators: tuple[Member, ...]
    """At least one; the first one's source pieces, limits on the length and short-list hold."""
    shortlist: Shortlist | None
    language_model: Member | None
    language_model_weight: float
    on_step: Callable[[], None] | None = None
    """Called before each step of a search; what it raises ends the search. See `watched`."""

    def watched(self, on_step: Callable[[], None]) -> "Members":
        """The same with ``on_step``, which is called while a text is read too, before each part of it."""
        readers = [replace(one, network=watched(one.network, on_step)) for one in self.translators]
        return replace(self, translators=tuple(readers), on_step=on_step)

    @cached_property
    def products(self) -> int:
        """Multiplications of a step of the search for each hypothesis, about."""
        models = [*self.translators, *([] if self.language_model is None else [self.language_model])]
        return sum(weight.numel() for one in models for weight in one.network.decoder.parameters()) + sum(
            one.network.output.weight.numel() for one in models
        )

    @property
    def width(self) -> int:
        """Numbers of the encoders' states at a position, for all members."""
        return sum(one.network.config.encoder.width for one in self.translators)

    @property
    def target(self) -> Tokenizer:
        """Of what all of them write."""
        return self.translators[0].tokenizers.target

    @property
    def target_language(self) -> str:
        """Code of the language that all of them write; empty where it is not known."""
        return self.translators[0].target_language

    @property
    def attends(self) -> bool:
        """Whether there is attention to the pieces that the first member reads."""
        first = self.source_tokenizers[0]
        pairs = zip(self.translators, self.source_tokenizers, strict=True)
        return any(member.network.config.attention is not AttentionKind.none for member, own in pairs if own is first)

    @cached_property
    def source_tokenizers(self) -> list[Tokenizer]:
        """Each member's; equal ones are one."""
        return shared([member.tokenizers.source for member in self.translators])

    @cached_property
    def spelling(self) -> list[bytes | None]:
        """The bytes that every target piece writes."""
        return spelled(self.target)

    @cached_property
    def single_bytes(self) -> list[int | None]:
        """The byte that each target piece stands for, where it does."""
        return single_bytes(self.target)

    @cached_property
    def copies(self) -> Tensor:
        """The target piece that is the same as each of the first member's source pieces; -1 for none, and for marks."""
        source = self.translators[0].tokenizers.source
        numbers = {piece: number for number, piece in enumerate(self.target.pieces(range(self.target.size)))}
        copies = [numbers.get(piece, -1) for piece in source.pieces(range(source.size))]
        copies[: PAD + 1] = [-1] * (PAD + 1)
        return torch.tensor(copies, device=self.translators[0].device)

    @cached_property
    def indexes(self) -> tuple[TokenIndex, TokenIndex]:
        """By which prefixes find their pieces: those at the beginning of a sentence, and others."""
        without = {} if self.target.word_level else {UNK: None}  # which writes nothing there
        pieces = [without.get(number, piece) for number, piece in enumerate(self.spelling)]
        return token_indexes(pieces, [number for number, byte in enumerate(self.single_bytes) if byte is not None])

    @cached_property
    def inner(self) -> frozenset[int]:
        """The target pieces that go on in a word."""
        return inner_pieces(self.spelling)

    def encoded(self, texts: Sequence[str]) -> tuple[Encoded, list[list[int]]]:
        """The pieces of every text, for each member, and its longest encoding among them."""
        pieces = {tokenizer: tokenizer.encode_all(texts) for tokenizer in set(self.source_tokenizers)}
        encoded = [pieces[tokenizer] for tokenizer in self.source_tokenizers]
        return encoded, [max(sources, key=len) for sources in zip(*encoded, strict=True)]

    def bind(self, encoded: Encoded, *, shortlist: bool = True) -> Bound:
        """All of them reading a batch; without ``shortlist``, asked for every piece."""
        batches = [member.sources(sources) for member, sources in zip(self.translators, encoded, strict=True)]
        lists = self.shortlist if shortlist else None
        chosen = None if lists is None else lists.choose(*batches[0], self.copies)
        steppers = [member.stepper(batch, chosen) for member, batch in zip(self.translators, batches, strict=True)]
        together = ensemble(steppers)
        if self.language_model is not None:  # which looks at no source, only at how many there are
            beside: Stepper[Any] = self.language_model.stepper(batches[0])
            if chosen is not None:
                beside = SubsetStepper(beside, steppers[0].pieces or [])
            together = fusion(together, beside, self.language_model_weight)
        if self.on_step is not None:
            together = CallbackStepper(together, self.on_step)
        return Bound(together, steppers[0])

    def demand_every_piece(self, what: str) -> None:
        """Hold that no short-list keeps from a translation what is asked of it.

        Raises:
            ConfigError: there is one.
        """
        if self.shortlist is not None:
            raise ConfigError(f"{what} may need any piece, and a short-list leaves most out: set shortlist=false")

    def attention(self, sources: list[list[int]], targets: list[list[int]]) -> list[Tensor] | None:
        """Weights (target pieces + 1, source pieces + 1) of every pair, from one pass with the target given.

        Args:
            sources: pieces of the first member.
            targets: pieces of as many translations.

        Returns:
            None where no member has attention.
        """
        first = self.translators[0]
        batch, given = first.sources(sources), target_input(targets).to(first.device)
        weights_BTS = attention_weights(self.translators, batch, given)
        if weights_BTS is None:
            return None
        return [
            weights_BTS[row, : len(target) + 1, : len(source) + 1].cpu()
            for row, (source, target) in enumerate(zip(sources, targets, strict=True))
        ]

"""Models that translate together: an ensemble, a language model for shallow fusion, a shortlist.

B sentences, S source positions, T target positions.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.data.batch import target_input
from seq2seq.errors import ConfigError
from seq2seq.inference import NetworkStepper
from seq2seq.inference.member import Member, attention_weights, deduplicated
from seq2seq.inference.shortlist import Shortlist
from seq2seq.inference.watched import watched
from seq2seq.model import AttentionKind
from seq2seq.portable.placeholders import SYMBOLS, Placeholders
from seq2seq.portable.text import byte_values
from seq2seq.search import (
    CallbackStepper,
    CharacterStepper,
    ExclusionStepper,
    Stepper,
    SubsetStepper,
    TokenIndex,
    fusion,
    token_indexes,
)
from seq2seq.search.ensemble import ensemble
from seq2seq.tokenizer.token_bytes import non_text_tokens, separates_words, token_bytes, word_internal_tokens
from seq2seq.tokenizer.tokenizer import UNK, Tokenizer

ATTENTION_NUMBERS = 2**25
"""Most numbers of one attention pass; more sentences take several."""

EncodedSources = list[list[list[int]]]
"""For each member, the token ids of each sentence."""


class BoundMembers(NamedTuple):
    """The members bound to a batch of sources."""

    stepper: Stepper[Any]
    first: NetworkStepper
    """The first member's stepper."""

    def text_only(self, members: "Members") -> "BoundMembers":
        """The same without BOS, padding and other tokens that write nothing, and without invalid UTF-8."""
        excluded, single_bytes, shortlist = non_text_tokens(members.target), members.single_bytes, self.first.shortlist
        if shortlist is not None:
            excluded = frozenset(place for place, token in enumerate(shortlist) if token in excluded)
            single_bytes = [single_bytes[token] for token in shortlist]
        return self._replace(stepper=CharacterStepper(self.stepper, single_bytes, excluded))

    def ids(self, tokens: list[int]) -> list[int]:
        """Ids in the target vocabulary of tokens as search numbers them."""
        return self.first.ids(tokens)


@dataclass(frozen=True)
class Members:
    """An ensemble of translation models, with an optional language model and shortlist."""

    translators: tuple[Member, ...]
    """At least one; source tokens, length limits and shortlist are those of the first."""
    shortlist: Shortlist | None
    language_model: Member | None
    language_model_weight: float
    on_step: Callable[[], None] | None = None
    """Called before each search step; an exception ends the search. See `watched`."""

    def watched(self, on_step: Callable[[], None]) -> "Members":
        """The same members, which call ``on_step`` before each search step and each chunk of the encoder's input."""
        readers = [replace(member, network=watched(member.network, on_step)) for member in self.translators]
        return replace(self, translators=tuple(readers), on_step=on_step)

    @property
    def models(self) -> list[Member]:
        """The translation models, and the language model if there is one."""
        return [*self.translators, *([] if self.language_model is None else [self.language_model])]

    @cached_property
    def products(self) -> int:
        """Multiplications of a search step per hypothesis, approximately."""
        return sum(weight.numel() for model in self.models for weight in model.network.decoder.parameters()) + sum(
            model.network.output.weight.numel() for model in self.models
        )

    @cached_property
    def state_size(self) -> int:
        """Numbers of the recurrent state of a hypothesis, which a search step reads and writes: large with mLSTMs."""
        return sum(cell.hidden_size + cell.state_size for model in self.models for cell in model.network.decoder.cells)

    @property
    def width(self) -> int:
        """Width of the encoders' states at a position, summed over members."""
        return sum(member.network.config.encoder.width for member in self.translators)

    @property
    def target(self) -> Tokenizer:
        """The target tokenizer, which all members share."""
        return self.translators[0].tokenizers.target

    @property
    def target_language(self) -> str:
        """Code of the target language; empty if unknown."""
        return self.translators[0].target_language

    @property
    def attends(self) -> bool:
        """Whether a member with the first one's source tokenizer has attention."""
        first = self.source_tokenizers[0]
        pairs = zip(self.translators, self.source_tokenizers, strict=True)
        return any(member.network.config.attention is not AttentionKind.none for member, own in pairs if own is first)

    @cached_property
    def source_tokenizers(self) -> list[Tokenizer]:
        """Each member's source tokenizer; equal ones are the same object."""
        return deduplicated([member.tokenizers.source for member in self.translators])

    @cached_property
    def spelling(self) -> list[bytes | None]:
        """The bytes that every target token writes."""
        return token_bytes(self.target)

    @cached_property
    def single_bytes(self) -> list[int | None]:
        """The byte of each target token that stands for a single byte; else None."""
        return byte_values(self.target.tokens(range(self.target.size)))

    @cached_property
    def copies(self) -> Tensor:
        """For each of the first member's source tokens the equal target token; -1 if there is none."""
        first = self.translators[0]
        return torch.tensor(first.tokenizers.copies(), device=first.device)

    @cached_property
    def indexes(self) -> tuple[TokenIndex, TokenIndex]:
        """Indexes of target tokens by prefix: at the beginning of a sentence, and elsewhere."""
        without = {} if self.target.word_level else {UNK: None}  # UNK writes nothing for subword tokenizers
        tokens = [without.get(number, token) for number, token in enumerate(self.spelling)]
        return token_indexes(tokens, [number for number, byte in enumerate(self.single_bytes) if byte is not None])

    @cached_property
    def inner(self) -> frozenset[int]:
        """The target tokens that continue a word."""
        return word_internal_tokens(self.spelling)

    @cached_property
    def inner_without_spaces(self) -> tuple[frozenset[int], frozenset[int]] | None:
        """The same in text without spaces, for a word of a script with spaces and for others; None: text has spaces."""
        if self.target.word_level or separates_words(self.spelling):
            return None
        return word_internal_tokens(self.spelling, "a"), word_internal_tokens(self.spelling, "\u3042")

    @property
    def placeholders(self) -> Placeholders | None:
        """What translations copy from the source, the same for all members."""
        return self.translators[0].placeholders

    def protected(self, text: str, source: str) -> str:
        """The text with symbols for the placeholders that it shares with a source."""
        found = self.placeholders
        return text if found is None else found.replace(text, found.symbols(source))

    def restored(self, text: str, source: str) -> str:
        """The text with the placeholders of its source in place of symbols."""
        found = self.placeholders
        return text if found is None else found.restore(text, found.symbols(source))

    def encoded(self, texts: Sequence[str]) -> tuple[EncodedSources, list[list[int]]]:
        """Encode texts for each member; also returns the longest encoding of each text."""
        texts = [self.protected(text, text) for text in texts]
        tokens = {tokenizer: tokenizer.encode_all(texts) for tokenizer in set(self.source_tokenizers)}
        encoded = [tokens[tokenizer] for tokenizer in self.source_tokenizers]
        return encoded, [max(sources, key=len) for sources in zip(*encoded, strict=True)]

    def bind(self, encoded: EncodedSources, *, shortlist: bool = True) -> BoundMembers:
        """Bind all members to a batch; without ``shortlist``, over the whole target vocabulary."""
        batches = [member.sources(sources) for member, sources in zip(self.translators, encoded, strict=True)]
        lists = self.shortlist if shortlist else None
        chosen = None if lists is None else lists.choose(*batches[0], self.copies)
        steppers = [member.stepper(batch, chosen) for member, batch in zip(self.translators, batches, strict=True)]
        together = ensemble(steppers)
        if self.language_model is not None:  # it uses only the number of sources
            language_model: Stepper[Any] = self.language_model.stepper(batches[0])
            if chosen is not None:
                language_model = SubsetStepper(language_model, steppers[0].shortlist or [])
            together = fusion(together, language_model, self.language_model_weight)
        if self.placeholders is not None:
            together = self._without_foreign_symbols(together, encoded[0], steppers[0].shortlist)
        if self.on_step is not None:
            together = CallbackStepper(together, self.on_step)
        return BoundMembers(together, steppers[0])

    def _without_foreign_symbols(
        self, stepper: Stepper[Any], sources: list[list[int]], shortlist: list[int] | None
    ) -> Stepper[Any]:
        """Exclude the symbols of placeholders that a source does not have."""
        source, target = self.translators[0].tokenizers
        symbols = [(source.id_of_tag(symbol), target.id_of_tag(symbol)) for symbol in SYMBOLS]
        places = range(target.size) if shortlist is None else shortlist
        listed = [(own, places.index(other)) for own, other in symbols if other in places]
        if not listed:
            return stepper
        excluded = [[own not in tokens for own, _ in listed] for tokens in sources]
        return ExclusionStepper(stepper, [place for _, place in listed], excluded)

    def require_full_vocabulary(self, what: str) -> None:
        """Check that there is no shortlist, for ``what`` may need tokens outside it.

        Raises:
            ConfigError: there is one.
        """
        if self.shortlist is not None:
            raise ConfigError(f"{what} needs the whole target vocabulary: set shortlist=false")

    def attention(self, sources: list[list[int]], targets: list[list[int]]) -> list[Tensor] | None:
        """Attention weights of sentence pairs, from passes with teacher forcing over as many as memory allows.

        Args:
            sources: source tokens of the first member.
            targets: target tokens of the same number of translations.

        Returns:
            Weights (target tokens + 1, source tokens + 1) of every pair; None if no member has attention.
        """
        first, found = self.translators[0], list[Tensor]()
        configs = [member.network.config for member in self.translators]
        width = max(each.decoder.size if each.attention is AttentionKind.additive else 1 for each in configs)
        numbers = width * math.prod(max(map(len, side), default=0) + 1 for side in (sources, targets))
        rows = max(1, ATTENTION_NUMBERS // numbers)
        for begin in range(0, len(sources), rows):
            part = slice(begin, begin + rows)
            batch, target_BT = first.sources(sources[part]), target_input(targets[part]).to(first.device)
            weights_BTS = attention_weights(self.translators, batch, target_BT)
            if weights_BTS is None:
                return None
            pairs = zip(weights_BTS, sources[part], targets[part], strict=True)
            found += [weights_TS[: len(target) + 1, : len(source) + 1].cpu() for weights_TS, source, target in pairs]
        return found

"""A trained network ready to search, with the tokenizers of its text: one member of an ensemble.

B sentences, S source positions, T target positions.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from seq2seq.data.batch import source_tensors
from seq2seq.errors import ConfigError, RunError, program
from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.shortlist import BatchShortlist
from seq2seq.model import Network
from seq2seq.portable.placeholders import Placeholders
from seq2seq.system.capability import prefers_bfloat16, prefers_int8, runs_int8
from seq2seq.system.device import allow_tf32, resolve_precision, to_device
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.tokenizer import BOS, EOS, Tokenizer, Tokenizers

log = logging.getLogger("seq2seq")


class SourceBatch(NamedTuple):
    """A batch of encoded sentences on a device."""

    source_BS: Tensor
    """Token ids with EOS, right-padded."""
    lengths_B: Tensor
    """Lengths in tokens, EOS included."""


@dataclass(frozen=True)
class Member:
    """A network in evaluation mode, on a device and with weights in one precision."""

    name: str
    """The name in messages: its folder."""
    network: Network
    decoder: PreparedDecoder
    tokenizers: Tokenizers
    device: torch.device
    precision: InferencePrecision
    """Precision of the decoder's weights; never ``auto``."""
    target_language: str = ""
    """Code of the target language, which BLEU's tokenization depends on; empty if unknown."""
    source_language: str = ""
    """Code of the source language; empty if unknown."""
    placeholders: Placeholders | None = None
    """What translations copy from the source."""

    @classmethod
    def prepare(
        cls,
        network: Network,
        tokenizers: Tokenizers,
        device: torch.device,
        precision: str = InferencePrecision.float32,
        *,
        quantized: bool = False,
        name: str = "the model",
        target_language: str = "",
        source_language: str = "",
        placeholders: Placeholders | None = None,
    ) -> "Member":
        """Move a network to a device and prepare its decoder for search.

        Args:
            network: in evaluation mode.
            tokenizers: those it was trained with.
            device: where it translates.
            precision: float32, tf32, bfloat16, int8, or auto: see `choose_precision`.
            quantized: whether its folder stores the weights in 8 bits.
            name: the name in messages.
            target_language: code of the target language.
            source_language: code of the source language.
            placeholders: what translations copy from the source.

        Raises:
            ConfigError: the precision is unknown or does not run on this device.
        """
        form = choose_precision(precision, device, quantized)
        if quantized and precision == InferencePrecision.auto and not runs_int8(device):
            log.warning("%s has 8-bit weights, and int8 does not run on this device (%s): using float32", name, device)
        reduced = form in (InferencePrecision.bfloat16, InferencePrecision.int8) and prefers_bfloat16(device)
        if device.type == "cuda":
            allow_tf32(form is InferencePrecision.tf32)  # a setting of the process: the last member decides
        network = network.to(device)
        decoder = PreparedDecoder(network, form, torch.bfloat16 if reduced else torch.float32)
        languages = target_language, source_language
        return cls(name, network, decoder, tokenizers, device, form, *languages, placeholders)

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickling and copying: packed weights cannot be pickled, so the copy packs its own."""
        prepare = partial(
            Member.prepare,
            name=self.name,
            target_language=self.target_language,
            source_language=self.source_language,
            placeholders=self.placeholders,
        )
        return prepare, (self.network, self.tokenizers, self.device, self.precision)

    @property
    def is_language_model(self) -> bool:
        """Whether it has no encoder."""
        return self.network.config.is_language_model

    def sources(self, encoded: Sequence[Sequence[int]]) -> SourceBatch:
        """A batch of sentences that this member's source tokenizer has encoded, without BOS and EOS."""
        return SourceBatch(*(to_device(tensor, self.device) for tensor in source_tensors(encoded)))

    def stepper(self, sources: SourceBatch, shortlist: BatchShortlist | None = None) -> NetworkStepper:
        """This member's stepper for a batch, over the tokens of the shortlist (None: over all target tokens)."""
        return NetworkStepper(self.network, self.decoder, *sources, BOS, EOS, shortlist)


def check_members(members: Sequence[Member], language_model: Member | None) -> None:
    """Check that all members translate, and that all models have the same target vocabulary.

    Raises:
        RunError: target vocabularies or protected placeholders differ, a member is a language model, or
            ``language_model`` is not one.
    """
    for member in members:
        if member.is_language_model:
            raise RunError(
                f"{member.name} is a language model and cannot translate: "
                f"use {program('suggest')}, or pass it as language_model=PATH"
            )
    if language_model is not None and not language_model.is_language_model:
        raise RunError(f"{language_model.name} is not a language model: name a run with model.encoder.layers=0")
    first = members[0]
    for other in [*members[1:], *([] if language_model is None else [language_model])]:
        if not equal_tokenizers(other.tokenizers.target, first.tokenizers.target):
            own, shared = (each.tokenizers.target.normalization for each in (other, first))
            if own is not shared:
                raise RunError(
                    f"{other.name} was trained with tokenizer.normalization={own} and {first.name} with {shared}, and "
                    "they write one text: train both with the same"
                )
            raise RunError(
                f"{other.name} has another target vocabulary than {first.name}, and ensembles need a shared one: "
                f"train it with tokenizer.target_model={first.name}"
            )
        if placeholder_kinds(other) != placeholder_kinds(first):
            raise RunError(
                f"{other.name} protects other placeholders than {first.name}: train it with the same "
                f"tokenizer.placeholders"
            )


def placeholder_kinds(member: Member) -> frozenset[str]:
    """What a member protects in its source."""
    return frozenset() if member.placeholders is None else member.placeholders.kinds


def attention_weights(members: Sequence[Member], sources: SourceBatch, target_BT: Tensor) -> Tensor | None:
    """Attention weights (B, T, S) under teacher forcing, averaged over members.

    Args:
        members: those without attention, or with another source vocabulary than the first, are ignored.
        sources: encoded by the first member's tokenizer.
        target_BT: target tokens from BOS on, right-padded.

    Returns:
        None if no member has attention.
    """
    first = members[0].tokenizers.source
    readers = [member for member in members if equal_tokenizers(member.tokenizers.source, first)]
    weights = [reader.network.attention_weights(*sources, target_BT) for reader in readers]
    present = [weights_BTS for weights_BTS in weights if weights_BTS is not None]
    return torch.stack(present).mean(0) if present else None


def equal_tokenizers(tokenizer: Tokenizer, other: Tokenizer) -> bool:
    """Whether two tokenizers are equal, byte for byte, and read text in the same form."""
    if tokenizer is other:
        return True
    return tokenizer.to_bytes() == other.to_bytes() and tokenizer.normalization is other.normalization


def deduplicated(tokenizers: Sequence[Tokenizer]) -> list[Tokenizer]:
    """Replace each tokenizer by the first that is equal to it, so that equal ones encode a text once."""
    return [next(first for first in tokenizers if equal_tokenizers(first, tokenizer)) for tokenizer in tokenizers]


def choose_precision(name: str, device: torch.device, quantized: bool) -> InferencePrecision:
    """The precision of that name. ``auto`` is int8 if the weights are stored so and int8 is clearly faster here.

    Raises:
        ConfigError: the name is unknown, or the precision does not run on this device.
    """
    if name not in InferencePrecision.__members__:
        raise ConfigError(f"precision must be one of {', '.join(InferencePrecision)}, got {name}")
    if name == InferencePrecision.auto:
        return InferencePrecision.int8 if quantized and prefers_int8(device) else InferencePrecision.float32
    if name == InferencePrecision.int8 and not runs_int8(device):
        raise ConfigError(f"precision=int8 does not run on this device ({device}): use precision=float32")
    if name in (InferencePrecision.tf32, InferencePrecision.bfloat16):
        resolve_precision(Precision(name), device)
    return InferencePrecision(name)

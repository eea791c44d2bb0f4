"""A trained network ready to search, with the tokenizers its text goes through: one member of what translates.

B sentences, S source positions, T target positions.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from seq2seq.data.batch import source_tensors
from seq2seq.errors import ConfigError, RunError
from seq2seq.inference import InferencePrecision, NetworkStepper, PreparedDecoder
from seq2seq.inference.shortlist import Chosen
from seq2seq.model import Network
from seq2seq.run.folder import LoadedRun
from seq2seq.system.capability import prefers_bfloat16, prefers_int8, runs_int8
from seq2seq.system.device import Precision, allow_tf32, resolve_precision, to_device
from seq2seq.tokenizer.tokenizer import BOS, EOS, Tokenizer, Tokenizers

log = logging.getLogger("seq2seq")


class Sources(NamedTuple):
    """A batch of encoded sentences on a device."""

    source_BS: Tensor
    """Pieces, right-padded, each sentence with its end mark."""
    lengths_B: Tensor
    """The end mark counted."""


@dataclass(frozen=True)
class Member:
    """A network in evaluation mode, bound to a device and to a form of its weights."""

    name: str
    """What to call it in messages: the folder it comes from."""
    network: Network
    decoder: PreparedDecoder
    tokenizers: Tokenizers
    device: torch.device
    precision: InferencePrecision
    """Of the decoder's weights; never ``auto``."""
    target_language: str = ""
    """Code of the language that it writes, by which BLEU cuts words; empty where it is not known."""

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
    ) -> "Member":
        """Move a network to a device and lay its decoder out for search.

        Args:
            network: in evaluation mode.
            tokenizers: those it was trained with.
            device: where it translates.
            precision: float32, tf32, bfloat16, int8, or auto: see `choose_precision`.
            quantized: the weights come from a folder that keeps them in 8 bits.
            name: what to call it in messages.
            target_language: code of the language that it writes.

        Raises:
            ConfigError: an unknown precision, or one that does not run on this device.
        """
        form = choose_precision(precision, device, quantized)
        if quantized and precision == InferencePrecision.auto and not runs_int8(device):
            log.warning("%s has 8-bit weights, and int8 does not run on this device (%s): using float32", name, device)
        reduced = form in (InferencePrecision.bfloat16, InferencePrecision.int8) and prefers_bfloat16(device)
        if device.type == "cuda":
            allow_tf32(form is InferencePrecision.tf32)  # of the process: who is prepared last decides
        network = network.to(device)
        decoder = PreparedDecoder(network, form, torch.bfloat16 if reduced else torch.float32)
        return cls(name, network, decoder, tokenizers, device, form, target_language)

    @classmethod
    def of_run(cls, run: Path, loaded: LoadedRun, device: torch.device, precision: str) -> "Member":
        """The model of a run folder, as `prepare`."""
        return cls.prepare(
            loaded.network,
            loaded.tokenizers,
            device,
            precision,
            quantized=loaded.quantized,
            name=str(run),
            target_language=loaded.target_language,
        )

    @property
    def is_language_model(self) -> bool:
        """Whether it has no encoder, and so reads no source."""
        return self.network.config.encoder.layers == 0

    def sources(self, encoded: Sequence[Sequence[int]]) -> Sources:
        """A batch of sentences, encoded by this member's source tokenizer, without marks."""
        return Sources(*(to_device(tensor, self.device) for tensor in source_tensors(encoded)))

    def stepper(self, sources: Sources, chosen: Chosen | None = None) -> NetworkStepper:
        """This member reading a batch, asked for the ``chosen`` target pieces alone (None: for all)."""
        return NetworkStepper(self.network, self.decoder, *sources, BOS, EOS, chosen)


def hold_together(members: Sequence[Member], language_model: Member | None) -> None:
    """Demand that all write the same pieces: what the first numbers, every other must number alike.

    Raises:
        RunError: a target vocabulary differs; a member is a language model, or the language model is none.
    """
    for member in members:
        if member.is_language_model:
            raise RunError(
                f"{member.name} is a language model and cannot translate: "
                f"ask recipes/suggest.py, or name it by language_model=PATH"
            )
    if language_model is not None and not language_model.is_language_model:
        raise RunError(f"{language_model.name} is no language model: name a run with model.encoder.layers=0")
    first = members[0]
    for other in [*members[1:], *([] if language_model is None else [language_model])]:
        if not same(other.tokenizers.target, first.tokenizers.target):
            raise RunError(
                f"{other.name} has another target vocabulary than {first.name}, and only runs that write the same "
                f"pieces choose them together: train it with tokenizer.target_model={first.name}"
            )


def attention_weights(members: Sequence[Member], sources: Sources, target_BT: Tensor) -> Tensor | None:
    """Mean attention weights (B, T, S) while the target is given; None where no member has any.

    Over the members that attend and have the first one's source vocabulary: ``sources`` are its.
    """
    first = members[0].tokenizers.source
    readers = [member for member in members if same(member.tokenizers.source, first)]
    weights = [reader.network.attention_weights(*sources, target_BT) for reader in readers]
    found = [weights_BTS for weights_BTS in weights if weights_BTS is not None]
    return torch.stack(found).mean(0) if found else None


def same(one: Tokenizer, other: Tokenizer) -> bool:
    """Whether two tokenizers are equal, byte for byte."""
    return one is other or one.to_bytes() == other.to_bytes()


def shared(tokenizers: Sequence[Tokenizer]) -> list[Tokenizer]:
    """For each one the first that is equal to it, so that equal ones are one and need encode a text but once."""
    return [next(first for first in tokenizers if same(first, one)) for one in tokenizers]


def choose_precision(name: str, device: torch.device, quantized: bool) -> InferencePrecision:
    """The form of that name; for ``auto``, int8 where the weights are kept so and it is clearly faster than float32.

    Raises:
        ConfigError: there is none of that name, or it does not run on this device.
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

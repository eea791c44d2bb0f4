"""The vocabulary short-list: the target pieces that can translate a source, so that a search step scores only these.

For every source piece its likeliest translations and, where the target has it too, the piece itself, so that names and
numbers can be copied; and for every sentence the pieces most frequent overall: the candidate lists of Jean et al.
(2015, §3.3) and L'Hostis et al. (2016). "Likeliest" is IBM Model 1 (Brown et al. 1993, §4.1), learnt by expectation
maximisation from the encoded training corpus, so it needs no outside aligner.

B sentences, S source positions, V source pieces, K translations of each, F frequent pieces, U pieces of a batch.
C couples of a source and a target piece that occur together.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq.errors import RunError
from seq2seq.inference.ibm_model1 import Lexicon, Numbers, make_bitext, model1
from seq2seq.model.weights import load_weights, save_tensors
from seq2seq.settings import setting

if TYPE_CHECKING:  # keeps pyarrow out of programs that only translate
    from seq2seq.data.table import EncodedPairs

ITERATIONS = 5  # on Multi30k three cover unseen translations as well, two do worse

LONGEST = 1_000
"""Pieces in a source piece's list at most, unless the run's settings say more: a file may say that it has billions."""


@dataclass(kw_only=True)
class ShortlistConfig:
    """How long the lists are and how much is read to learn them."""

    translations: int = setting(100, "likeliest target pieces of each source piece", at_least=1)
    frequent: int = setting(100, "most frequent target pieces, in every sentence's list", at_least=0)
    pairs: int = setting(200_000, "at most so many training pairs are read to learn the lists", at_least=1)


class Chosen(NamedTuple):
    """The target pieces a batch may use, and which of them each sentence may not."""

    pieces_U: Tensor
    """Ids in rising order, int64: the union of the sentences' lists."""
    barred_BU: Tensor
    """True where the sentence's own list does not have the piece."""


@dataclass(frozen=True)
class Shortlist:
    """Which target pieces can translate which source.

    Attributes:
        translations_VK: likeliest target pieces of every source piece, likeliest first, int32; -1 fills a row up.
        frequent_F: target pieces in every list, int32: the end mark, the unknown piece, then the most frequent.
        target_size: pieces in the target vocabulary.
    """

    translations_VK: Tensor
    frequent_F: Tensor
    target_size: int

    @classmethod
    def learn(
        cls,
        table: "EncodedPairs",
        source_size: int,
        target_size: int,
        config: ShortlistConfig,
        seed: int,
        *,
        eos: int,
        unk: int,
    ) -> "Shortlist":
        """Learn the lists from a corpus; the same ones for the same table, config and seed.

        The begin mark and padding are in no list, because no encoded sentence holds them.

        Args:
            table: the encoded training pairs; where it has more than ``config.pairs``, a sample drawn by ``seed``.
            source_size: pieces in the source vocabulary.
            target_size: pieces in the target vocabulary.
            config: lengths of the lists.
            seed: of the sample.
            eos: the target's end mark, in every list.
            unk: the target's unknown piece, in every list.

        Raises:
            DataError: the table was encoded with larger vocabularies.
        """
        rows = np.arange(len(table))
        if config.pairs < len(rows):
            rows = np.sort(np.random.default_rng(seed).choice(rows, config.pairs, replace=False))
        bitext = make_bitext(*table.rows(rows), source_size, target_size)
        often = np.bincount(bitext.targets_N, bitext.repeats_N, minlength=target_size)
        often[[eos, unk]] = 0
        ranked = np.argsort(-often, kind="stable")[: config.frequent]
        frequent = np.concatenate([[eos, unk], ranked[often[ranked] > 0]])
        lexicon, _ = model1(bitext, ITERATIONS)
        translations = _likeliest(lexicon, source_size, config.translations, frequent)
        return cls(torch.from_numpy(translations), torch.from_numpy(frequent.astype(np.int32)), target_size)

    def choose(self, source_BS: Tensor, lengths_B: Tensor, copies_V: Tensor | None = None) -> Chosen:
        """The lists of a batch of sources, right-padded; a sentence's own list is the same in any batch.

        Args:
            source_BS: source ids, int64, on the device of the lists.
            lengths_B: how many of them are the sentence's.
            copies_V: the target piece that is the same as each source piece, int64; -1 where there is none. None: no
                piece is copied.
        """
        sentences, width = source_BS.shape
        padding_BS = torch.arange(width, device=source_BS.device) >= lengths_B.unsqueeze(1)
        candidates_BSK = self.translations_VK[source_BS].long() + 1  # column 0 below takes what is no piece
        candidates_BSK.masked_fill_(padding_BS.unsqueeze(2), 0)
        listed = torch.zeros(sentences, self.target_size + 1, dtype=torch.bool, device=source_BS.device)
        listed.index_fill_(1, self.frequent_F.long() + 1, True).scatter_(1, candidates_BSK.flatten(1), True)
        if copies_V is not None:
            listed.scatter_(1, (copies_V[source_BS] + 1).masked_fill_(padding_BS, 0), True)
        listed_BT = listed[:, 1:]
        pieces_U = listed_BT.any(0).nonzero().squeeze(1)
        return Chosen(pieces_U, ~listed_BT.index_select(1, pieces_U))

    def to(self, device: torch.device) -> "Shortlist":
        """The same lists on ``device``."""
        return Shortlist(self.translations_VK.to(device), self.frequent_F.to(device), self.target_size)

    def save(self, path: Path) -> None:
        """Write the lists (safetensors), whole or not at all."""
        save_tensors({"translations": self.translations_VK.cpu(), "frequent": self.frequent_F.cpu()}, path)

    @classmethod
    def load(cls, path: Path, source_size: int, target_size: int, longest: int = LONGEST) -> "Shortlist":
        """Read what `save` wrote.

        Args:
            path: the file.
            source_size: pieces in the source vocabulary.
            target_size: pieces in the target vocabulary.
            longest: pieces in a list at most.

        Raises:
            RunError: the file is missing, damaged, foreign, made for vocabularies of other sizes, or has longer lists.
        """
        if not path.is_file():
            raise RunError(
                f"{path} is missing: give the run's training command again, which learns it, or set shortlist=false"
            )

        def hold(fault: str) -> None:
            if fault:
                raise RunError(
                    f"{path} is no short-list of this run ({fault}): learn it again, or translate without it"
                )

        found = load_weights(path, lambda header: hold(_misshapen(header, source_size, target_size, longest)))
        hold(_out_of_range(found, target_size))
        return cls(found["translations"], found["frequent"], target_size)


def _misshapen(found: dict[str, Tensor], source_size: int, target_size: int, longest: int) -> str:
    """What is wrong with the shapes and types of a file's tensors, in a few words; empty where nothing is."""
    for name, shape, most in (("translations", [source_size, -1], longest), ("frequent", [-1], target_size)):
        if name not in found:
            return f"it has no {name}"
        tensor = found[name]
        if tensor.dtype != torch.int32:
            return f"{name} are {tensor.dtype}, not torch.int32"
        if tensor.dim() != len(shape) or not tensor.numel():
            return f"{name} have shape {list(tensor.shape)}"
        if shape[0] not in (-1, tensor.size(0)):
            return f"it has {tensor.size(0)} source pieces, the model {source_size}"
        if tensor.size(-1) > most:
            return f"{name} are {tensor.size(-1):,}, more than {most:,}"
    extra = sorted(found.keys() - {"translations", "frequent"})
    return f"it also has {extra[0]}" if extra else ""


def _out_of_range(found: dict[str, Tensor], target_size: int) -> str:
    """Which ids are none, in a few words; empty where all are."""
    for name, lowest in (("translations", -1), ("frequent", 0)):
        low, high = int(found[name].min()), int(found[name].max())
        if low < lowest or high >= target_size:
            return f"{name} go from {low} to {high}, the model has {target_size} target pieces"
    return ""


def _likeliest(lexicon: Lexicon, source_size: int, count: int, without: Numbers) -> Numbers:
    """The ``count`` likeliest target pieces of every source piece (V, K), those ``without`` left out, -1 after them."""
    left = (lexicon.sources_C < source_size) & ~np.isin(lexicon.targets_C, without)  # nor the empty word's
    sources, targets, chances = (part[left] for part in lexicon)
    order = np.lexsort((targets, -chances, sources))
    sources, targets = sources[order], targets[order]
    ranks = np.arange(len(sources)) - np.searchsorted(sources, sources)
    translations = np.full((source_size, count), -1, dtype=np.int32)
    kept = ranks < count
    translations[sources[kept], ranks[kept]] = targets[kept]
    return translations

"""The lexical shortlist: the target tokens that can translate a source, so that a search step scores only these.

A sentence's list has the most probable translations of each of its source tokens, the source tokens themselves if the
target vocabulary has them (names and numbers), and the most frequent target tokens overall: the candidate lists of Jean
et al. (2015, §3.3) and L'Hostis et al. (2016). Translation probabilities are those of IBM Model 1 (Brown et al. 1993,
§4.1), learned from the encoded training corpus, so no external aligner is needed.

B sentences, S source positions, V source vocabulary size, K translations of each token, F frequent tokens, U tokens of
a batch, C pairs of a source and a target token that occur together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from seq2seq.data.ibm_model1 import Bitext, Lexicon, Numbers
from seq2seq.errors import RunError
from seq2seq.inference.config import ShortlistConfig
from seq2seq.model.weights import load_weights, save_tensors

MAX_TRANSLATIONS = 1_000
"""Default limit of tokens in a source token's list, because the header of a damaged file may claim billions."""


class BatchShortlist(NamedTuple):
    """The target tokens of a batch, and which of them each sentence must not use."""

    tokens_U: Tensor
    """Ids in increasing order, int64: the union of the sentences' lists."""
    masked_BU: Tensor
    """True for tokens that are not in the sentence's own list."""


@dataclass(frozen=True)
class Shortlist:
    """The target tokens that can translate each source token.

    Attributes:
        translations_VK: target tokens of every source token, most probable first, int32; -1 where there are fewer.
        frequent_F: target tokens in every list, int32: EOS, UNK, then the most frequent.
        target_size: size of the target vocabulary.
    """

    translations_VK: Tensor
    frequent_F: Tensor
    target_size: int

    @classmethod
    def learn(
        cls,
        bitext: Bitext,
        lexicon: Lexicon,
        source_size: int,
        target_size: int,
        config: ShortlistConfig,
        *,
        eos: int,
        unk: int,
    ) -> "Shortlist":
        """Learn the lists from a corpus.

        BOS and padding are in no list, because no encoded sentence contains them.

        Args:
            bitext, lexicon: as `learn_lexicon` returns them.
            source_size: size of the source vocabulary.
            target_size: size of the target vocabulary.
            config: lengths of the lists.
            eos: id of EOS, which is in every list.
            unk: id of UNK, which is in every list.
        """
        counts = np.bincount(bitext.targets_N, bitext.repeats_N, minlength=target_size)
        counts[[eos, unk]] = 0
        ranked = np.argsort(-counts, kind="stable")[: config.frequent]
        frequent = np.concatenate([[eos, unk], ranked[counts[ranked] > 0]])
        translations = _most_probable(lexicon, source_size, config.translations, frequent)
        return cls(torch.from_numpy(translations), torch.from_numpy(frequent.astype(np.int32)), target_size)

    def choose(self, source_BS: Tensor, lengths_B: Tensor, copies_V: Tensor | None = None) -> BatchShortlist:
        """The lists of a batch of sources. A sentence's list does not depend on its batch.

        Args:
            source_BS: source tokens, right-padded, int64, on the device of the lists.
            lengths_B: source lengths in tokens.
            copies_V: the target token that is equal to each source token, int64; -1 if there is none. None: no source
                token is listed itself.
        """
        sentences, width = source_BS.shape
        padding_BS = torch.arange(width, device=source_BS.device) >= lengths_B.unsqueeze(1)
        candidates_BSK = self.translations_VK[source_BS].long() + 1  # -1 and padding go to column 0
        candidates_BSK.masked_fill_(padding_BS.unsqueeze(2), 0)
        listed = torch.zeros(sentences, self.target_size + 1, dtype=torch.bool, device=source_BS.device)
        listed.index_fill_(1, self.frequent_F.long() + 1, True).scatter_(1, candidates_BSK.flatten(1), True)
        if copies_V is not None:
            listed.scatter_(1, (copies_V[source_BS] + 1).masked_fill_(padding_BS, 0), True)
        listed_BT = listed[:, 1:]
        tokens_U = listed_BT.any(0).nonzero().squeeze(1)
        return BatchShortlist(tokens_U, ~listed_BT.index_select(1, tokens_U))

    def to(self, device: torch.device) -> "Shortlist":
        """Copy the lists to ``device``."""
        return Shortlist(self.translations_VK.to(device), self.frequent_F.to(device), self.target_size)

    def save(self, path: Path, metadata: Mapping[str, str] | None = None) -> None:
        """Write the lists (safetensors), with entries for the file's header. The file is replaced atomically."""
        save_tensors({"translations": self.translations_VK.cpu(), "frequent": self.frequent_F.cpu()}, path, metadata)

    @classmethod
    def load(cls, path: Path, source_size: int, target_size: int, longest: int = MAX_TRANSLATIONS) -> "Shortlist":
        """Read the file of `save`.

        Args:
            path: the file.
            source_size: size of the source vocabulary.
            target_size: size of the target vocabulary.
            longest: maximum length of a source token's list.

        Raises:
            RunError: the file is missing, damaged, of another kind or for other vocabularies, or its lists are longer.
        """
        if not path.is_file():
            raise RunError(f"{path} is missing: rerun the training command, which learns it, or set shortlist=false")

        def check(fault: str) -> None:
            if fault:
                raise RunError(
                    f"{path} is not a shortlist of this run ({fault}): learn it again, or set shortlist=false"
                )

        lists = load_weights(path, lambda header: check(_shape_fault(header, source_size, target_size, longest)))
        check(_range_fault(lists, target_size))
        return cls(lists["translations"], lists["frequent"], target_size)


def _shape_fault(lists: dict[str, Tensor], source_size: int, target_size: int, longest: int) -> str:
    """Describe errors in the shapes and types of a file's tensors; empty if there are none."""
    for name, shape, most in (("translations", [source_size, -1], longest), ("frequent", [-1], target_size)):
        if name not in lists:
            return f"it has no {name}"
        tensor = lists[name]
        if tensor.dtype != torch.int32:
            return f"{name} are {tensor.dtype}, not torch.int32"
        if tensor.dim() != len(shape) or not tensor.numel():
            return f"{name} have shape {list(tensor.shape)}"
        if shape[0] not in (-1, tensor.size(0)):
            return f"it has {tensor.size(0)} source tokens, the model {source_size}"
        if tensor.size(-1) > most:
            return f"{name} are {tensor.size(-1):,}, more than {most:,}"
    extra = sorted(lists.keys() - {"translations", "frequent"})
    return f"it also has {extra[0]}" if extra else ""


def _range_fault(lists: dict[str, Tensor], target_size: int) -> str:
    """Which ids are out of range; empty if none are."""
    for name, lowest in (("translations", -1), ("frequent", 0)):
        low, high = int(lists[name].min()), int(lists[name].max())
        if low < lowest or high >= target_size:
            return f"{name} go from {low} to {high}, the model has {target_size} target tokens"
    return ""


def _most_probable(lexicon: Lexicon, source_size: int, count: int, without: Numbers) -> Numbers:
    """The ``count`` most probable target tokens of every source token (V, K), except ``without``; -1 after them."""
    kept = (lexicon.sources_C < source_size) & ~np.isin(lexicon.targets_C, without)  # not of the empty word either
    sources, targets, probabilities = (part[kept] for part in lexicon)
    order = np.lexsort((targets, -probabilities, sources))
    sources, targets = sources[order], targets[order]
    ranks = np.arange(len(sources)) - np.searchsorted(sources, sources)
    translations = np.full((source_size, count), -1, dtype=np.int32)
    first = ranks < count
    translations[sources[first], ranks[first]] = targets[first]
    return translations

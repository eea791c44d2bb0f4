"""Guided attention: a word aligner shows attention which source tokens translate to a target token.

The links are those of IBM Model 1, learned from the encoded training pairs, and a cross entropy draws attention towards
them (Chen et al. 2016, §3; Mi et al. 2016; Liu et al. 2016). With few pairs, attention finds words late by itself.

B sentences, T target positions, S source positions, P target positions of a batch that are not padding, V target
vocabulary size, C pairs of a source and a target token that occur together.
"""

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.data.ibm_model1 import Lexicon
from seq2seq.model import Network
from seq2seq.training.auxiliary import AuxiliaryLoss, DecoderCall
from seq2seq.training.loss import Objective


class Links:
    """Where the target tokens of a batch come from, according to IBM Model 1.

    Args:
        lexicon: its probabilities t(f | e); the empty word is the last source token.
        source_size: size of the source vocabulary, without the empty word.
        target_size: size of the target vocabulary.
        device: where batches are.
    """

    def __init__(self, lexicon: Lexicon, source_size: int, target_size: int, device: torch.device) -> None:
        targets, sources, probabilities = (
            torch.from_numpy(column) for column in (lexicon.targets_C, lexicon.sources_C, lexicon.probabilities_C)
        )
        empty = sources == source_size
        empty_V = torch.zeros(target_size).index_copy_(0, targets[empty].long(), probabilities[empty].float())
        keys_C, order_C = (targets.long() * source_size + sources)[~empty].sort()
        self.source_size, self.keys_C, self.empty_V = source_size, keys_C.to(device), empty_V.to(device)
        self.probabilities_C = probabilities[~empty][order_C].float().to(device)

    def __call__(self, source_PS: Tensor, labels_P: Tensor) -> Tensor:
        """Probability (P, S) that the label comes from each source token: t(f | e) / Σ t(f | e').

        The sum includes the empty word, so a row has a sum of at most 1. It has a sum of 0 if no source token of the
        sentence occurs with the label in training.
        """
        keys_PS = labels_P.unsqueeze(1) * self.source_size + source_PS
        places_PS = torch.searchsorted(self.keys_C, keys_PS).clamp_max_(len(self.keys_C) - 1)
        found_PS = self.probabilities_C[places_PS] * (self.keys_C[places_PS] == keys_PS)
        total_P = found_PS.sum(1) + self.empty_V[labels_P]
        return found_PS / total_P.clamp_min(torch.finfo(torch.float32).tiny).unsqueeze(1)


class GuidedAttention(AuxiliaryLoss):
    """Another objective plus the cross entropy between the links and the attention weights of its first pass.

    L = objective - w(u) · Σ link · log(attention weight), summed over source positions. The weight w falls in a line
    from ``weight`` at the first update to 0 after ``updates`` updates, because the links are worse than the attention
    of a trained network.
    """

    def __init__(self, objective: Objective, links: Links, weight: float, updates: int) -> None:
        super().__init__(objective, weight, updates)
        self.links = links

    def cross_entropy(self, network: Network, batch: Batch, call: DecoderCall) -> Tensor:
        """-Σ link · log(attention weight) over the batch; its sentences are the first ones that were decoded."""
        decoded = call.output
        assert decoded.weights_NTS is not None, "the network has attention"
        sentences_P = batch.positions_P // batch.target_BT.size(1)
        links_PS = self.links(batch.source_BS.index_select(0, sentences_P), batch.labels_P)
        weights_PS = decoded.weights_NTS.flatten(0, 1).index_select(0, batch.positions_P).float()
        return -(links_PS * weights_PS.clamp_min(SMALLEST).log()).sum()


SMALLEST = 1e-9
"""Attention weights below count as this: those outside an attention window are 0."""

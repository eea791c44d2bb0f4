"""Bag of words: an auxiliary loss that predicts the target's words from the decoder's initial state.

The decoder's own readout and output layer predict the words from its initial state, so the loss adds no weights. Words
as a target beside the sentence: Weng et al. 2017 ("Neural Machine Translation with Word Predictions", from the
decoder's initial state), Ma et al. 2018 ("Bag-of-Words as Target for Neural Machine Translation"; from the sum of the
decoder's scores).

B sentences, T target positions, P target positions of a batch that are not padding, V target vocabulary size.
"""

import torch
from torch import Tensor

from seq2seq.data.batch import Batch
from seq2seq.model import Network
from seq2seq.model.decoder import Memory, State
from seq2seq.system.device import autocast
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.tokenizer import EOS
from seq2seq.training.auxiliary import AuxiliaryLoss, DecoderCall
from seq2seq.training.loss import Objective


class BagOfWords(AuxiliaryLoss):
    """Another objective plus the cross entropy of the target's words given the initial state of its first pass.

    L = objective - w(u) · Σ log p(word | context), summed over the target tokens without EOS, in any order. The weight
    w falls in a line from ``weight`` at the first update to 0 after ``updates`` updates.

    Args:
        objective: the other objective, of a network without attention.
        weight: at the first update.
        updates: after which it is 0.
        precision: of the products.
    """

    def __init__(self, objective: Objective, weight: float, updates: int, precision: Precision) -> None:
        super().__init__(objective, weight, updates)
        self.precision = precision

    def cross_entropy(self, network: Network, batch: Batch, call: DecoderCall) -> Tensor:
        """-Σ log p(word | context) over the batch; its sentences are the first ones that were decoded."""
        sentences = len(batch.target_BT)
        memory, state = first_sentences(call.memory, call.state, sentences)
        with autocast(self.precision, batch.source_BS.device):
            features_BF = network.decoder.initial_features(call.embedded_NTE[:sentences, :1], memory, state)
            logits_BV = network.output(features_BF)
        bags_BV = bags(batch, logits_BV.size(1))
        log_probabilities_BV: Tensor = logits_BV.float().log_softmax(1)
        return -(bags_BV * log_probabilities_BV).sum()


def bags(batch: Batch, vocabulary: int) -> Tensor:
    """How often each sentence of a batch has each target token (B, V); EOS is not counted."""
    sentences_P = batch.positions_P // batch.target_BT.size(1)
    size = len(batch.target_BT) * vocabulary
    bags_BV = torch.bincount(sentences_P * vocabulary + batch.labels_P, minlength=size).view(-1, vocabulary)
    bags_BV[:, EOS] = 0
    return bags_BV


def first_sentences(memory: Memory, state: State, count: int) -> tuple[Memory, State]:
    """Memory and initial state of the first sentences, of a network without attention."""
    cell_LNH = None if state.cell_LNH is None else state.cell_LNH[:, :count]
    return memory._replace(context_BD=memory.context_BD[:count]), state._replace(
        hidden_LNH=state.hidden_LNH[:, :count], cell_LNH=cell_LNH
    )

"""The network: embeddings, encoder, bridge, decoder and output layer.

B sentences, S source positions, T target positions, P target positions of a batch that are not padding, L decoder
layers, H units, V vocabulary size.
"""

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from seq2seq.errors import ConfigError
from seq2seq.model.blocks import LinearOfRows
from seq2seq.model.bridge import Bridge
from seq2seq.model.choices import CopyKind, Tying
from seq2seq.model.config import ModelConfig
from seq2seq.model.decoder import Decoder, DecoderOutput, Memory, State
from seq2seq.model.dropout import Cutoff, WordDropout, apply_mask
from seq2seq.model.encoder import Encoder
from seq2seq.model.initialization import initialize
from seq2seq.model.pointer import Pointer


class Network(nn.Module):
    """Encoder, context vector, decoder (Sutskever et al. 2014, Cho et al. 2014), with or without attention.

    Without encoder layers it is a language model of the target (Mikolov et al. 2010): the decoder starts from zero, and
    only the number of source sentences matters.

    Args:
        config: the settings.
        source_vocabulary: number of source tokens.
        target_vocabulary: number of target tokens.
        joint: whether both are one vocabulary.
        copies: the target token that each source token copies (``model.copy=pointer``), -1 for those that cannot be
            copied; None: no source token can be.

    Raises:
        ConfigError: settings contradict each other, or ``model.tying=all`` has no joint vocabulary.
    """

    def __init__(
        self,
        config: ModelConfig,
        source_vocabulary: int,
        target_vocabulary: int,
        joint: bool,
        copies: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        config.check()
        has_encoder = not config.is_language_model
        if config.tying is Tying.all and has_encoder and not joint:
            raise ConfigError("model.tying=all shares one vocabulary: set tokenizer.joint=true or model.tying=output")
        self.config = config
        self.target_embedding = nn.Embedding(target_vocabulary, config.embedding_size)
        self.source_embedding: nn.Embedding | None = None
        if has_encoder:
            shares = config.tying is Tying.all
            self.source_embedding = (
                self.target_embedding if shares else nn.Embedding(source_vocabulary, config.embedding_size)
            )
        self.encoder = Encoder(config) if has_encoder else None
        self.bridge = Bridge(config) if has_encoder else None
        self.decoder = Decoder(config)
        self.output = LinearOfRows(self.decoder.feature_size, target_vocabulary)
        self.pointer: Pointer | None = None
        if config.copy is CopyKind.pointer:
            copies_X = torch.full((source_vocabulary,), -1) if copies is None else torch.tensor(copies)
            self.pointer = Pointer(self.decoder.feature_size, copies_X)
        self.word_dropout = WordDropout(config.word_dropout)
        if config.tying is not Tying.none:
            self.output.weight = self.target_embedding.weight
        initialize(self, config)

    def encode(self, source_BS: Tensor, lengths_B: Tensor, kept_BS1: Tensor | None = None) -> tuple[Memory, State]:
        """Encode right-padded source tokens (ids; every length >= 1) into the decoder's memory and initial state.

        ``kept_BS1`` multiplies the embeddings, and tokens with 0 cannot be copied: see `Cutoff`.
        """
        if self.encoder is None or self.bridge is None or self.source_embedding is None:
            return self._empty_memory(source_BS.size(0))
        embedded_BSE = apply_mask(self.source_embedding(source_BS), kept_BS1)
        encoded = self.encoder(self.word_dropout(embedded_BSE), lengths_B)
        hidden_LBH, cell_LBH = self.bridge(encoded.hidden, encoded.cell)
        attention = self.decoder.attention
        memory = None if attention is None else attention.memory(encoded.states_BSD, encoded.padding_BS)
        copies = None if self.pointer is None else self.pointer.memory(source_BS, kept_BS1)
        return Memory(encoded.hidden[-1], memory, copies), self.decoder.start(hidden_LBH, cell_LBH, memory)

    def _empty_memory(self, sentences: int) -> tuple[Memory, State]:
        """Memory and initial state of a language model."""
        decoder, like = self.config.decoder, self.target_embedding.weight
        hidden_LBH = like.new_zeros(decoder.layers, sentences, decoder.size)
        cell_LBH = hidden_LBH if decoder.cell.traits.starts_from_cell_state else None
        return Memory(like.new_zeros(sentences, 0), None), self.decoder.start(hidden_LBH, cell_LBH, None)

    def forward(
        self,
        source_BS: Tensor,
        lengths_B: Tensor,
        target_BT: Tensor,
        positions_P: Tensor,
        cutoff: Cutoff | None = None,
    ) -> Tensor:
        """Compute logits of the next token under teacher forcing.

        Args:
            source_BS: source tokens, right-padded.
            lengths_B: source lengths in tokens.
            target_BT: target tokens from BOS on, right-padded.
            positions_P: indices into the flattened (B·T) positions: those that are not padding, so that padding costs
                nothing in the output layer.
            cutoff: factors of the embeddings; None: all 1.

        Returns:
            Logits (P, V) of the token after each of the chosen positions: their softmax is its probability.
        """
        kept_BS1, kept_BT1 = (None, None) if cutoff is None else cutoff
        memory, state = self.encode(source_BS, lengths_B, kept_BS1)
        embedded_BTE = self.word_dropout(apply_mask(self.target_embedding(target_BT), kept_BT1))
        return self.logits(self.decoder(embedded_BTE, memory, state), memory, positions_P)

    def logits(self, decoded: DecoderOutput, memory: Memory, positions_P: Tensor) -> Tensor:
        """Logits (P, V) after some of the flattened (N·T) positions that the decoder has read, copies included."""
        features_PF = decoded.features_NTF.flatten(0, 1).index_select(0, positions_P)
        logits_PV: Tensor = self.output(features_PF)
        if self.pointer is None or decoded.weights_NTS is None or memory.copies is None:
            return logits_PV
        mixed_PV: Tensor = self.pointer(logits_PV, features_PF, memory.copies.at(decoded.weights_NTS, positions_P))
        return mixed_PV

    def attention_weights(self, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor) -> Tensor | None:
        """Attention weights (B, T, S) under teacher forcing, averaged over heads; None without attention."""
        memory, state = self.encode(source_BS, lengths_B)
        weights: Tensor | None = self.decoder(self.target_embedding(target_BT), memory, state).weights_NTS
        return weights


def shared_copy(network: Network) -> Network:
    """Copy the modules of a network, in evaluation mode; the copy uses the same weight tensors."""
    weights = {id(tensor): tensor for tensor in [*network.parameters(), *network.buffers()]}
    copy: Network = deepcopy(network, weights)  # deepcopy does not copy what is in its memo
    return copy.eval()


def meta_network(config: ModelConfig, source_vocabulary: int, target_vocabulary: int, joint: bool) -> Network:
    """A network on the meta device: it has the names and shapes of all parameters and takes no memory.

    Raises:
        ConfigError: as `Network`.
        RuntimeError: the number of bytes of a tensor overflows.
    """
    with torch.device("meta"), _SkipInPlace():
        return Network(config, source_vocabulary, target_vocabulary, joint)


class _SkipInPlace(TorchFunctionMode):
    """Skips in-place operations, which have no effect on meta tensors.

    PyTorch would run them too, but loads its compiler for that, which takes a second.
    """

    def __torch_function__(
        self, function: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Any = None
    ) -> Any:
        """Call the function unless its name ends in one underscore."""
        name = getattr(function, "__name__", "")
        if name.endswith("_") and not name.endswith("__"):
            return args[0] if args else kwargs["tensor"]
        return function(*args, **(kwargs or {}))

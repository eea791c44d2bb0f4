"""The network: embeddings, encoder, bridge, decoder and output layer.

B sentences, S source positions, T target positions, P real target positions of a batch, L decoder layers, H units,
V vocabulary.
"""

from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.model.bridge import Bridge
from seq2seq.model.choices import Tying
from seq2seq.model.config import ModelConfig
from seq2seq.model.decoder import Decoder
from seq2seq.model.dropout import WordDropout
from seq2seq.model.encoder import Encoder
from seq2seq.model.initialization import initialize
from seq2seq.model.state import Attended, Memory, State


class Network(nn.Module):
    """Encoder, context vector, decoder (Sutskever et al. 2014, Cho et al. 2014), with or without attention.

    Without encoder layers it is a language model of the target (Mikolov et al. 2010): it starts from zero, and of a
    source it only counts the sentences.

    Raises:
        ConfigError: settings that contradict each other, or ``model.tying=all`` without a joint vocabulary.
    """

    def __init__(self, config: ModelConfig, source_vocabulary: int, target_vocabulary: int, joint: bool) -> None:
        super().__init__()
        config.check()
        reads = config.encoder.layers > 0
        if config.tying is Tying.all and reads and not joint:
            raise ConfigError("model.tying=all shares one vocabulary: set tokenizer.joint=true or model.tying=output")
        self.config = config
        self.target_embedding = nn.Embedding(target_vocabulary, config.embedding_size)
        self.source_embedding: nn.Embedding | None = None
        if reads:
            shares = config.tying is Tying.all
            self.source_embedding = (
                self.target_embedding if shares else nn.Embedding(source_vocabulary, config.embedding_size)
            )
        self.encoder = Encoder(config) if reads else None
        self.bridge = Bridge(config) if reads else None
        self.decoder = Decoder(config)
        self.output = nn.Linear(self.decoder.feature_size, target_vocabulary)
        self.word_dropout = WordDropout(config.word_dropout)
        if config.tying is not Tying.none:
            self.output.weight = self.target_embedding.weight
        initialize(self, config)

    def encode(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Memory, State]:
        """Read right-padded source pieces (ids; every length >= 1) into the decoder's memory and initial state."""
        if self.encoder is None or self.bridge is None or self.source_embedding is None:
            return self._nothing(source_BS.size(0))
        encoded = self.encoder(self.word_dropout(self.source_embedding(source_BS)), lengths_B)
        hidden_LBH, cell_LBH = self.bridge(encoded.hidden, encoded.cell)
        attention, attended = self.decoder.attention, None
        if attention is not None:
            states_BSD = encoded.states_BSD
            attended = Attended(attention.keys(states_BSD), attention.values(states_BSD), encoded.padding_BS)
        return Memory(encoded.hidden[-1], attended), self.decoder.start(hidden_LBH, cell_LBH, attended)

    def _nothing(self, sentences: int) -> tuple[Memory, State]:
        """What a language model knows at first."""
        decoder, like = self.config.decoder, self.target_embedding.weight
        hidden_LBH = like.new_zeros(decoder.layers, sentences, decoder.size)
        cell_LBH = hidden_LBH if decoder.cell.has_cell_state else None
        return Memory(like.new_zeros(sentences, 0), None), self.decoder.start(hidden_LBH, cell_LBH, None)

    def forward(self, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor, positions_P: Tensor) -> Tensor:
        """Logits (P, V) of the piece after each of the chosen target positions, the target being given.

        Args:
            source_BS: source pieces, right-padded.
            lengths_B: source lengths in pieces.
            target_BT: target pieces from the beginning-of-sentence mark on, right-padded.
            positions_P: indices into the flattened (B·T) positions: the real ones, so that padding costs no output.
        """
        memory, state = self.encode(source_BS, lengths_B)
        embedded_BTE = self.word_dropout(self.target_embedding(target_BT))
        features = self.decoder(embedded_BTE, memory, state).features_NTF
        logits: Tensor = self.output(features.flatten(0, 1).index_select(0, positions_P))
        return logits

    def attention_weights(self, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor) -> Tensor | None:
        """Attention weights (B, T, S), the mean of all heads', while the target is given; None without attention."""
        memory, state = self.encode(source_BS, lengths_B)
        weights: Tensor | None = self.decoder(self.target_embedding(target_BT), memory, state).weights_NTS
        return weights

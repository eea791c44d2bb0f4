"""The network: embeddings, encoder, bridge, decoder and output layer.

B sentences, S source positions, T target positions, P real target positions of a batch, V vocabulary.
"""

from torch import Tensor, nn

from seq2seq.errors import ConfigError
from seq2seq.model.bridge import Bridge
from seq2seq.model.config import ModelConfig, Tying
from seq2seq.model.decoder import Attended, Decoder, Memory, State
from seq2seq.model.encoder import Encoder
from seq2seq.model.initialization import initialize


class Network(nn.Module):
    """Encoder LSTM, context vector, decoder LSTM (Sutskever et al. 2014, Cho et al. 2014), with or without attention.

    Raises:
        ConfigError: settings that contradict each other, or ``model.tying=all`` without a joint vocabulary.
    """

    def __init__(self, config: ModelConfig, source_vocabulary: int, target_vocabulary: int, joint: bool) -> None:
        super().__init__()
        config.check()
        if config.tying is Tying.all and not joint:
            raise ConfigError("model.tying=all shares one vocabulary: set tokenizer.joint=true or model.tying=output")
        self.config = config
        self.target_embedding = nn.Embedding(target_vocabulary, config.embedding_size)
        self.source_embedding = (
            self.target_embedding
            if config.tying is Tying.all
            else nn.Embedding(source_vocabulary, config.embedding_size)
        )
        self.encoder = Encoder(config)
        self.bridge = Bridge(config)
        self.decoder = Decoder(config)
        self.output = nn.Linear(self.decoder.feature_size, target_vocabulary)
        if config.tying is not Tying.none:
            self.output.weight = self.target_embedding.weight
        initialize(self, config)

    def encode(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Memory, State]:
        """Read right-padded source pieces (ids; every length >= 1) into the decoder's memory and initial state."""
        encoded = self.encoder(self.source_embedding(source_BS), lengths_B)
        state = State(*self.bridge(encoded.hidden_LBD, encoded.cell_LBD))
        attention = self.decoder.attention
        if attention is None:
            return Memory(encoded.hidden_LBD[-1], None), state
        attended = Attended(attention.keys(encoded.states_BSD), encoded.states_BSD, encoded.padding_BS)
        return Memory(encoded.hidden_LBD[-1], attended), state

    def forward(self, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor, positions_P: Tensor) -> Tensor:
        """Logits (P, V) of the piece after each of the chosen target positions, the target being given.

        Args:
            source_BS: source pieces, right-padded.
            lengths_B: source lengths in pieces.
            target_BT: target pieces from the beginning-of-sentence mark on, right-padded.
            positions_P: indices into the flattened (B·T) positions: the real ones, so that padding costs no output.
        """
        memory, state = self.encode(source_BS, lengths_B)
        features = self.decoder(self.target_embedding(target_BT), memory, state).features_NTF
        logits: Tensor = self.output(features.flatten(0, 1).index_select(0, positions_P))
        return logits

    def attention_weights(self, source_BS: Tensor, lengths_B: Tensor, target_BT: Tensor) -> Tensor | None:
        """Attention weights (B, T, S) while the target is given; None for a model without attention."""
        memory, state = self.encode(source_BS, lengths_B)
        weights: Tensor | None = self.decoder(self.target_embedding(target_BT), memory, state).weights_NTS
        return weights

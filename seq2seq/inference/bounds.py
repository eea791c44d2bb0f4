"""Which of a network's vectors lie in [-1, 1] whatever its weights are: only these may become 8-bit integers.

States o · tanh(c), tanh, their means and maxima do. Sums along residual connections, rectified states, linear maps and
the larger of two sums know no bound.
"""

from seq2seq.model.choices import AttentionKind, BridgeKind, CellKind, Readout
from seq2seq.model.config import ModelConfig
from seq2seq.model.readout import readout_sizes


def outputs_bounded(config: ModelConfig) -> bool:
    """Of the decoder's layers."""
    cell = config.decoder.cell
    if cell is CellKind.gru and not start_bounded(config):
        return False  # Its update gate may keep the first state for ever.
    return cell is not CellKind.rnn_relu and config.decoder.residual_from is None


def context_bounded(config: ModelConfig) -> bool:
    """Of what the decoder hears of the source; of nothing, where it hears nothing."""
    encoder = config.encoder
    if config.attention is AttentionKind.none:
        # A summary leaves residual connections out.
        return encoder.cell is not CellKind.rnn_relu or not config.decoder.feed_context
    # Several heads mix values that a linear map has made.
    return encoder.cell is not CellKind.rnn_relu and encoder.residual_from is None and config.attention_heads == 1


def start_bounded(config: ModelConfig) -> bool:
    """Of the decoder's first hidden state."""
    if config.encoder.layers == 0:
        return True
    if config.bridge is BridgeKind.copy:
        return config.encoder.cell is not CellKind.rnn_relu
    return config.bridge is not BridgeKind.linear


def features_bounded(config: ModelConfig) -> bool:
    """Of the output layer's inputs."""
    if readout_sizes(config) is None:
        return outputs_bounded(config)
    return config.decoder.readout is Readout.tanh

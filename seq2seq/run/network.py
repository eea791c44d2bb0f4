"""A network for the vocabularies of a run."""

from seq2seq.model import CopyKind, ModelConfig, Network
from seq2seq.tokenizer.tokenizer import Tokenizers


def make_network(model: ModelConfig, tokenizers: Tokenizers) -> Network:
    """A network with initial weights; a copy mechanism copies each source token to the equal target token.

    Raises:
        ConfigError: as `Network`.
    """
    copies = None if model.copy is CopyKind.none else tokenizers.copies()
    return Network(model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint, copies)

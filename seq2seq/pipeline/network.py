"""The network of a run before training."""

from collections.abc import Sequence

from seq2seq.config.recipes import TrainConfig
from seq2seq.errors import ConfigError
from seq2seq.model import Network
from seq2seq.run.network import make_network
from seq2seq.system.device import set_seed
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training.pretrained_embeddings import freeze_embeddings, set_embeddings


def initial_network(config: TrainConfig, tokenizers: Tokenizers, frozen: Sequence[str]) -> tuple[Network, list[str]]:
    """A network with its initial weights, and lines to report about it.

    Raises:
        ConfigError: the vocabularies do not fit the settings.
    """
    _check_joint(config, tokenizers)
    set_seed(config.seed)
    network = make_network(config.model, tokenizers)
    notes = [*_copied(network), *set_embeddings(network, tokenizers, config.embeddings)]
    freeze_embeddings(network, frozen)
    return network, [*notes, *(f"embeddings: the {side} table is frozen" for side in frozen)]


def _copied(network: Network) -> list[str]:
    """How many source tokens the network can copy; no line without a copy mechanism.

    Raises:
        ConfigError: it can copy none.
    """
    if network.pointer is None:
        return []
    copies_X = network.pointer.copies_X
    count = int((copies_X >= 0).sum())
    if not count:
        raise ConfigError(
            "model.copy=pointer can copy nothing, as no source token is in the target vocabulary: set "
            "tokenizer.joint=true, or model.copy=none"
        )
    return [f"copying: {count:,} of {len(copies_X):,} source tokens are in the target vocabulary"]


def _check_joint(config: TrainConfig, tokenizers: Tokenizers) -> None:
    """Check that both directions have one vocabulary, which tokenizers of another run need not be.

    Raises:
        ConfigError: each side has its own.
    """
    if config.training.bidirectional > 0 and not tokenizers.joint:
        raise ConfigError(
            f"training.bidirectional needs a joint vocabulary, but training.start={config.training.start} has one per "
            "side: set training.bidirectional=0 or start from another run"
        )

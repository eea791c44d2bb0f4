"""What can be exported; everything else is refused by name, so that no setting is dropped silently."""

from dataclasses import fields

from seq2seq.errors import ConfigError
from seq2seq.export.config_json import SEARCH
from seq2seq.model import ModelConfig
from seq2seq.run.metadata import architecture
from seq2seq.search import Method, SearchConfig
from seq2seq.search.config import METHODS_OF_SETTING

MODEL = {
    *("embedding_size", "summary", "bridge", "bridge_shared", "tying", "copy", "coverage"),
    *(f"encoder.{name}" for name in ("cell", "layers", "size", "direction", "residual_from")),
    *(f"decoder.{name}" for name in ("cell", "layers", "size", "residual_from", "feed_context", "input_feeding")),
    *(f"decoder.{name}" for name in ("readout", "readout_size", "readout_sees_input")),
    *("attention", "attention_order", "attention_heads", "attention_size", "attention_window"),
}
"""The settings of the network that the portable engines compute, with all their values."""


def check_exportable(model: ModelConfig, search: SearchConfig) -> None:
    """Check that the portable engines can compute a model, and search as its settings say.

    Raises:
        ConfigError: they cannot; the message names the setting.
    """
    if model.is_language_model:
        raise ConfigError("model.encoder.layers=0 is a language model, and only translators are exported")
    for name in sorted(architecture(model).keys() - MODEL):
        raise ConfigError(f"model.{name} is not exported: the engines without PyTorch do not compute it")
    if search.method is not Method.beam:
        raise ConfigError(f"search.method={search.method} is not exported: set search=beam or search=greedy")
    for name in sorted({item.name for item in fields(search)} - {"method", *SEARCH, *METHODS_OF_SETTING}):
        raise ConfigError(f"search.{name} is not exported: the search without PyTorch does not have it")

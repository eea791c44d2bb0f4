"""config.json of an exported folder: everything except weights and vocabularies that a translation depends on."""

from dataclasses import asdict
from typing import Any

from seq2seq import __version__
from seq2seq.model import ModelConfig
from seq2seq.portable.folder import FORMAT
from seq2seq.portable.placeholders import Placeholders
from seq2seq.run.folder import LoadedRun, RunFolder
from seq2seq.run.metadata import architecture
from seq2seq.search import SearchConfig
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, Tokenizers

SEARCH = (
    *("beam_size", "n_best", "length_penalty", "max_length_ratio", "max_length_offset"),
    *("no_repeat_ngram", "repetition_penalty"),
)
"""The fields of `SearchConfig` that beam search uses."""


def portable_config(run: RunFolder, loaded: LoadedRun, search: SearchConfig, precision: str) -> dict[str, Any]:
    """The content of config.json.

    Args:
        run: the run folder.
        loaded: its model.
        search: the search settings of the exported model.
        precision: the form of the weights, float32 or int8.
    """
    source, target = loaded.tokenizers
    licence = run.settings.get("licence")
    return {
        "format": FORMAT,
        "seq2seq": __version__,
        "languages": {"source": loaded.source_language, "target": loaded.target_language},
        "licence": licence if isinstance(licence, str) else None,
        "precision": precision,
        "model": nested_architecture(loaded.network.config),
        "special": {"pad": PAD, "unk": UNK, "bos": BOS, "eos": EOS},
        "vocabulary": {"source": source.size, "target": target.size, "joint": loaded.tokenizers.joint},
        "text": text_config(loaded.tokenizers, loaded.placeholders, run.flat_settings.get("data.source_tag")),
        "search": {name: value for name, value in asdict(search).items() if name in SEARCH},
    }


def nested_architecture(model: ModelConfig) -> dict[str, Any]:
    """The settings of the function that a network computes, as nested mappings of numbers and words."""
    nested: dict[str, Any] = {}
    for name, value in architecture(model).items():
        *path, last = name.split(".")
        section = nested
        for part in path:
            section = section.setdefault(part, {})
        section[last] = str(value) if isinstance(value, str) else value
    return nested


def text_config(tokenizers: Tokenizers, placeholders: Placeholders | None, source_tag: str | None) -> dict[str, Any]:
    """How text becomes tokens, and tokens text."""
    source, target = tokenizers
    files = ("", "") if tokenizers.joint else (".source", ".target")
    return {
        "source": _side(source, files[0]),
        "target": _side(target, files[1]),
        "normalization": str(source.normalization),
        "source_tag": source_tag,
        "placeholders": placeholders
        and {
            "kinds": sorted(map(str, placeholders.kinds)),
            "tags": sorted(placeholders.tags),
            "whole_words": placeholders.whole_words,
        },
    }


def _side(tokenizer: Tokenizer, side: str) -> dict[str, Any]:
    """Its file, its kind, whether all tokens are whole words, and the tokens that are never split."""
    return {
        "file": f"tokenizer{side}.model",
        "algorithm": tokenizer.vocabulary()[0].name,
        "word_level": tokenizer.word_level,
        "tags": sorted(tokenizer.tags),
    }

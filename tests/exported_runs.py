"""Run folders with random weights for tests of exporting: any network, text and search settings, without training."""

from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
import yaml
from translators import TEXTS, randomize

from seq2seq.inference.shortlist import Shortlist
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.model.weights import save_weights
from seq2seq.run.folder import CONFIG, MODEL, SHORTLIST, RunFolder
from seq2seq.run.network import make_network
from seq2seq.search import SearchConfig
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, UNK, Tokenizer, Tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer

SMALL = ModelConfig(
    embedding_size=6,
    encoder=EncoderConfig(layers=1, size=5),
    decoder=DecoderConfig(layers=2, size=8),
    attention="general",  # type: ignore[arg-type]
    dropout=0.0,
)
SUBWORDS = TokenizerConfig(size=300)
SEARCH = SearchConfig(beam_size=3, max_length_ratio=1.0, max_length_offset=3)


class Exported(NamedTuple):
    """A run and its exported folders: the fixture ``exported``."""

    run: RunFolder
    folder: Path
    int8: Path


@lru_cache
def _vocabulary(settings: str, config_yaml: str) -> Tokenizer:
    values = yaml.safe_load(config_yaml)
    return train_tokenizer(TEXTS * 4, TokenizerConfig(**values), settings)


def tokenizers(config: TokenizerConfig, source_tag: str | None = None) -> Tokenizers:
    """The tokenizers of a run with these settings."""
    config = config.with_symbols()
    source = replace(config.source_side(), tags=[*config.tags, *([source_tag] if source_tag else [])])
    sides = [source] if config.joint else [source, config.target_side()]
    trained = [_vocabulary("lines", yaml.safe_dump(plain(side))) for side in sides]
    return Tokenizers(trained[0], trained[-1])


def plain(config: object) -> dict[str, object]:
    """The settings of a section as plain values."""

    def converted(value: object) -> object:
        if isinstance(value, dict):
            return {name: converted(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [converted(inner) for inner in value]
        return str(value) if isinstance(value, str) else value

    return converted(asdict(config))  # type: ignore[arg-type,return-value]


def make_run(
    folder: Path,
    model: ModelConfig = SMALL,
    tokenizer: TokenizerConfig = SUBWORDS,
    search: SearchConfig = SEARCH,
    source_tag: str | None = None,
    ending: float = 2.0,
) -> RunFolder:
    """A run folder with random weights and a random shortlist; ``ending`` is added to the logit of EOS."""
    folder.mkdir(parents=True)
    settings = {
        "licence": "CC-BY-4.0",
        "data": {"source_language": "de", "target_language": "en", "source_tag": source_tag},
        "tokenizer": plain(tokenizer),
        "model": plain(model),
        "search": plain(search),
    }
    (folder / CONFIG).write_text(yaml.safe_dump(settings), "utf-8")
    own = tokenizers(tokenizer, source_tag)
    save_tokenizers(own, folder)
    network = make_network(model, own).eval()
    randomize(network, ending)
    run = RunFolder.open(folder)
    save_weights(network, folder / MODEL, run.metadata(own))
    generator = torch.Generator().manual_seed(1)
    sizes = own.source.size, 4
    translations = torch.randint(-1, own.target.size, sizes, generator=generator, dtype=torch.int32)
    frequent = torch.tensor([EOS, UNK, *range(4, 12)], dtype=torch.int32)
    Shortlist(translations, frequent, own.target.size).save(folder / SHORTLIST)
    return run

"""A run folder with a tiny untrained model, written in a moment."""

from functools import cache
from pathlib import Path

import torch

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.model import Network
from seq2seq.model.weights import save_weights
from seq2seq.run.files import record_files
from seq2seq.run.folder import MODEL, RunFolder
from seq2seq.run.resume import open_run
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers, save_tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers
from seq2seq.training import Adam, Cosine

PAIRS = [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 4


@cache
def tokenizers_of(size: int) -> Tokenizers:
    return build_tokenizers(TokenizerConfig(size=size), PairList("pairs", PAIRS))


def model_folder(folder: Path, **settings: object) -> Path:
    """Write a run folder; ``settings`` are attributes of `TrainConfig`."""
    config = TrainConfig(optimizer=Adam(), schedule=Cosine(), run=str(folder))
    config.tokenizer, config.model.embedding_size = TokenizerConfig(size=281), 6
    config.model.encoder.size, config.model.decoder.size = 4, 5
    config.search.max_length_ratio, config.search.max_length_offset = 0, 5
    for name, value in settings.items():
        setattr(config, name, value)
    open_run(folder, config, files=record_files(config, folder, []))
    tokenizers = tokenizers_of(config.tokenizer.size)
    save_tokenizers(tokenizers, folder)
    torch.manual_seed(1)
    network = Network(config.model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    save_weights(network, folder / MODEL, RunFolder.open(folder).metadata(tokenizers))
    return folder

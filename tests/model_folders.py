"""A run folder with a tiny untrained model, written in a moment."""

from pathlib import Path

import torch

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.model import Network
from seq2seq.model.weights import save_weights
from seq2seq.run.files import record_files
from seq2seq.run.folder import MODEL, RunFolder, prepare_tokenizers
from seq2seq.run.resume import open_run
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.training import Adam, Cosine

PAIRS = [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 4


def model_folder(folder: Path, **settings: object) -> Path:
    """Write a run folder; ``settings`` are attributes of TrainConfig."""
    config = TrainConfig(optimizer=Adam(), schedule=Cosine(), run=str(folder))
    config.tokenizer, config.model.embedding_size = TokenizerConfig(size=290), 6
    config.model.encoder.size, config.model.decoder.size = 4, 5
    config.search.max_length_ratio, config.search.max_length_offset = 0, 5
    for name, value in settings.items():
        setattr(config, name, value)
    open_run(folder, config, files=record_files(config, folder, []))
    tokenizers = prepare_tokenizers(folder, config.tokenizer, PairList("pairs", PAIRS))
    torch.manual_seed(1)
    network = Network(config.model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint)
    save_weights(network, folder / MODEL, RunFolder.open(folder).metadata(tokenizers))
    return folder

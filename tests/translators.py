"""Fixtures for translation tests: translators with random weights, over subwords or words."""

from functools import lru_cache

import torch

from seq2seq import Translator
from seq2seq.inference.member import Member
from seq2seq.model import AttentionKind, DecoderConfig, EncoderConfig, ModelConfig, Network
from seq2seq.search import SearchConfig
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, UNK, Tokenizer, Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer

TEXTS = [
    "Wo ist mein Schlüssel?",
    "Wir arbeiten.",
    "Der Mann arbeitet 7 Tage.",
    "Das Haus ist alt.",
    "Die Frau ruft ihn an.",
]
SENTENCES = ["Wo ist der Mann?", "Wir.", "Das alte Haus ist mein Haus.", "Die Frau arbeitet 7 Tage."]
LIMITS = SearchConfig(beam_size=3, max_length_ratio=1.0, max_length_offset=3)
CPU = torch.device("cpu")


@lru_cache
def tokenizer(algorithm: Algorithm = Algorithm.unigram) -> Tokenizer:
    size = 20 if algorithm is Algorithm.word else 300
    return train_tokenizer(TEXTS * 4, TokenizerConfig(size=size, algorithm=algorithm), "lines")


@lru_cache
def member(
    algorithm: Algorithm = Algorithm.unigram, attention: AttentionKind = AttentionKind.general, seed: int = 1
) -> Member:
    pieces = tokenizer(algorithm)
    config = ModelConfig(
        embedding_size=6,
        encoder=EncoderConfig(layers=1, size=5),
        decoder=DecoderConfig(layers=1, size=8),
        attention=attention,
        dropout=0.0,
    )
    network = Network(config, pieces.size, pieces.size, joint=True).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-1, 1, generator=generator)
        network.output.bias[[PAD, *([] if algorithm is Algorithm.word else [UNK])]] -= 50
        network.output.bias[EOS] += 1
    return Member.prepare(network, Tokenizers(pieces, pieces), CPU)


@torch.no_grad()
def randomize(network: Network, ending: float = 4.0) -> None:
    """Replace the weights of a run by random ones, so that translations differ between sentences and end with EOS.

    ``ending`` is added to the logit of EOS, in nats.
    """
    generator = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.uniform_(-1, 1, generator=generator)
    network.output.bias[[UNK, BOS, PAD]] -= 50
    network.output.bias[EOS] += ending


def translator(*seeds: int, **kind: object) -> Translator:
    """Return a translator with one ensemble member per seed; without seeds, with one member."""
    return Translator([member(seed=seed, **kind) for seed in seeds or (1,)], LIMITS)  # type: ignore[arg-type]

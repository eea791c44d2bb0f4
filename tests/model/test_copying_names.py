"""A made-up language with names: ordinary words have translations, and names are copied.

Half of the names are in the training pairs. The others are in the vocabulary, but no weight has been trained to write
them: attention alone cannot, the copy mechanism can.
"""

from random import Random

import pytest
import torch

from seq2seq.data.batch import make_batch, source_tensors
from seq2seq.inference import NetworkStepper, PreparedDecoder
from seq2seq.inference.config import InferencePrecision
from seq2seq.model import (
    AttentionKind,
    CopyKind,
    DecoderConfig,
    EncoderConfig,
    Initialization,
    ModelConfig,
    Network,
)
from seq2seq.search import SearchConfig, search
from seq2seq.system.precision import Precision
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD
from seq2seq.training.objective import TeacherForcing

WORDS = range(PAD + 1, PAD + 13)
"""Source words; each one's translation is `len(WORDS)` further."""
NAMES = range(WORDS.stop + len(WORDS), WORDS.stop + len(WORDS) + 200)
SEEN, UNSEEN = NAMES[:100], NAMES[100:]


def sentences(random: Random, names: range, count: int) -> tuple[list[list[int]], list[list[int]]]:
    """Return sources and targets of two to four words and a name."""
    sources = [random.choices(WORDS, k=random.randint(2, 4)) for _ in range(count)]
    for source in sources:
        source.insert(random.randint(0, len(source)), random.choice(names))
    return sources, [[token + len(WORDS) * (token in WORDS) for token in source] for source in sources]


def trained(copy: CopyKind, updates: int, seed: int) -> Network:
    torch.manual_seed(seed)
    config = ModelConfig(
        embedding_size=32,
        encoder=EncoderConfig(size=16),
        decoder=DecoderConfig(size=32),
        attention=AttentionKind.general,
        copy=copy,
        dropout=0.0,
        initialization=Initialization.xavier,
        embedding_range=0.5,
    )
    network = Network(
        config, NAMES.stop, NAMES.stop, joint=True, copies=[-1] * (PAD + 1) + [*range(PAD + 1, NAMES.stop)]
    )
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    objective, random = TeacherForcing(0.0, Precision.float32), Random(seed)
    for update in range(updates):
        batch = make_batch(*sentences(random, SEEN, 32))
        optimizer.zero_grad()
        (objective(network, batch, update).objective / len(batch.labels_P)).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network.eval()


def share_translated(network: Network, names: range) -> float:
    """Return the share of new sentences whose greedy translation is right from the first to the last token."""
    sources, targets = sentences(Random(99), names, 100)
    decoder = PreparedDecoder(network, InferencePrecision.float32)
    found = search(NetworkStepper(network, decoder, *source_tensors(sources), BOS, EOS), SearchConfig(beam_size=1))
    return sum(best.tokens == target for [best], target in zip(found, targets, strict=True)) / len(targets)


def test_names_that_no_weight_was_trained_for_are_copied():
    assert share_translated(trained(CopyKind.pointer, updates=150, seed=1), UNSEEN) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_attention_alone_writes_no_unseen_name(seed):
    networks = {copy: trained(copy, updates=300, seed=seed) for copy in CopyKind}
    shares = {
        copy: [share_translated(network, names) for names in (SEEN, UNSEEN)] for copy, network in networks.items()
    }
    print(shares)
    assert shares[CopyKind.none][0] > 0.8
    assert shares[CopyKind.none][1] == 0
    assert min(shares[CopyKind.pointer]) > 0.8

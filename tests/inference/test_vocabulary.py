"""The target pieces of a search."""

import pytest
import torch
from networks import SAMPLES, random_network

from seq2seq.inference import InferencePrecision, PreparedDecoder
from seq2seq.inference.prepared_decoder import CHUNK


@torch.no_grad()
@pytest.mark.parametrize("rows", [1, CHUNK, 2 * CHUNK + 3])
def test_logits_in_parts_are_those_of_the_whole(rows):
    """Each part's softmax writes into the result it is a part of."""
    network = random_network(SAMPLES[0], 3, dtype=torch.float32)
    vocabulary = PreparedDecoder(network, InferencePrecision.float32).vocabulary
    features = torch.rand(rows, network.output.in_features) * 2 - 1
    torch.testing.assert_close(vocabulary.log_probabilities(features), network.output(features).log_softmax(1))


@torch.no_grad()
def test_a_part_of_the_pieces_is_numbered_anew():
    network = random_network(SAMPLES[0], 3, dtype=torch.float32)
    vocabulary = PreparedDecoder(network, InferencePrecision.float32).vocabulary
    pieces = torch.tensor([5, 0, 3])
    part = vocabulary.select(pieces)
    features = torch.rand(4, network.output.in_features) * 2 - 1
    assert torch.equal(part.embedding_VE, network.target_embedding.weight[pieces])
    torch.testing.assert_close(part.output(features), network.output(features)[:, pieces])

"""Muon, compared with singular vectors, PyTorch's Muon and Adam."""

import pytest
import torch
from networks import random_network
from torch import nn

from seq2seq.model import ModelConfig
from seq2seq.training import Adam, Muon
from seq2seq.training.muon import orthogonal, row_blocks
from seq2seq.training.optimizer_state import optimizer_of, tables_of


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(3, 4, 9), (2, 9, 4), (1, 1, 5), (1, 5, 5)])
def test_five_iterations_approximate_the_orthogonal_factor(shape):
    block_KRC = drawn(*shape)
    left, _, right = torch.linalg.svd(block_KRC, full_matrices=False)
    factor = orthogonal(block_KRC, 5)
    assert torch.linalg.svdvals(factor).sub(1).abs().max() < 0.4
    # With the same singular vectors, U' X V is close to the identity.
    torch.testing.assert_close(
        left.mT @ factor @ right.mT, torch.eye(min(shape[1:])).expand(shape[0], -1, -1), rtol=0, atol=0.4
    )


def test_a_zero_gradient_changes_nothing():
    assert torch.equal(orthogonal(torch.zeros(2, 3, 4), 5), torch.zeros(2, 3, 4))


@pytest.mark.parametrize(("height", "heights"), [(8, [[2, 4]]), (9, [[2, 4], [1, 1]]), (3, [[1, 3]])])
def test_blocks_partition_the_rows(height, heights):
    matrix = drawn(height, 5)
    blocks = list(row_blocks(matrix, 4))
    assert [list(block.shape[:2]) for block in blocks] == heights
    assert torch.equal(torch.cat([block.flatten(0, 1) for block in blocks]), matrix)


def test_a_matrix_update_equals_that_of_pytorchs_muon():
    ours, theirs = (nn.Parameter(drawn(6, 10)) for _ in range(2))
    start = ours.detach().clone()
    mine = Muon(learning_rate=0.1, momentum=0.9, rows=6, iterations=5).build([ours])
    other = torch.optim.Muon([theirs], 0.1, weight_decay=0.0, momentum=0.9, adjust_lr_fn="match_rms_adamw")
    for seed in (2, 3, 4):
        for parameter, optimizer in ((ours, mine), (theirs, other)):
            parameter.grad = drawn(6, 10, seed=seed)
            optimizer.step()
    moved = (theirs.detach() - start).abs().max()
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.03 * moved.item())  # theirs iterates in bfloat16


def test_other_parameters_are_updated_by_adam():
    ours, theirs = (nn.Parameter(drawn(7)) for _ in range(2))
    mine = Muon(learning_rate=0.1, adam_share=0.5, beta1=0.8, beta2=0.9).build([ours])
    other = Adam(learning_rate=0.05, beta1=0.8, beta2=0.9).build([theirs])
    for seed in (2, 3, 4):
        for parameter, optimizer in ((ours, mine), (theirs, other)):
            parameter.grad = drawn(7, seed=seed)
            optimizer.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_embeddings_and_the_output_layer_are_updated_by_adam():
    network = random_network(ModelConfig(), 1)
    optimizer = optimizer_of(network, Muon())
    matrices, others = (group["params"] for group in optimizer.param_groups)
    tables = {id(table) for table in tables_of(network)}
    assert tables
    assert tables <= {id(parameter) for parameter in others}
    assert all(parameter.dim() == 2 for parameter in matrices)
    assert {id(parameter) for parameter in (*matrices, *others)} == {id(each) for each in network.parameters()}

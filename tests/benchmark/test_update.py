"""The benchmark's update equals the trainer's."""

import torch
from benchmarks import BATCH, tiny_updater

from seq2seq.model import Network
from seq2seq.training.loss import loss_sums


def loss_of(network: Network) -> float:
    source, lengths, target, positions, labels = BATCH
    return float(loss_sums(network(source, lengths, target, positions), labels, 0.0).cross_entropy)


def test_updates_equal_plain_adam_and_return_their_batches():
    update, network = tiny_updater(clip=None), tiny_updater().network
    before = loss_of(network)
    assert update.several(20) == [BATCH] * 20
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    source, lengths, target, positions, labels = BATCH
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(source, lengths, target, positions), labels).backward()
        optimizer.step()
    assert loss_of(update.network) < 0.8 * before
    torch.testing.assert_close(loss_of(update.network), loss_of(network), rtol=1e-4, atol=0)


def test_the_gradient_is_the_mean_over_tokens_and_is_clipped():
    update = tiny_updater(clip=1e-3)
    update()
    norms = [parameter.grad.norm() for parameter in update.network.parameters() if parameter.grad is not None]
    assert torch.stack(norms).norm() <= 1.001e-3
    free = tiny_updater(clip=None)
    free()
    gradients = [parameter.grad.clone() for parameter in free.network.parameters()]
    network = tiny_updater().network
    source, lengths, target, positions, labels = BATCH
    logits = network(source, lengths, target, positions)
    torch.nn.functional.cross_entropy(logits, labels).backward()
    for result, parameter in zip(gradients, network.parameters(), strict=True):
        torch.testing.assert_close(result, parameter.grad)

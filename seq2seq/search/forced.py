"""Forced decoding: the probability of given translations.

Shapes: B sentences still in the batch, V vocabulary.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


@torch.no_grad()
def forced_decoding(stepper: Stepper[State], targets: Sequence[Sequence[int]]) -> list[list[float]]:
    """Return the log-probability in nats of every token of each sentence's target, EOS last.

    Takes the same steps as a search, so a hypothesis gets the log-probability that its search gave it.
    """
    scores: list[list[float]] = [[] for _ in targets]
    device = stepper.source_lengths.device
    sentences, pending = list(range(len(targets))), list[tuple[list[int], Tensor]]()
    state = stepper.start(1)
    previous = [stepper.bos] * len(targets)
    for position in range(max(map(len, targets), default=-1) + 1):
        labels = [targets[row][position] if position < len(targets[row]) else stepper.eos for row in sentences]
        log_probability_BV, state = stepper.step(to_device(torch.tensor(previous), device), state)
        label_B1 = to_device(torch.tensor(labels), device).unsqueeze(1)
        pending.append((sentences, log_probability_BV.gather(1, label_B1).squeeze(1)))
        keep = [index for index, row in enumerate(sentences) if position < len(targets[row])]
        previous = [labels[index] for index in keep]
        if keep and len(keep) < len(sentences):
            keep_B = to_device(torch.tensor(keep), device)
            state = stepper.select(state, keep_B, keep_B)
        sentences = [sentences[index] for index in keep]
    # The only synchronization with the device.
    for (rows, _), values_B in zip(pending, to_host(*(value_B for _, value_B in pending)), strict=True):
        for row, value in zip(rows, values_B.tolist(), strict=True):
            scores[row].append(value)
    return scores

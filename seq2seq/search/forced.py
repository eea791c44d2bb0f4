"""Forced decoding: what a model makes of translations that are given.

Shapes: B sentences, V vocabulary, T pieces of the longest target, its mark of beginning or end counted.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from seq2seq.search.stepper import State, Stepper
from seq2seq.system.device import to_device, to_host


@torch.no_grad()
def forced(stepper: Stepper[State], targets: Sequence[Sequence[int]]) -> list[list[float]]:
    """Log-probability of every piece of each sentence's target, in nats, that of the end of sentence last.

    By the same steps as a search takes, so that a hypothesis gets the log-probability that its search gave it.
    """
    found: list[list[float]] = [[] for _ in targets]
    device = stepper.source_lengths.device
    places, taken = list(range(len(targets))), list[tuple[list[int], Tensor]]()
    state = stepper.start(1)
    last = [stepper.bos] * len(targets)
    for place in range(max(map(len, targets), default=-1) + 1):
        wanted = [targets[row][place] if place < len(targets[row]) else stepper.eos for row in places]
        log_probability_BV, state = stepper.step(to_device(torch.tensor(last), device), state)
        wanted_B1 = to_device(torch.tensor(wanted), device).unsqueeze(1)
        taken.append((places, log_probability_BV.gather(1, wanted_B1).squeeze(1)))
        stay = [number for number, row in enumerate(places) if place < len(targets[row])]
        last = [wanted[number] for number in stay]
        if stay and len(stay) < len(places):
            stay_B = to_device(torch.tensor(stay), device)
            state = stepper.select(state, stay_B, stay_B)
        places = [places[number] for number in stay]
    # The one wait for the device.
    for (rows, _), values_B in zip(taken, to_host(*(value_B for _, value_B in taken)), strict=True):
        for row, value in zip(rows, values_B.tolist(), strict=True):
            found[row].append(value)
    return found

"""Forced decoding: what a model makes of translations that are given.

Shapes: B sentences, V vocabulary, T pieces of the longest target, its mark of beginning or end counted.
"""

from collections.abc import Sequence

import torch

from seq2seq.search.stepper import State, Stepper


@torch.no_grad()
def forced(stepper: Stepper[State], targets: Sequence[Sequence[int]]) -> list[list[float]]:
    """Log-probability of every piece of each sentence's target, in nats, that of the end of sentence last.

    By the same steps as a search takes, so that a hypothesis gets the log-probability that its search gave it.
    """
    found: list[list[float]] = [[] for _ in targets]
    device = stepper.source_lengths.device
    places = list(range(len(targets)))
    state = stepper.start(1)
    last = [stepper.bos] * len(targets)
    for place in range(max(map(len, targets), default=-1) + 1):
        wanted = [targets[row][place] if place < len(targets[row]) else stepper.eos for row in places]
        log_probability_BV, state = stepper.step(torch.tensor(last, device=device), state)
        wanted_B1 = torch.tensor(wanted, device=device).unsqueeze(1)
        for row, value in zip(places, log_probability_BV.gather(1, wanted_B1).squeeze(1).tolist(), strict=True):
            found[row].append(value)
        stay = [number for number, row in enumerate(places) if place < len(targets[row])]
        last = [wanted[number] for number in stay]
        if stay and len(stay) < len(places):
            stay_B = torch.tensor(stay, device=device)
            state = stepper.select(state, stay_B, stay_B)
        places = [places[number] for number in stay]
    return found

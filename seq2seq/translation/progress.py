"""How far a stream of translations is: one line on stderr with sentences done, sentences a second and time left."""

import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

from seq2seq.translation.batching import CHUNK

Item = TypeVar("Item")


def with_bar(items: Iterable[Item], total: int | None, label: str, *, shown: bool = True) -> Iterator[Item]:
    """The same items, one for each sentence, while a bar on stderr counts them.

    Translations come all at once, those of the thousands of sentences that were read together (`CHUNK`). So they are
    counted: a bar moved by each of them would show the first as done and its wait as the time it took.

    Args:
        items: handed on as they come, not waiting for more than were read together.
        total: how many there will be, where that is known: without it no time left is shown.
        label: what is done to them, such as ``translating``.
        shown: False for no bar.
    """
    stream = iter(items)
    # As in training: redrawn at once for a reader, now and then where stderr is a file.
    interval = 0.5 if sys.stderr.isatty() else 15
    with tqdm(
        total=total,
        desc=label,
        unit="sentence",
        mininterval=interval,
        miniters=1,
        dynamic_ncols=True,
        disable=not shown,
    ) as bar:
        while chunk := list(islice(stream, CHUNK)):
            yield from chunk
            bar.update(len(chunk))

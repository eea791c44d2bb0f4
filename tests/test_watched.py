"""A search that is ended from outside, whatever its method."""

import pytest
from translators import SENTENCES, translator

from seq2seq.search import SearchConfig

SEARCHES = {
    "greedy": {"beam_size": 1},
    "beam": {"beam_size": 3},
    "phrases": {"phrases": ["Haus"]},
    "prefix": {"prefix": "Da"},
    "diverse": {"search": SearchConfig(method="diverse_beam", beam_size=4)},
    "sampling": {"search": SearchConfig(method="sampling")},
    "risk": {"search": SearchConfig(method="minimum_bayes_risk", samples=4)},
}


class EndedError(Exception):
    pass


class Counted:
    """Ends the search at a step."""

    def __init__(self, last=None):
        self.count, self.last = 0, last

    def __call__(self):
        self.count += 1
        if self.count == self.last:
            raise EndedError


@pytest.mark.parametrize("name", SEARCHES)
def test_every_search_can_be_ended_at_each_step_and_else_is_the_same(name):
    own, counted = translator(), Counted()
    found = own.watched(counted).translate(SENTENCES[0], **SEARCHES[name])
    assert found == own.translate(SENTENCES[0], **SEARCHES[name])
    assert counted.count >= len(found.pieces)
    for last in (1, 2, counted.count):
        ended = Counted(last)
        with pytest.raises(EndedError):
            own.watched(ended).translate(SENTENCES[0], **SEARCHES[name])
        assert ended.count == last


def test_so_can_what_is_shown_growing_suggested_scored_and_traced():
    for last in (1, 2):
        own = translator().watched(Counted(last))
        with pytest.raises(EndedError):
            list(own.stream(SENTENCES[0]))
        with pytest.raises(EndedError):
            translator().watched(Counted(last)).suggest(SENTENCES[0])
        with pytest.raises(EndedError):
            translator().watched(Counted(last)).score(SENTENCES[0], "Das Haus")
        with pytest.raises(EndedError):
            translator().watched(Counted(last)).trace(SENTENCES[0])

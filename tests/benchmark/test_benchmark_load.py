"""Many clients at once."""

from server_tools import serving, translators
from translators import SENTENCES

from seq2seq.serving.load import load


def test_every_question_is_asked_and_answered_by_its_own_answer():
    own = translators()
    texts = [f"{text} {number}" for number in range(5) for text in SENTENCES]
    with serving(own) as served:
        found = load(served.url, texts, 32, 2)
    assert len(found.replies) == 64
    assert [reply.source for reply in found.replies[:4]] == [texts[0], texts[12], texts[1], texts[13]]
    for reply in found.replies:
        assert reply.answered == reply.source
        assert reply.text == own["attends"].translate(reply.source).text
        assert 0 < reply.seconds <= found.seconds + 1


def test_what_is_not_answered_is_lost():
    with serving() as served:
        found = load(served.url, ["a" * 61], 1, 2)
    assert [(one.text, one.detail.startswith("413: a text has 61")) for one in found.replies] == [(None, True)] * 2
    gone = load(served.url, ["a"], 1, 1)
    assert gone.replies[0].text is None
    assert gone.replies[0].detail

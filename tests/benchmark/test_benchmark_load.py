"""Load on a server: every request has its own response."""

from server_tools import serving, translators
from translators import SENTENCES

from seq2seq.benchmark.load import load


def test_every_request_has_its_own_response():
    served = translators()
    texts = [f"{text} {number}" for number in range(5) for text in SENTENCES]
    with serving(served) as client:
        replies = load(client.url, texts, 32, 2)
    assert len(replies.replies) == 64
    assert [reply.source for reply in replies.replies[:4]] == [texts[0], texts[12], texts[1], texts[13]]
    for reply in replies.replies:
        assert reply.answered == reply.source
        assert reply.text == served["attends"].translate(reply.source).text
        assert 0 < reply.seconds <= replies.seconds + 1


def test_a_request_without_a_translation_is_lost():
    with serving() as client:
        replies = load(client.url, ["a" * 61], 1, 2)
    assert [(reply.text, reply.detail.startswith("413: a text has 61")) for reply in replies.replies] == [
        (None, True)
    ] * 2
    gone = load(client.url, ["a"], 1, 1)
    assert gone.replies[0].text is None
    assert gone.replies[0].detail

"""Other words, and what they lead to."""

import pytest
from server_tools import serving, translators
from translators import SENTENCES

from seq2seq.serving.alternatives import keeps

OWN = translators()


def test_a_word_is_kept_as_a_whole():
    assert keeps("Das Haus ist", "Das Haus")
    assert keeps("Das Haus", "Das Haus")
    assert not keeps("Das Haustier", "Das Haus")


@pytest.mark.parametrize("before", ["", "Das", " Das  Haus "])
def test_each_word_is_likely_there_and_its_rest_is_the_best_that_keeps_it(before):
    own, given = OWN["attends"], " ".join(before.split())
    with serving(OWN) as served:
        reply = served.ask("/api/alternatives", text=SENTENCES[0], before=before, count=4)
    assert reply.status == 200, reply.body
    found = reply.json["alternatives"]
    assert 0 < len(found) <= 4
    likely = {one.word: one.probability for one in own.suggest(SENTENCES[0], f"{given} ".lstrip(), 5)}
    for one in found:
        assert one["probability"] == pytest.approx(likely[one["word"]], rel=1e-3)
        beginning = f"{given} {one['word']}".strip()
        text = one["translation"]["text"]
        assert keeps(text, beginning)
        free = own.translate(SENTENCES[0], prefix=beginning).text
        assert text == (free if keeps(free, beginning) else own.translate(SENTENCES[0], prefix=f"{beginning} ").text)
    assert [one["probability"] for one in found] == sorted((one["probability"] for one in found), reverse=True)

"""Other words, and the translations that contain them."""

import pytest
from server_tools import serving, translators
from translators import SENTENCES

from seq2seq.serving.alternatives import keeps_words

TRANSLATORS = translators()


def test_a_prefix_keeps_its_last_word():
    assert keeps_words("Das Haus ist", "Das Haus")
    assert keeps_words("Das Haus", "Das Haus")
    assert not keeps_words("Das Haustier", "Das Haus")


@pytest.mark.parametrize("before", ["", "Das", " Das  Haus "])
def test_each_word_has_its_probability_and_the_best_translation_that_keeps_it(before):
    translator, words = TRANSLATORS["attends"], " ".join(before.split())
    with serving(TRANSLATORS) as client:
        reply = client.post("/api/alternatives", text=SENTENCES[0], before=before, count=4)
    assert reply.status == 200, reply.body
    alternatives = reply.json["alternatives"]
    assert 0 < len(alternatives) <= 4
    suggestions = translator.suggest(SENTENCES[0], f"{words} ".lstrip(), 5)
    probabilities = {suggestion.word: suggestion.probability for suggestion in suggestions}
    for alternative in alternatives:
        assert alternative["probability"] == pytest.approx(probabilities[alternative["word"]], rel=1e-3)
        prefix = f"{words} {alternative['word']}".strip()
        text = alternative["translation"]["text"]
        assert keeps_words(text, prefix)
        free = translator.translate(SENTENCES[0], prefix=prefix).text
        assert text == (
            free if keeps_words(free, prefix) else translator.translate(SENTENCES[0], prefix=f"{prefix} ").text
        )
    assert (order := [each["probability"] for each in alternatives]) == sorted(order, reverse=True)

"""Documents keep their layout."""

import pytest
from translators import translator

from seq2seq.corpora.segmentation import segments
from seq2seq.errors import ConfigError
from seq2seq.search import Method, SearchConfig
from seq2seq.translation.documents import translate_document
from seq2seq.translation.types import Glossary

DOCUMENT = "# Haus\r\n\r\n  Wo ist der Mann?  Wir arbeiten.\n\n\n- Das Haus.\n\tWir.\n"


def test_every_sentence_is_translated_and_all_else_stays():
    own = translator()
    found = translate_document(own, DOCUMENT)
    wanted = [own.translate(part.text).text if part.is_sentence else part.text for part in segments(DOCUMENT)]
    assert found == "".join(wanted)
    for kept in ("# ", "\r\n\r\n  ", "\n\n\n- ", "\n\t"):
        assert kept in found
    assert translate_document(own, "") == ""
    assert translate_document(own, " \n\n") == " \n\n"


def test_what_is_no_text_stays_as_it_is():
    for document in ("---\n***\n|---|---|\n", "12:30\t1990\r7", "```python\nx = 'Haus'\n```\n", "\t \r\n"):
        assert translate_document(translator(), document) == document
    found = translate_document(translator(), "Wir.\tDas Haus.\rWir.\u2028---")
    first, second, third = (translator().translate(text).text for text in ("Wir.", "Das Haus.", "Wir."))
    assert found == f"{first}\t{second}\r{third}\u2028---"


def test_terms_and_settings_reach_each_sentence():
    own, terms = translator(), Glossary([("Mann", "Frau"), ("wir", "Haus")])
    found = translate_document(own, "Der Mann. Wir.\nDas.", glossary=terms)
    first, second = found.split("\n")[0], found.split("\n")[1]
    assert "Frau" in first
    assert "Haus" in first
    assert second == own.translate("Das.").text
    with pytest.raises(ConfigError, match="cannot force phrases"):
        translate_document(own, "Der Mann.", glossary=terms, search=SearchConfig(method=Method.sampling))

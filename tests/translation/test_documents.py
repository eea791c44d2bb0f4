"""Documents keep their layout."""

from dataclasses import replace

import pytest
from translators import LIMITS, TEXTS, member, tokenizer, translator

from seq2seq import Translator
from seq2seq.errors import ConfigError
from seq2seq.portable.placeholders import SYMBOLS, PlaceholderKind
from seq2seq.portable.segmentation import split_document
from seq2seq.search import Method, SearchConfig
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.translation.documents import translate_document
from seq2seq.translation.types import Glossary

DOCUMENT = "# Haus\r\n\r\n  Wo ist der Mann?  Wir arbeiten.\n\n\n- Das Haus.\n\tWir.\n"


def test_sentences_are_translated_and_everything_else_is_kept():
    own = translator()
    document = translate_document(own, DOCUMENT)
    expected = [own.translate(part.text).text if part.is_sentence else part.text for part in split_document(DOCUMENT)]
    assert document == "".join(expected)
    for kept in ("# ", "\r\n\r\n  ", "\n\n\n- ", "\n\t"):
        assert kept in document
    assert translate_document(own, "") == ""
    assert translate_document(own, " \n\n") == " \n\n"


def test_parts_without_text_are_kept():
    for document in ("---\n***\n|---|---|\n", "12:30\t1990\r7", "```python\nx = 'Haus'\n```\n", "\t \r\n"):
        assert translate_document(translator(), document) == document
    result = translate_document(translator(), "Wir.\tDas Haus.\rWir.\u2028---")
    first, second, third = (translator().translate(text).text for text in ("Wir.", "Das Haus.", "Wir."))
    assert result == f"{first}\t{second}\r{third}\u2028---"


def test_glossary_and_settings_apply_to_each_sentence():
    own, terms = translator(), Glossary([("Mann", "Frau"), ("wir", "Haus")])
    document = translate_document(own, "Der Mann. Wir.\nDas.", glossary=terms)
    first, second = document.split("\n")[0], document.split("\n")[1]
    assert "Frau" in first
    assert "Haus" in first
    assert second == own.translate("Das.").text
    with pytest.raises(ConfigError, match="cannot force phrases"):
        translate_document(own, "Der Mann.", glossary=terms, search=SearchConfig(method=Method.sampling))


def test_a_tag_must_be_one_of_the_model():
    with pytest.raises(ConfigError, match=r"was not trained with the tag <2de>: leave tag out, for it has no tags$"):
        translate_document(translator(), "Der Mann.", tag="<2de>")
    settings = TokenizerConfig(size=320, tags=["<2de>", "<2fr>", "<bt>"], placeholders=[PlaceholderKind.printf])
    pieces = train_tokenizer(TEXTS * 4, settings.with_symbols(), "lines")
    own = member()
    tagged = Translator([replace(own, tokenizers=Tokenizers(pieces, tokenizer()))], LIMITS)
    for tag in (None, "", "<2de>", "<2fr> <bt>"):
        tagged.require_tag(tag)
    for tag in ("<2xx>", "2de", "<2de> <2xx>", SYMBOLS[0]):
        with pytest.raises(ConfigError, match=rf"the tag {tag}: use one of its tags, <2de>, <2fr>, <bt>$"):
            tagged.require_tag(tag)
    with pytest.raises(ConfigError, match="has no tags"):
        Translator([tagged.members[0], own], LIMITS).require_tag("<2de>")

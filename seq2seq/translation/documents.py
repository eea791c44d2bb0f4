"""Documents: translated sentence by sentence, with paragraphs, blank lines, indentation and spaces where they were."""

from seq2seq.corpora.mixture import add_tag
from seq2seq.corpora.segmentation import split_document
from seq2seq.search import SearchConfig
from seq2seq.translation.glossary import Glossary
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Copy, Request


def translate_document(
    translator: Translator,
    document: str,
    *,
    wrapped: bool = False,
    search: SearchConfig | None = None,
    copy: Copy = Copy.none,
    tag: str | None = None,
    glossary: Glossary | None = None,
) -> str:
    """The document in the other language: everything that is no sentence stays as it is.

    Args:
        translator: of sentences; each is translated by itself.
        document: text with its line ends.
        wrapped: lines were broken to a width (`segmentation.segments`); a line end within a sentence is lost.
        search: how to search; None: as the run's.
        copy: what is taken from the source by attention.
        tag: first word of each sentence, for a model that was trained with tags.
        glossary: which terms must become what.

    Raises:
        ConfigError: as `Translator.translate` does.
        DataError: likewise.
    """
    parts = list(split_document(document, wrapped=wrapped))
    requests = [Request(add_tag(part.text, tag), glossary=glossary) for part in parts if part.is_sentence]
    translations = iter(translator.translate(requests, search=search, copy=copy))
    return "".join(next(translations).text if part.is_sentence else part.text for part in parts)

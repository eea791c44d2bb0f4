"""Documents: translated sentence by sentence; paragraphs, blank lines, indentation and spaces are kept."""

import logging

from seq2seq.corpora.mixture import add_tag
from seq2seq.metrics.suspicious import OutputCounts
from seq2seq.portable.segmentation import split_document
from seq2seq.search import SearchConfig
from seq2seq.translation.config import Copy
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Glossary, Request

log = logging.getLogger("seq2seq")


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
    """Translate the sentences of a document and keep everything else.

    Args:
        translator: translates each sentence independently.
        document: text with its line ends.
        wrapped: lines were wrapped to a width (`segmentation.segments`); line ends within sentences are dropped.
        search: the search settings; None: the run's.
        copy: what to copy from the source by attention.
        tag: first word of each sentence, for models trained with tags.
        glossary: terms and their required translations.

    Raises:
        ConfigError: as `Translator.translate`, or a model does not know the tag.
        DataError: likewise.
    """
    translator.require_tag(tag)
    parts = list(split_document(document, wrapped=wrapped, placeholders=translator.ensemble.placeholders))
    requests = [Request(add_tag(part.text, tag), glossary=glossary) for part in parts if part.is_sentence]
    translations = translator.translate(requests, search=search, copy=copy)
    counts = OutputCounts()
    for each in translations:
        counts.add(each.source, each.text, each.finished, each.lost_placeholders, each.added_placeholders)
    if report := counts.placeholder_report():
        log.warning("%s", report)
    texts = (each.text for each in translations)
    return "".join(next(texts) if part.is_sentence else part.text for part in parts)

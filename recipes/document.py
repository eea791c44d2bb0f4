"""Translate a document sentence by sentence; paragraphs, blank lines, lists and indentation are kept.

python recipes/document.py run=runs/demo input=letter.txt output=brief.txt
python recipes/document.py run=runs/demo input=book.txt wrapped=true glossary=terms.tsv > buch.txt
python recipes/document.py run=runs/demo search.beam_size=1 < letter.txt
"""

try:
    from seq2seq.config.hydra import recipe
except ModuleNotFoundError as error:
    advice = "use .venv/bin/python, or run pip install -e . in the clone's folder"
    raise SystemExit(f"error: {error.name} is not installed: {advice}") from None

from seq2seq.translation.config import DocumentConfig


@recipe
def main(config: DocumentConfig) -> None:
    """Read a whole document, translate its sentences in batches, and write the result."""
    config.check()
    # Imported here: --help and errors in the arguments need no PyTorch.
    from seq2seq.translation.documents import translate_document
    from seq2seq.translation.io import load_glossary, load_translator, opened, read_text

    translator = load_translator(config)
    translated = translate_document(
        translator,
        read_text(config.input, config.encoding),
        wrapped=config.wrapped,
        search=config.search.apply_to(translator.search),
        copy=config.copy,
        tag=config.tag,
        glossary=load_glossary(config.glossary),
    )
    with opened(config.output) as output:
        output.write(translated)


if __name__ == "__main__":
    main()

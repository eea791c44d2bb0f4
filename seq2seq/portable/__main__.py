"""Translate lines of text with an exported model.

python translate.py < in.txt > out.txt
python translate.py --beam-size 1 "Where is my key?"
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seq2seq.portable.check import check_translator
from seq2seq.portable.errors import PortableError
from seq2seq.portable.translation import Translation
from seq2seq.portable.translator import ENGINES, Translator


def main(arguments: Sequence[str] | None = None, folder: Path | None = None) -> int:
    """Run the command line.

    Args:
        arguments: None: those of the program.
        folder: the exported folder; None: the first argument names it.

    Returns:
        The exit code: 1 after an error, which is one line on stderr.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    if folder is None:
        parser.add_argument("folder", type=Path, help="folder written by recipes/export.py")
    parser.add_argument("text", nargs="*", help="sentences; without any, lines of standard input are translated")
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="default: onnx if onnxruntime is installed")
    parser.add_argument("--beam-size", type=int, help="hypotheses kept; 1 is greedy search")
    parser.add_argument("--n-best", type=int, help="translations per sentence; needs --json")
    parser.add_argument("--json", action="store_true", help="write JSON lines with scores")
    parser.add_argument("--shortlist", action="store_true", help="score only tokens that can translate the source")
    parser.add_argument("--threads", type=int, default=1, help="threads of onnxruntime")
    parser.add_argument("--check", action="store_true", help="only compare all translations of check.json")
    options = parser.parse_intermixed_args(arguments)
    if (options.n_best or 1) > 1 and not options.json:
        parser.error("--n-best needs --json")
    try:
        _run(folder or options.folder, options)
    except PortableError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # such as a pipe to head; Python would fail again when it flushes the output at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _run(folder: Path, options: argparse.Namespace) -> None:
    # A source from the command line may have bytes that are no text; so written, they are valid JSON.
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    arguments = {"shortlist": options.shortlist, "threads": options.threads, "check": not options.check}
    translator = Translator.load(folder, options.engine, **arguments)
    if options.check:
        count = check_translator(translator, folder)
        print(f"{translator!r}: {count} translations are those of the exporting device")
        return
    for translation in translator.translate_all(
        options.text or _lines(), beam_size=options.beam_size, n_best=options.n_best
    ):
        print(_as_json(translation) if options.json else translation, flush=True)


def _lines() -> Iterator[str]:
    """Lines of standard input. Only a line feed ends one: those of the output stay aligned with them.

    Raises:
        PortableError: a line is not UTF-8.
    """
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            text = None
        if text is None or (text.count("\0") > 2 and 8 * text.count("\0") >= len(text)):  # UTF-16 without its mark
            raise PortableError(
                f"line {number:,} of standard input is not UTF-8: save the text as UTF-8 in a text editor, or convert "
                "it with iconv -f ENCODING -t UTF-8"
            )
        yield text.rstrip("\r\n")


def _as_json(translation: Translation) -> str:
    """One line of JSON: source, translation, score and the n-best translations, if requested."""
    values: dict[str, Any] = {"source": translation.source, **_with_score(translation)}
    if translation.n_best:
        values["n_best"] = [_with_score(other) for other in translation.n_best]
    return json.dumps(values, ensure_ascii=False)


def _with_score(translation: Translation) -> dict[str, Any]:
    unfinished = {} if translation.finished else {"finished": False}
    return {"translation": translation.text, "score": translation.score, **unfinished}


if __name__ == "__main__":
    sys.exit(main())

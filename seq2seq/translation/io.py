"""Input and output of the recipes: load models, read requests, write results, show progress."""

import contextlib
import io
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, TextIO, TypeVar

from tqdm import tqdm

from seq2seq.corpora.archives import split_path
from seq2seq.corpora.content import as_text
from seq2seq.corpora.lines import decoded_lines, open_output, read_lines, unreadable
from seq2seq.corpora.mixture import add_tag
from seq2seq.errors import ConfigError, DataError, program
from seq2seq.search import SearchConfig
from seq2seq.system.lock import output_file
from seq2seq.translation.batching import chunked
from seq2seq.translation.config import ScoreConfig, TranslateConfig, TranslatorConfig
from seq2seq.translation.decoding import check_glossary
from seq2seq.translation.translator import Translator
from seq2seq.translation.types import Glossary, Request

Item = TypeVar("Item")

ENCODING = "encoding"
"""The setting with the encoding of the text that a recipe reads."""


def load_translator(config: TranslatorConfig) -> Translator:
    """Load the models of a recipe.

    Raises:
        RunError: as `Translator.load`.
        ConfigError: likewise, or a model does not know the ``tag`` of the recipe.
    """
    translator = Translator.load(
        [config.run, *config.ensemble],
        config.device,
        config.precision,
        config.shortlist,
        language_model=config.language_model,
        language_model_weight=config.language_model_weight,
    )
    translator.require_tag(getattr(config, "tag", None))
    return translator


def load_glossary(name: str | None) -> Glossary | None:
    """Load the glossary of a recipe; None for none.

    Raises:
        DataError: the file cannot be read.
    """
    return None if name is None else Glossary.load(Path(name).expanduser())


def check_constraints(translator: Translator, config: TranslateConfig, search: SearchConfig) -> None:
    """Check what only some lines need, before the first one is translated.

    Raises:
        ConfigError, DataError: as `check_glossary`, or a file of prefixes is used with a shortlist.
    """
    if (glossary := load_glossary(config.glossary)) is not None:
        check_glossary(translator.ensemble, glossary, search)
    if config.prefixes is not None:
        translator.ensemble.require_full_vocabulary("a prefix")


def requests(config: TranslateConfig, lines: Iterable[str]) -> Iterator[Request]:
    """Yield a request for each line, with its tag, prefix, phrases and glossary.

    Raises:
        DataError: a file cannot be read, or the numbers of prefixes and lines differ.
    """
    glossary = load_glossary(config.glossary)
    for line, prefix in with_prefixes(lines, config):
        yield Request(add_tag(line, config.tag), prefix, tuple(dict.fromkeys(config.phrases)), glossary)


def with_prefixes(lines: Iterable[str], config: TranslateConfig) -> Iterator[tuple[str, str]]:
    """Yield each line with the prefix of its translation, empty for none."""
    if config.prefixes is None:
        yield from ((line, config.prefix or "") for line in lines)
        return
    path = Path(config.prefixes).expanduser()
    yield from zip_lines(lines, read_lines(path), "the input", str(path))


def zip_lines(
    first: Iterable[str], second: Iterable[str], first_name: str, second_name: str
) -> Iterator[tuple[str, str]]:
    """Yield pairs of lines, as they are read.

    Raises:
        DataError: the numbers of lines differ.
    """
    end = object()
    left, right = chain(first, [end]), chain(second, [end])
    for number, (one, other) in enumerate(zip(left, right, strict=False), 1):
        if isinstance(one, str) and isinstance(other, str):
            yield one, other
        elif one is not other:
            longer, shorter = (first_name, second_name) if isinstance(one, str) else (second_name, first_name)
            raise DataError(
                f"{longer} has more lines than {shorter}, which ends before line {number:,}: they must match line by "
                f"line; run {program('doctor')} to find the first line that is shifted"
            )


def scored_pairs(config: ScoreConfig) -> Iterator[tuple[str, str]]:
    """Yield the pairs that recipes/score.py scores.

    Raises:
        ConfigError: a file is not given.
        DataError: a file cannot be read, or the numbers of lines differ.
    """
    if config.source is None or config.target is None:
        raise ConfigError("nothing to score: set source=FILE and target=FILE, with one sentence per line in each")
    source, target = Path(config.source).expanduser(), Path(config.target).expanduser()
    sources, targets = (read_lines(path, config.encoding, ENCODING) for path in (source, target))
    for text, translation in zip_lines(sources, targets, str(source), str(target)):
        yield add_tag(text, config.tag), translation


def read_text(name: str, encoding: str | None = None) -> str:
    """Read a whole text, line ends included; ``-`` is standard input.

    Raises:
        ConfigError: unknown encoding.
        DataError: as `read_lines`.
    """
    path = Path(name).expanduser()
    place, member = split_path(path)
    shown = "standard input" if name == "-" else str(path)
    try:
        with contextlib.ExitStack() as stack:
            file = sys.stdin.buffer if name == "-" else stack.enter_context(place.open("rb"))
            data = as_text(file, shown, encoding, ENCODING, member).stream.read()
    except (OSError, EOFError) as error:
        raise unreadable(path, error if isinstance(error, OSError) else OSError(str(error))) from None
    for _ in decoded_lines(io.BytesIO(data), shown):
        pass  # raises an error that names the first line which is not UTF-8
    return data.decode("utf-8-sig")


@contextlib.contextmanager
def opened(output: str) -> Iterator[TextIO]:
    """Open standard output, or a file that gets its name only when complete; compressed if the name ends in ``.gz``.

    Raises:
        RunError: as `output_file`.
    """
    if output == "-":
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")  # type: ignore[union-attr]
        yield sys.stdout
        return
    with opened_bytes(output) as binary, io.TextIOWrapper(binary, encoding="utf-8", newline="\n") as file:
        yield file


@contextlib.contextmanager
def opened_bytes(output: str) -> Iterator[IO[bytes]]:
    """As `opened`, for bytes."""
    if output == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = Path(output).expanduser()
    with output_file(path) as temporary, open_output(temporary, like=path) as binary:
        yield binary


def with_progress(items: Iterable[Item], total: int | None, label: str, *, shown: bool = True) -> Iterator[Item]:
    """Yield the items, one per sentence, and show a progress bar on stderr.

    Translations of a chunk arrive together, so the bar moves by chunks: moving it per item would show the first one
    early and count the waiting time of the chunk as that of one item.

    Args:
        items: yielded as they come; reads at most one chunk ahead.
        total: the number of items, if known; without it the remaining time is not shown.
        label: what is done, such as ``translating``.
        shown: False for no bar.
    """
    # As in training: updated continuously on a terminal, now and then in a file.
    interval = 0.5 if sys.stderr.isatty() else 15
    with tqdm(
        total=total,
        desc=label,
        unit="sentence",
        mininterval=interval,
        miniters=1,
        dynamic_ncols=True,
        disable=not shown,
    ) as bar:
        for chunk in chunked(items):
            yield from chunk
            bar.update(len(chunk))

"""onnxruntime as the engine of `seq2seq.Translator`: one sentence at a time, from an exported folder."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from seq2seq.errors import ConfigError, RunError, install_hint
from seq2seq.portable import translation as portable
from seq2seq.portable.errors import PortableError
from seq2seq.portable.folder import CONFIG, STEP_GRAPH, read_config
from seq2seq.portable.search import SearchSettings
from seq2seq.portable.segmentation import MAX_SEGMENT
from seq2seq.portable.translator import Translator
from seq2seq.search import Method, SearchConfig
from seq2seq.translation.config import Copy
from seq2seq.translation.decoding import SearchOptions
from seq2seq.translation.types import Request, Translation

log = logging.getLogger("seq2seq")


class EngineChoice(StrEnum):
    """The engine that translates."""

    auto = "auto"
    """onnxruntime for single sentences where that is faster and gives equal translations, PyTorch otherwise."""
    torch = "torch"
    onnx = "onnx"


class PortableEngine:
    """Translates requests with onnxruntime.

    Args:
        folder: an exported folder.
        forced: translate every request, and refuse those that are not supported; otherwise `takes` refuses them.
        shortlist: as `Translator.load`.

    Raises:
        RunError: the folder is not an exported one, or this device computes other translations than the exporting one.
    """

    def __init__(self, folder: Path, forced: bool, shortlist: bool = False) -> None:
        self.folder, self.forced, self.shortlist = folder, forced, shortlist
        try:
            self.translator = Translator.load(folder, "onnx", shortlist=shortlist)
        except PortableError as error:
            raise RunError(str(error)) from None

    def __reduce__(self) -> tuple[Any, ...]:
        """For pickling and copying: the copy loads the folder again."""
        return PortableEngine, (self.folder, self.forced, self.shortlist)

    def takes(self, request: Request, options: SearchOptions) -> bool:
        """Whether it translates a request.

        Raises:
            ConfigError: it does not, and it is forced.
        """
        used = {
            f"search.method={options.search.method}": options.search.method != Method.beam,
            "prefix": bool(request.prefix),
            "phrases": bool(request.phrases),
            "glossary": request.glossary is not None,
            f"copy={options.copy}": options.copy is not Copy.none,
        }
        for name, is_used in used.items():
            if is_used and self.forced:
                raise ConfigError(f"{name} needs PyTorch: load the translator with engine=torch, or leave it out")
        is_batch = len(request.text) > MAX_SEGMENT and not self.forced  # PyTorch translates its sentences together
        return not is_batch and not any(used.values())

    def translate(self, request: Request, options: SearchOptions) -> Translation:
        """Translate a request that it `takes`."""
        settings = search_settings(options.search)
        return _translation(self.translator.translate(request.text, search=settings, attention=options.attention))

    def translate_all(self, requests: Iterable[Request], options: SearchOptions) -> Iterator[Translation]:
        """Translate requests in order, one at a time. It is forced.

        Raises:
            ConfigError: a request is not supported.
        """
        return (self.translate(request, options) for request in requests if self.takes(request, options))

    def stream(self, request: Request, options: SearchOptions) -> Iterator[Translation]:
        """As `Translator.stream`."""
        return map(_translation, self.translator.stream(request.text, search=search_settings(options.search)))


def choose_engine(
    choice: str,
    folders: Sequence[Path],
    device: torch.device,
    precision: str,
    *,
    shortlist: bool = False,
    language_model: bool = False,
) -> PortableEngine | None:
    """The engine that translates in place of PyTorch; None for PyTorch.

    ``auto`` takes onnxruntime for single sentences and float32 weights: it is faster there, and PyTorch faster for
    batches. In int8 the two round differently, and a sentence must be translated alike alone and in a list.

    Args:
        choice: auto, torch or onnx.
        folders: of the models.
        device: where PyTorch translates.
        precision: as of `Translator.load`.
        shortlist: whether there is one.
        language_model: whether there is one.

    Raises:
        ConfigError: the choice is unknown, or onnx was chosen for what it does not support.
        RunError: onnx was chosen, and the folder is damaged.
    """
    if choice not in list(EngineChoice):
        raise ConfigError(f"engine must be one of {', '.join(EngineChoice)}, got {choice}")
    stored = _exported_precision(folders[0]) if len(folders) == 1 else None
    faults = {
        "one exported folder (recipes/export.py writes it)": stored is None,
        "no language_model": language_model,
        f"device=cpu, not {device}": device.type != "cpu",
        f"precision=auto or {stored}, not {precision}": precision not in ("auto", stored),
        f"onnxruntime ({install_hint('portable')})": find_spec("onnxruntime") is None,
    }
    missing = next((name for name, is_fault in faults.items() if is_fault), "")
    if choice == EngineChoice.onnx:
        if missing:
            raise ConfigError(f"engine=onnx needs {missing}: change it, or set engine=torch")
        return PortableEngine(folders[0], forced=True, shortlist=shortlist)
    if choice == EngineChoice.torch or missing or shortlist or stored != "float32":
        return None
    try:
        return PortableEngine(folders[0], forced=False)
    except RunError as error:
        log.warning("%s; using PyTorch", error)
        return None


def _exported_precision(folder: Path) -> str | None:
    """The precision of the weights in an exported folder; None for other folders."""
    if not ((folder / CONFIG).is_file() and (folder / STEP_GRAPH).is_file()):
        return None
    try:
        return str(read_config(folder)["precision"])
    except (PortableError, KeyError):
        return None


def search_settings(search: SearchConfig) -> SearchSettings:
    """The settings of beam search without PyTorch."""
    return SearchSettings(**{item.name: getattr(search, item.name) for item in fields(SearchSettings)})


def _translation(found: portable.Translation) -> Translation:
    values: Mapping[str, Any] = {item.name: getattr(found, item.name) for item in fields(found)}
    attention = None if found.attention is None else torch.from_numpy(found.attention)
    return Translation(**{**values, "attention": attention, "n_best": tuple(map(_translation, found.n_best))})

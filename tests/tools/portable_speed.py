"""Exported models: size, start, speed and equality of every form, one sentence at a time on one thread.

python -m tests.tools.portable_speed runs/demo --sentences 200

It exports the run in float32 and int8 into a temporary folder, and translates the first sentences of the run's test set
with PyTorch, onnxruntime, numpy, node, and Chromium, plain and with the processor throttled four times. Sentences whose
tokens differ from those of PyTorch on the same folder in float32 are counted. Forms are measured in turns, and the best
of the rounds counts. Start is the time of a new process up to its first translation; of Chromium, from opening
index.html up to the first translation on the page.
"""

import argparse
import base64
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from playwright.sync_api import expect

from seq2seq import Translator
from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig
from seq2seq.export.folder import export
from seq2seq.portable import Translator as Portable
from seq2seq.run.folder import RunFolder
from tests.browser import open_page
from tests.node import WEB, run_node

SCRIPTS = ("model", "weights", "cells", "products", "encoder", "attention", "decoder", "output", "engine", "search")
BEAMS = (1, 5)
ROUNDS = 3

TIMED = """
const engine = await loadEngine(input.config, bytes(input.weights), bytes(input.wasm), { copies: input.config.copies });
const options = { beamSize: input.beam };
for (const source of input.sources.slice(0, 3)) await translate(engine, source, options);
const start = performance.now();
const found = [];
for (const source of input.sources) found.push((await translate(engine, source, options))[0].ids);
return { seconds: (performance.now() - start) / 1000, found };
"""
"""The body of a function of `input`: translate, and return the time."""

BYTES = "const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;"


class Timed(NamedTuple):
    """A measurement of a form."""

    seconds: float
    """For all sentences."""
    found: list[list[int]]
    """Target token ids of each sentence."""


Form = Callable[[list[str], int], Timed]
"""Translates sentences with a beam size, and measures it."""


def python_form(translator: Any, numbers: dict[str, int]) -> Form:
    """A form that a translator of Python computes; ``numbers`` are the ids of tokens."""

    def timed(sentences: list[str], beam: int) -> Timed:
        for text in sentences[:3]:
            translator.translate(text, beam_size=beam)
        start = time.perf_counter()
        found = [translator.translate(text, beam_size=beam) for text in sentences]
        return Timed(time.perf_counter() - start, [[numbers[token] for token in each.tokens] for each in found])

    return timed


def web_input(folder: Path, sources: list[list[int]], beam: int) -> dict[str, Any]:
    """What `TIMED` reads."""
    encoded = {"weights": folder / "model.safetensors", "wasm": WEB / "kernels.wasm"}
    files = {name: base64.b64encode(path.read_bytes()).decode() for name, path in encoded.items()}
    return {
        "config": json.loads((folder / "config.json").read_text("utf-8")),
        "sources": sources,
        "beam": beam,
        **files,
    }


def node_form(folder: Path, sources: list[list[int]]) -> Form:
    """The page's scripts in node."""

    def timed(sentences: list[str], beam: int) -> Timed:
        names = [f"{name}.js" for name in SCRIPTS]
        return Timed(**run_node(names, BYTES + TIMED, web_input(folder, sources[: len(sentences)], beam)))

    return timed


def chromium_form(folder: Path, sources: list[list[int]], throttled: int) -> Form:
    """The page's scripts in Chromium, on the main thread, whose processor can be throttled."""

    def timed(sentences: list[str], beam: int) -> Timed:
        with open_page("about:blank") as page:
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": throttled})
            for name in SCRIPTS:
                page.add_script_tag(content=(WEB / f"{name}.js").read_text("utf-8"))
            code = f"async (input) => {{ {BYTES} {TIMED} }}"
            return Timed(**page.evaluate(code, web_input(folder, sources[: len(sentences)], beam)))

    return timed


def python_start(code: str, folder: Path) -> float:
    """Seconds of a new process of Python, the better of three."""

    def seconds() -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True)
        return time.perf_counter() - start

    return min(seconds() for _ in range(3))


def page_start(folder: Path, text: str) -> float:
    """Seconds from opening index.html up to the first translation."""
    with open_page((folder / "index.html").resolve().as_uri()) as page:
        start = time.perf_counter()
        page.reload(wait_until="commit")
        page.fill("#source", text)
        expect(page.locator("#translation")).not_to_be_empty()
        return time.perf_counter() - start


@contextmanager
def exported(run: Path, precision: str) -> Iterator[Path]:
    """An export of a run in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / precision
        export(RunFolder.open(run), folder, precision)
        yield folder


def measure(run: Path, precision: str, sentences: list[str]) -> None:
    """Print one table for a form of the weights."""
    with exported(run, precision) as folder:
        numpy, onnx = (Portable.load(folder, engine, check=False) for engine in ("numpy", "onnx"))
        reference = Translator.load(folder, device="cpu", precision="float32", engine="torch")
        size = json.loads((folder / "config.json").read_text("utf-8"))["vocabulary"]["target"]
        numbers = {token: place for place, token in enumerate(numpy.text.target.tokens(list(range(size))))}
        ids = [[*numpy.text.encode(text), numpy.eos] for text in sentences]
        forms: dict[str, Form] = {
            "torch": python_form(reference, numbers),
            "onnxruntime": python_form(onnx, numbers),
            "numpy": python_form(numpy, numbers),
            "node": node_form(folder, ids),
            "Chromium": chromium_form(folder, ids, 1),
            "Chromium, throttled 4 times": chromium_form(folder, ids, 4),
        }
        sizes = {name: (folder / name).stat().st_size / 1e6 for name in ("model.safetensors", "index.html")}
        total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        listed = ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items())
        print(f"\n{run.name} in {precision}: folder {total:.1f} MB, {listed}")
        print("| form | " + " | ".join(f"beam {beam}: ms a sentence, words/s, equal" for beam in BEAMS) + " |")
        print("|---|" + "---|" * len(BEAMS))
        print_table(rounds(forms, sentences), forms, sentences)
        print(f"start: {starts(folder, sentences[0])}")


def rounds(forms: Mapping[str, Form], sentences: list[str]) -> dict[tuple[str, int], Timed]:
    """The best measurement of each form and beam size."""
    best: dict[tuple[str, int], Timed] = {}
    for _ in range(ROUNDS):
        for name, form in forms.items():
            for beam in BEAMS:
                timed = form(sentences, beam)
                if (name, beam) not in best or timed.seconds < best[name, beam].seconds:
                    best[name, beam] = timed
    return best


def print_table(best: Mapping[tuple[str, int], Timed], forms: Iterable[str], sentences: list[str]) -> None:
    """Print a row for each form."""
    words = sum(len(text.split()) for text in sentences)
    for name in forms:
        cells = []
        for beam in BEAMS:
            timed, reference = best[name, beam], best["torch", beam]
            equal = sum(a == b for a, b in zip(timed.found, reference.found, strict=True))
            milliseconds = 1000 * timed.seconds / len(sentences)
            cells.append(f"{milliseconds:.1f}, {words / timed.seconds:,.0f}, {equal} of {len(sentences)}")
        print(f"| {name} | " + " | ".join(cells) + " |")


def starts(folder: Path, text: str) -> str:
    """The start of every form, in words."""
    portable = "import sys; from seq2seq.portable import Translator; Translator.load(sys.argv[1], {!r}).translate({!r})"
    full = "import sys; from seq2seq import Translator; Translator.load(sys.argv[1], engine='torch').translate({!r})"
    found = {
        "torch": python_start(full.format(text), folder),
        "onnxruntime": python_start(portable.format("onnx", text), folder),
        "numpy": python_start(portable.format("numpy", text), folder),
        "Chromium": page_start(folder, text),
    }
    return ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found.items())


def main() -> None:
    """Measure every form of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--sources", type=Path, help="a text file; default: the built-in test set")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.sources is None:
        sentences = [source for source, _ in islice(BuiltinCorpus(BuiltinConfig(), "test"), arguments.sentences)]
    else:
        sentences = arguments.sources.read_text("utf-8").splitlines()[: arguments.sentences]
    for precision in ("float32", "int8"):
        measure(arguments.run, precision, sentences)


if __name__ == "__main__":
    main()

"""Exported models: size, start, speed and equality of every form, one sentence at a time on one thread.

python -m tests.tools.portable_speed runs/demo --sentences 1000 --timed 100
python -m tests.tools.portable_speed runs/mine --sources test.en --references test.de

It exports the run in float32 and int8 into a temporary folder, and translates sentences of the built-in test set, or of
files, with PyTorch, onnxruntime, numpy, node, and Chromium, plain and with the processor throttled four times. All are
translated once, which gives BLEU and the number of sentences whose tokens are those of PyTorch on the same folder in
float32. The first ones are timed: forms in turns, and the best of the rounds counts. Start is the time of a new process
up to its first translation, and memory its largest resident set; of Chromium, start is the time from opening index.html
up to the first translation on the page.
"""

import argparse
import base64
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from playwright.sync_api import expect

from seq2seq import Translator
from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig
from seq2seq.export.folder import export
from seq2seq.metrics.score import bleu
from seq2seq.portable import Translator as Portable
from seq2seq.portable.text import Tokenizer
from seq2seq.run.folder import RunFolder
from tests.browser import open_page
from tests.node import WEB, run_node

SCRIPTS = ("model", "weights", "cells", "products", "encoder", "attention", "decoder", "output", "engine", "search")
BEAMS = (1, 5)
ROUNDS = 3

TIMED = """
const [weights, wasm] = await Promise.all([input.weights, input.wasm].map(bytes));
const engine = await loadEngine(input.config, weights, wasm, { copies: input.config.copies });
const options = { beamSize: input.beam };
for (const source of input.sources.slice(0, 3)) await translate(engine, source, options);
const start = performance.now();
const found = [];
for (const source of input.sources) found.push((await translate(engine, source, options))[0].ids);
return { seconds: (performance.now() - start) / 1000, found };
"""
"""The body of a function of `input`: translate, and return the time."""

FETCHED = "const bytes = async (address) => (await fetch(address)).arrayBuffer();"
CHOSEN = "const bytes = (place) => document.querySelector('input').files[place].arrayBuffer();"
"""How node and the browser read weights and kernels: an argument of 50 MB would take the browser half a minute."""


class Timed(NamedTuple):
    """A measurement of a form."""

    seconds: float
    """For all sentences."""
    found: list[list[int]]
    """Target token ids of each sentence."""


class TestSet(NamedTuple):
    """What is translated."""

    sources: list[str]
    references: list[str]
    timed: list[str]
    """The first sources."""


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


def web_input(folder: Path, sources: list[list[int]], beam: int, files: Mapping[str, Any]) -> dict[str, Any]:
    """What `TIMED` reads; ``files`` are where `FETCHED` or `CHOSEN` finds weights and kernels."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    return {"config": config, "sources": sources, "beam": beam, **files}


def web_files(folder: Path) -> dict[str, Path]:
    """The files that `TIMED` reads."""
    return {"weights": folder / "model.safetensors", "wasm": WEB / "kernels.wasm"}


def node_form(folder: Path, sources: list[list[int]]) -> Form:
    """The page's scripts in node."""
    encoded = {name: base64.b64encode(path.read_bytes()).decode() for name, path in web_files(folder).items()}
    files = {name: f"data:;base64,{text}" for name, text in encoded.items()}

    def timed(sentences: list[str], beam: int) -> Timed:
        names = [f"{name}.js" for name in SCRIPTS]
        return Timed(**run_node(names, FETCHED + TIMED, web_input(folder, sources[: len(sentences)], beam, files)))

    return timed


def chromium_form(folder: Path, sources: list[list[int]], throttled: int) -> Form:
    """The page's scripts in Chromium, on the main thread, whose processor can be throttled."""
    paths = web_files(folder)
    places = {name: place for place, name in enumerate(paths)}

    def timed(sentences: list[str], beam: int) -> Timed:
        with open_page("about:blank") as page:
            page.set_content("<input type=file multiple>")
            page.set_input_files("input", list(paths.values()))
            page.context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": throttled})
            for name in SCRIPTS:
                page.add_script_tag(content=(WEB / f"{name}.js").read_text("utf-8"))
            code = f"async (input) => {{ {CHOSEN} {TIMED} }}"
            return Timed(**page.evaluate(code, web_input(folder, sources[: len(sentences)], beam, places)))

    return timed


def python_start(code: str, folder: Path) -> str:
    """Seconds of a new process of Python, the best of three, and its memory."""
    code += "; print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0])"  # of Linux

    def started() -> tuple[float, int]:
        start = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", code, str(folder)], check=True, capture_output=True, text=True)
        return time.perf_counter() - start, int(done.stdout.split()[-1])

    seconds, kilobytes = min(started() for _ in range(3))
    return f"{seconds:.2f} s, {kilobytes / 1024:.0f} MB"


def page_start(folder: Path, text: str) -> str:
    """Seconds from opening index.html up to the first translation."""
    with open_page((folder / "index.html").resolve().as_uri()) as page:
        start = time.perf_counter()
        page.reload(wait_until="commit")
        page.fill("#source", text)
        expect(page.locator("#translation")).not_to_be_empty()
        return f"{time.perf_counter() - start:.2f} s"


@contextmanager
def exported(run: Path, precision: str) -> Iterator[Path]:
    """An export of a run in a temporary folder."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / precision
        export(RunFolder.open(run), folder, precision)
        yield folder


def measure(run: Path, precision: str, text: TestSet) -> None:
    """Print one table for a form of the weights."""
    with exported(run, precision) as folder:
        numpy, onnx = (Portable.load(folder, engine, check=False) for engine in ("numpy", "onnx"))
        reference = Translator.load(folder, device="cpu", precision="float32", engine="torch")
        size = json.loads((folder / "config.json").read_text("utf-8"))["vocabulary"]["target"]
        numbers = {token: place for place, token in enumerate(numpy.text.target.tokens(list(range(size))))}
        ids = [[*numpy.text.encode(source), numpy.eos] for source in text.sources]
        forms: dict[str, Form] = {
            "torch": python_form(reference, numbers),
            "onnxruntime": python_form(onnx, numbers),
            "numpy": python_form(numpy, numbers),
            "node": node_form(folder, ids),
            "Chromium": chromium_form(folder, ids, 1),
        }
        found = {(name, beam): form(text.sources, beam).found for name, form in forms.items() for beam in BEAMS}
        forms["Chromium, throttled 4 times"] = chromium_form(folder, ids, 4)
        best = rounds(forms, text.timed)
        sizes = {name: (folder / name).stat().st_size / 1e6 for name in ("model.safetensors", "index.html")}
        total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        listed = ", ".join(f"{name} {size:.1f} MB" for name, size in sizes.items())
        print(f"\n{run.name} in {precision}: folder {total:.1f} MB, {listed}")
        print("| form | " + " | ".join(f"beam {beam}: ms a sentence, words/s, equal, BLEU" for beam in BEAMS) + " |")
        print("|---|" + "---|" * len(BEAMS))
        for name in forms:
            print(
                f"| {name} | "
                + " | ".join(cell(name, beam, best, found, text, numpy.text.target) for beam in BEAMS)
                + " |"
            )
        print(f"start: {starts(folder, text.sources[0])}")


def rounds(forms: Mapping[str, Form], sentences: list[str]) -> dict[tuple[str, int], float]:
    """The fewest seconds of each form and beam size."""
    best: dict[tuple[str, int], float] = {}
    for _ in range(ROUNDS):
        for name, form in forms.items():
            for beam in BEAMS:
                best[name, beam] = min(form(sentences, beam).seconds, best.get((name, beam), math.inf))
    return best


def cell(
    name: str,
    beam: int,
    best: Mapping[tuple[str, int], float],
    found: Mapping[tuple[str, int], list[list[int]]],
    text: TestSet,
    decoder: Tokenizer,
) -> str:
    """Milliseconds a sentence, words a second, sentences with the tokens of torch, and BLEU."""
    seconds, words = best[name, beam], sum(len(source.split()) for source in text.timed)
    speed = f"{1000 * seconds / len(text.timed):.1f}, {words / seconds:,.0f}"
    if (name, beam) not in found:
        return speed
    equal = sum(a == b for a, b in zip(found[name, beam], found["torch", beam], strict=True))
    score = bleu([decoder.decode(ids) for ids in found[name, beam]], text.references)
    return f"{speed}, {equal:,} of {len(text.sources):,}, {score:.2f}"


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
    return ", ".join(f"{name} {value}" for name, value in found.items())


def main() -> None:
    """Measure every form of a run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--sources", type=Path, help="a text file; default: the built-in test set")
    parser.add_argument("--references", type=Path, help="its translations")
    parser.add_argument("--sentences", type=int, default=1000)
    parser.add_argument("--timed", type=int, default=100)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.sources is None:
        pairs = [(pair.source, pair.target) for pair in BuiltinCorpus(BuiltinConfig(), "test")]
    else:
        files = (path.read_text("utf-8").splitlines() for path in (arguments.sources, arguments.references))
        pairs = list(zip(*files, strict=True))
    sources, references = ([pair[side] for pair in pairs[: arguments.sentences]] for side in (0, 1))
    for precision in ("float32", "int8"):
        measure(arguments.run, precision, TestSet(sources, references, sources[: arguments.timed]))


if __name__ == "__main__":
    main()

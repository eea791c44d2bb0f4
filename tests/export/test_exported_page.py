"""index.html of an exported folder: its content, and its behaviour in Chromium from a file and over http."""

import base64
import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from browser import open_page, require_browser
from exported_runs import SUBWORDS, make_run
from hypothesis import given
from hypothesis import strategies as st
from node import run_node
from translators import SENTENCES

from seq2seq.export.config_json import portable_config
from seq2seq.export.folder import write_json
from seq2seq.export.html import PAGE, encode_bytes, page_bytes, write_page
from seq2seq.export.markdown import card_html
from seq2seq.model import DecoderConfig, EncoderConfig, ModelConfig
from seq2seq.model.weights import save_quantized, save_weights
from seq2seq.portable.check import ids_of
from seq2seq.portable.segmentation import split_document
from seq2seq.portable.translator import Translator
from seq2seq.run.folder import RunFolder
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import save_tokenizers

if TYPE_CHECKING:
    from playwright.sync_api import Page

WEB = Path(__file__).parents[2] / "seq2seq" / "portable" / "web"
TEXT = "Wo ist mein Schlüssel?\n\n- Wir arbeiten. Das Haus ist alt!\n<b>7</b> 😀 cafe\u0301"
LONG = " ".join(f"Der Mann arbeitet {'unermüdlich ' * 20}{number} Tage" for number in range(5))
MARKUP = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"


def export_page(run: RunFolder, folder: Path, precision: str = "float32") -> None:
    """Export what the page is made of, without ONNX, which takes longer."""
    folder.mkdir()
    loaded = run.load()
    write_json(folder / "config.json", portable_config(run, loaded, loaded.search, precision))
    save = save_quantized if precision == "int8" else save_weights
    save(loaded.network, folder / "model.safetensors", loaded.metadata)
    save_tokenizers(loaded.tokenizers, folder)
    translator = Translator.load(folder, "numpy", check=False)
    write_json(folder / "check.json", {"sentences": [check_sentence(translator, text) for text in SENTENCES]})
    write_page(folder)


def check_sentence(translator: Translator, text: str) -> dict[str, Any]:
    """An entry of check.json, computed by numpy."""
    entry: dict[str, Any] = {"source": text, "source_tokens": translator.text.encode(text)}
    for method, beam_size in (("greedy", 1), ("beam", 5)):
        [best, *_] = translator.hypotheses(text, replace(translator.search, beam_size=beam_size))
        known = {"log_probability": best.log_probability, "score": best.score}
        entry[method] = {"beam_size": beam_size, "tokens": ids_of(best, translator.eos), **known}
    return entry


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An exported model with random weights and attention."""
    made = tmp_path_factory.mktemp("page")
    export_page(make_run(made / "run", ending=0.5), made / "exported")
    return made / "exported"


def page_text(folder: Path) -> str:
    return (folder / PAGE).read_bytes().decode("utf-16")


def expected(folder: Path, document: str, tag: str = "", **options: Any) -> str:
    """The translation of a document by numpy."""
    translator = Translator.load(folder, "numpy", check=False)
    start = f"{tag} " if tag else ""
    parts = split_document(document)
    return "".join(
        translator.translate(start + part.text, **options).text if part.is_sentence else part.text for part in parts
    )


def enter(page: "Page", text: str) -> str:
    """Replace the source text and wait for its translation."""
    page.fill("#source", text)
    return translation(page)


def translation(page: "Page") -> str:
    page.wait_for_function("() => document.querySelector('#translation').ariaBusy === 'false'")
    return page.evaluate("[...document.querySelector('#translation').children].map((e) => e.textContent).join('\\n')")


# The file


@given(st.binary(max_size=100))
def test_bytes_are_text_of_15_bits_per_character(content):
    text = encode_bytes(content).decode("utf-16-le")
    assert len(text) == -(-len(content) * 8 // 15)
    assert all(0x100 <= ord(character) <= 0x80FF for character in text)
    bits = "".join(f"{ord(character) - 0x100:015b}" for character in text)
    assert bytes(int(bits[start : start + 8], 2) for start in range(0, 8 * len(content), 8)) == content


def test_blocks_of_bytes_join():
    content = bytes(range(256)) * 12_000
    text = encode_bytes(content).decode("utf-16-le")
    assert encode_bytes(content[:1_500_000]).decode("utf-16-le") == text[:800_000]


def test_the_page_holds_everything_and_names_no_other_file(folder):
    text = page_text(folder)
    for name in re.findall(r'<script[^>]* id="([^"]+)"', text):
        assert text.count(f'id="{name}"') == 1
    size = (folder / "model.safetensors").stat().st_size
    assert f'id="weights" data-bytes="{size}"' in text
    markup = re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!data:)', markup) == []
    assert "http" not in re.sub(r'http-equiv|"data:[^"]*"', "", markup)
    assert (folder / PAGE).read_bytes() == page_bytes(folder), "the same folder gives the same page"


def test_only_the_script_and_the_style_of_the_page_are_allowed(folder):
    text = page_text(folder)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert policy.startswith("default-src 'none'; ")
    assert "http" not in policy
    assert "*" not in policy
    for kind, pattern in (("script", r"<script>(.*?)</script>"), ("style", r"<style>(.*?)</style>")):
        [content] = re.findall(pattern, text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(r"\son\w+=|\sstyle=", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL))


def test_no_script_makes_elements_of_markup_or_reaches_the_network():
    forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|javascript:"
    for path in WEB.glob("*.js"):
        text = path.read_text("utf-8")
        assert not re.search(forbidden, text), path.name
        if path.name != "service_worker.js":
            assert not re.search(r"\bfetch\(|XMLHttpRequest|WebSocket|sendBeacon|importScripts|https?:", text), (
                path.name
            )


CARD = """---
language: [en]
---

# name

A model <b>of</b> x.

## Use

    secret command

## Evaluation

| set | score | signature |
| --- | --- | --- |
| **test** & more | 1.0 | `a\\|b` |

- one
- two

| file | size |
| --- | --- |
| `index.html` | 1 MB |

<!-- Generated -->
"""


def test_the_card_is_shown_as_text():
    shown = card_html(CARD)
    assert "<p>A model &lt;b&gt;of&lt;/b&gt; x.</p>" in shown
    assert "<td><strong>test</strong> &amp; more</td><td>1.0</td><td><code>a|b</code></td>" in shown
    assert "<ul><li>one</li><li>two</li></ul>" in shown
    assert not any(word in shown for word in ("secret", "index.html", "Generated", "language:", "name"))
    assert card_html("") == ""


def test_facts_and_card_are_in_the_page(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    (tmp_path / "copy" / "README.md").write_text(CARD, "utf-8")
    write_page(tmp_path / "copy")
    text = page_text(tmp_path / "copy")
    assert "<title>German → English</title>" in text
    assert "CC-BY-4.0" in text
    assert "<code>a|b</code>" in text
    manifest = json.loads((tmp_path / "copy" / "manifest.webmanifest").read_text("utf-8"))
    assert manifest["name"] == "German → English"
    first, second = ((where / "service_worker.js").read_text("utf-8") for where in (folder, tmp_path / "copy"))
    assert first != second, "browsers notice another page"


def test_languages_may_be_unknown(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text("utf-8"))
    for languages, title in (({"source": None, "target": None}, "Translator"), ({"source": "<x>", "target": "de"}, "")):
        (copy / "config.json").write_text(json.dumps(config | {"languages": languages, "licence": None}), "utf-8")
        write_page(copy)
        text = page_text(copy)
        assert f"<title>{title or '&lt;x&gt; → German'}</title>" in text
        assert ">Source text<" in text or title == ""


# In Chromium


def test_the_page_translates_from_a_file_as_python_does(folder):
    require_browser()
    with open_page(f"file://{folder / PAGE}") as page:
        assert enter(page, TEXT) == expected(folder, TEXT)
        page.select_option("#beam", "1")
        assert translation(page) == expected(folder, TEXT, beam_size=1)
        page.wait_for_function("() => document.querySelector('#status').textContent.includes('checked')")
        assert page.locator("#error").is_hidden()


CHANGE = """(name) => {
  const [control, kind] = [document.querySelector(name), name === "#source" ? "input" : "change"];
  control.dispatchEvent(new Event(kind));
  return document.querySelector("#translation").ariaBusy;
}"""


def test_a_translation_is_not_complete_from_the_moment_that_text_or_settings_change(folder):
    """Else a screen reader may read the old one as the new one."""
    require_browser()
    with open_page(f"file://{folder / PAGE}") as page:
        assert enter(page, TEXT)
        for control in ("#source", "#beam"):
            translation(page)
            assert page.evaluate(CHANGE, control) == "true"
        assert translation(page) == expected(folder, TEXT)


@pytest.mark.ci
def test_details_are_those_of_python(folder):
    require_browser()
    sentence = "Das Haus ist alt."
    best = Translator.load(folder, "numpy").translate(sentence, beam_size=5, n_best=5, attention=True)
    with open_page(f"file://{folder / PAGE}") as page:
        page.select_option("#beam", "5")
        enter(page, sentence)
        for section in ("alternatives", "attention"):
            page.click(f"#{section} summary")
        rows = page.locator("#alternatives tbody tr td:nth-child(2)").all_text_contents()
        assert rows == [each.text for each in best.n_best]
        scores = page.locator("#alternatives tbody tr td:nth-child(1)").all_text_contents()
        assert scores == [f"{each.score:.3f}".replace("-", "\u2212") for each in best.n_best]
        weights = page.evaluate(
            "[...document.querySelectorAll('#attention tbody tr')].map((row) => [...row.querySelectorAll('td')]"
            ".map((cell) => Number(cell.style.getPropertyValue('--weight'))))"
        )
        rows = best.attention[: len(weights)].tolist()
        assert all(
            abs(a - b) < 1e-3 for row, own in zip(weights, rows, strict=True) for a, b in zip(row, own, strict=True)
        )
        heads = page.locator("#attention thead th").all_text_contents()
        assert heads == [*best.source_tokens, "</s>"]


@pytest.mark.ci
def test_long_text_and_changes_while_it_is_translated(folder):
    """The last text counts, and sentences that stay are not translated again."""
    require_browser()
    with open_page(f"file://{folder / PAGE}") as page:
        first = "Wir arbeiten."
        enter(page, first)
        figures = page.locator("#figures").text_content()
        for end in range(0, len(LONG), 97):
            page.fill("#source", f"{first} {LONG[:end]}")
        assert enter(page, f"{first} {LONG}.") == expected(folder, f"{first} {LONG}.")
        assert page.locator("#figures").text_content() == figures, "taken from the cache, with its time"
        assert enter(page, f"{first} Ja.") == expected(folder, f"{first} Ja.")
        page.click("#clear")
        assert translation(page) == ""
        assert page.locator("#details").is_hidden()


CASES = {
    "tags": (SUBWORDS, {"source_tag": "<2en>"}),
    "placeholders": (replace(SUBWORDS, size=320, placeholders=["printf", "braces", "tags"]), {}),
    "words": (TokenizerConfig(algorithm="word", size=40), {}),
    "copies": (SUBWORDS, {"model": ModelConfig(
        embedding_size=6, encoder=EncoderConfig(size=5), decoder=DecoderConfig(size=8), attention="additive",
        copy="pointer", dropout=0.0,
    )}),
    "context": (SUBWORDS, {"model": ModelConfig(
        embedding_size=6, encoder=EncoderConfig(size=5), decoder=DecoderConfig(size=8), dropout=0.0,
    )}),
}  # fmt: skip


@pytest.mark.ci
@pytest.mark.parametrize(
    ("case", "precision"), [*((case, "float32") for case in CASES), ("placeholders", "int8"), ("context", "int8")]
)
def test_vocabularies_tags_and_models(case, precision, tmp_path):
    require_browser()
    tokenizer, options = CASES[case]
    export_page(
        make_run(tmp_path / "run", tokenizer=tokenizer, ending=0.5, **options), tmp_path / "exported", precision
    )
    text = "Wo ist %s mein {name}? Die Frau <b>ruft</b> ihn an.\nWir arbeiten 7 Tage."
    with open_page(f"file://{tmp_path / 'exported' / PAGE}") as page:
        tag = options.get("source_tag", "")
        assert enter(page, text) == expected(tmp_path / "exported", text, tag)
        assert page.locator("#tag-label").is_visible() == bool(tag)
        assert page.locator("#attention").is_hidden() == (case == "context")
        if tag:
            page.select_option("#tag", "")
            assert translation(page) == expected(tmp_path / "exported", text)


@pytest.mark.ci
def test_a_device_that_computes_something_else_says_so(folder, tmp_path):
    require_browser()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    check = json.loads((copy / "check.json").read_text("utf-8"))
    check["sentences"][0]["greedy"]["log_probability"] -= 1
    (copy / "check.json").write_text(json.dumps(check), "utf-8")
    write_page(copy)
    with open_page(f"file://{copy / PAGE}") as page:
        page.wait_for_selector("#error:not([hidden])")
        assert "gives other results than the device of the model's author" in page.locator("#error").text_content()
        page.fill("#source", "Wir arbeiten.")
        page.wait_for_timeout(300)
        assert page.locator("#translation").text_content() == ""
        page.click("#error button")
        assert translation(page) == expected(folder, "Wir arbeiten.")
        page.wait_for_timeout(1000)  # the other sentences of check.json are as expected
        assert page.locator("#status").text_content() == "The check of this device failed."


@pytest.mark.ci
def test_damaged_weights_are_named(folder, tmp_path):
    require_browser()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    weights = (copy / "model.safetensors").read_bytes()
    (copy / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    write_page(copy)
    with open_page(f"file://{copy / PAGE}") as page:
        page.wait_for_selector("#error:not([hidden])")
        assert "model.safetensors" in page.locator("#error").text_content()


@pytest.mark.ci
def test_the_page_reaches_no_network(folder):
    require_browser()
    request = "fetch('http://127.0.0.1:9/').then(() => 'reached', (error) => error.message)"
    with open_page(f"file://{folder / PAGE}", expected="Content Security Policy") as page:
        assert "reached" not in page.evaluate(request)
        worker = f"new Worker(URL.createObjectURL(new Blob([`{request}.then(postMessage)`])))"
        message = (
            f"new Promise((resolve) => {{ const own = {worker}; own.onmessage = ({{ data }}) => resolve(data); }})"
        )
        assert "reached" not in page.evaluate(message)


@pytest.mark.ci
@pytest.mark.parametrize(("width", "dark"), [(360, False), (320, True)])
def test_a_phone_shows_everything_and_markup_is_text(folder, width, dark):
    require_browser()
    with open_page(f"file://{folder / PAGE}", width, 700, dark=dark) as page:
        enter(page, f"{MARKUP}\nWo ist mein Schlüssel?")
        for summary in page.locator("summary:visible").all():
            summary.click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(
            "document.querySelector('#source').scrollHeight <= document.querySelector('#source').clientHeight"
        )
        assert page.title() == "German → English"
        assert page.locator("main img, main script").count() == 0
        background = "rgb(21, 24, 26)" if dark else "rgb(246, 246, 243)"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background


@pytest.mark.ci
def test_keyboard_and_screen_reader(folder):
    require_browser()
    with open_page(f"file://{folder / PAGE}") as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        assert page.evaluate("document.activeElement.id") == "source"
        page.keyboard.type("Wir arbeiten. Das Haus ist alt.")
        shown = translation(page)
        reached = []
        for _ in range(8):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id || document.activeElement.parentElement.id"))
            if reached[-1] == "copy":
                page.keyboard.press("Enter")
                page.wait_for_function("() => document.querySelector('#status').textContent.includes('copied')")
                assert page.evaluate("navigator.clipboard.readText()") == shown
        assert reached[:7] == ["beam", "clear", "copy", "sentence", "alternatives", "attention", "about"]
        page.focus("#sentence")
        page.keyboard.press("ArrowDown")
        assert page.locator(".sentence.selected").text_content() == page.locator(".sentence").nth(1).text_content()
        tree = page.locator("body").aria_snapshot()
        for name in ('textbox "German text"', 'combobox "Search', 'combobox "Details of"', 'button "Copy translation"'):
            assert name in tree, tree
        assert page.locator("#translation").get_attribute("aria-live") == "polite"


@pytest.mark.ci
def test_each_line_has_the_direction_and_language_of_its_text(folder, tmp_path):
    require_browser()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    config = json.loads((copy / "config.json").read_text("utf-8"))
    (copy / "config.json").write_text(json.dumps(config | {"languages": {"source": "he", "target": "ar"}}), "utf-8")
    write_page(copy)
    with open_page(f"file://{copy / PAGE}") as page:
        enter(page, "\u05d0\u05d9\u05e4\u05d4 \u05d4\u05de\u05e4\u05ea\u05d7?")
        assert page.evaluate("getComputedStyle(document.querySelector('#source')).direction") == "rtl"
        assert page.get_attribute("#source", "lang") == "he"
        line = page.locator("#translation .line").first
        assert (line.get_attribute("dir"), line.get_attribute("lang")) == ("auto", "ar")
        assert page.title() == "Hebrew → Arabic"


@contextmanager
def serving(folder: Path) -> Iterator[ThreadingHTTPServer]:
    """A server of files, which redirects index.html to its folder, as several do."""

    class Quiet(SimpleHTTPRequestHandler):
        extensions_map = SimpleHTTPRequestHandler.extensions_map | {".html": "text/html; charset=utf-8"}

        def do_GET(self) -> None:
            if self.path.endswith("/index.html"):
                self.send_response(301)
                self.send_header("Location", self.path.removesuffix("index.html"))
                self.send_header("Content-Length", "0")
                self.end_headers()
            else:
                super().do_GET()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.ci
def test_a_page_of_a_server_stays_for_use_without_a_network(folder):
    """Although the server declares another encoding; and the files of the folder are not taken from the cache."""
    require_browser()
    with serving(folder) as server:
        url = f"http://127.0.0.1:{server.server_port}/"
        with open_page(url, expected="ERR_") as page:
            assert enter(page, TEXT) == expected(folder, TEXT)
            page.evaluate("navigator.serviceWorker.ready.then(() => true)")
            page.wait_for_function("() => navigator.serviceWorker.controller !== null")
            server.shutdown()
            server.server_close()
            for address in (url, f"{url}index.html"):
                page.goto(address)
                assert enter(page, TEXT) == expected(folder, TEXT)
            assert page.evaluate("document.querySelector('link[rel=manifest]').href").endswith("manifest.webmanifest")
            with pytest.raises(Exception, match="ERR_"):
                page.goto(f"{url}config.json")


SERVICE_WORKER_STUB = """
const [listeners, kept] = [{}, []];
Object.assign(globalThis, {
  registration: { scope: "http://x/" },
  self: { skipWaiting: () => {} },
  addEventListener: (kind, listener) => { listeners[kind] = listener; },
  caches: { open: async () => ({ put: (file, response) => kept.push(file) }) },
  fetch: async (file) => new Response(file === "index.html" ? input.page : "{}", { status: input.status }),
});
"""


@pytest.mark.parametrize(
    ("page", "status", "kept"),
    [("the page", 200, ["index.html", "manifest.webmanifest"]), ("log in", 200, []), ("the page", 404, [])],
)
def test_only_the_page_of_its_version_is_kept(page, status, kept):
    """A network that wants a login, or a server in the middle of an update, sends something else."""
    version = hashlib.sha256(b"the page").hexdigest()[:16]
    worker = (WEB / "service_worker.js").read_text("utf-8").replace("{{version}}", version).replace('"use strict";', "")
    code = f"""{SERVICE_WORKER_STUB}{worker}
    let filled = null;
    listeners.install({{ waitUntil: (promise) => (filled = promise) }});
    return [await filled.then(() => true, () => false), kept];
    """
    assert run_node([], code, {"page": page, "status": status}) == [bool(kept), kept]


WORKER_STUB = """
const posted = [];
globalThis.postMessage = (message) => posted.push(message);
let receive = null;
globalThis.addEventListener = (kind, listener) => { receive = (data) => listener({ data }); };
"""


def test_stale_sentences_are_cancelled_and_finished_ones_are_kept():
    """The worker alone, with a search that takes turns and counts the translations of each sentence."""
    code = """
    const started = {}, aborted = [];
    const turn = () => new Promise((resume) => setTimeout(resume, 1));
    globalThis.ModelText = class {
      tags = [];
      source = { tokens: (ids) => ids.map(String) };
      target = { ...this.source, decode: String };
      split(text) { return text.split(/(?<=[.])/).map((part) => [part, true]); }
      segments(text) { return [text]; }
      encode(text) { return [...text].map((letter) => letter.charCodeAt(0)); }
      decode(ids) { return String.fromCharCode(...ids); }
      copies() { return []; }
      excluded() { return []; }
      difference() { return { lost: [], added: [] }; }
    };
    globalThis.loadEngine = async () => ({});
    globalThis.translate = async (engine, ids, { signal }) => {
      const text = String.fromCharCode(...ids.slice(0, -1));
      started[text] = (started[text] || 0) + 1;
      for (let wait = 0; wait < 20; wait++) {
        await turn();
        if (signal.aborted) { aborted.push(text); signal.throwIfAborted(); }
      }
      return [{ ids: ids.slice(0, -1), score: 0, logProbability: 0, finished: true, attention: null }];
    };
    const config = { special: { eos: 0 }, precision: "float32" };
    await receive({ load: { config, files: {}, check: { sentences: [] } } });
    const type = (document, version) => receive({ translate: { version, document, beamSize: 1, tag: "" } });
    await type("one.tw", 1);
    for (let wait = 0; wait < 30; wait++) await turn();
    await type("one.two.", 2);
    while (posted.filter(({ result }) => result).length < 2) await turn();
    await type("one.", 3);
    await type("one.two.", 4);
    const { layout } = posted[posted.length - 1];
    return { started, aborted, known: layout.known.map(({ text }) => text) };
    """
    result = run_worker(code)
    assert result["started"] == {"one.": 1, "tw": 1, "two.": 1}
    assert result["aborted"] == ["tw"]
    assert result["known"] == ["two."], "the page has the other one"


def run_worker(code: str) -> Any:
    worker = (WEB / "worker.js").read_text("utf-8")
    return run_node([], f"{WORKER_STUB}\n{worker}\n{code}", None)

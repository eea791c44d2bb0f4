"""index.html of an exported folder: one file that translates in a browser, without a server or a network.

Weights, vocabularies, kernels and scripts are in the file. It is UTF-16 with a byte order mark: so each character holds
15 bits of data, in 7 % more bytes than the data has (base64 takes 33 %), and no server can declare another encoding.
Over http, a service worker keeps the page for use without a network.
"""

import base64
import hashlib
import html
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import quote

import langcodes
import numpy as np

from seq2seq.corpora.languages import language_tag
from seq2seq.export.markdown import card_html
from seq2seq.export.unicode_tables import unicode_tables
from seq2seq.portable.folder import CHECK, WEIGHTS, read_config, read_json
from seq2seq.run.folder import CARD

PAGE = "index.html"
SERVICE_WORKER = "service_worker.js"
MANIFEST = "manifest.webmanifest"

WORKER_SCRIPTS = (
    *(
        "model.js",
        "weights.js",
        "cells.js",
        "products.js",
        "encoder.js",
        "attention.js",
        "decoder.js",
        "output.js",
        "engine.js",
    ),
    *("search.js", "sentencepiece.js", "text.js", "worker.js"),
)
"""Joined in this order, they are the script of the page's worker."""

FIRST_CHARACTER = 0x100
"""Stands for 15 zero bits; the last one is U+80FF. All are ordinary characters, which parsers keep."""

BITS = 15
BLOCK = BITS * 100_000
"""Bytes that are encoded at a time; a multiple of 15, which are 8 characters."""

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#2f6f73"/>'
    '<g fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round"><path d="M6 11h6m4 0h3"/>'
    '<path d="M13 21h4m4 0h5"/><path d="M22 11h3v4M10 21H7v-4" opacity=".55"/></g></svg>'
)


def write_page(folder: Path) -> None:
    """Write index.html, and the service worker and the manifest for a page that a server delivers.

    Args:
        folder: with config.json, model.safetensors, tokenizer*.model and check.json. The page shows README.md if there
            is one.

    Raises:
        PortableError: a file is missing or damaged.
    """
    page = page_bytes(folder)
    (folder / PAGE).write_bytes(page)
    title = _title(read_config(folder)["languages"])
    version = hashlib.sha256(page).hexdigest()[:16]
    worker = _web_text(SERVICE_WORKER).replace("{{version}}", version)
    (folder / SERVICE_WORKER).write_text(worker, encoding="utf-8", newline="\n")
    (folder / MANIFEST).write_text(json.dumps(_manifest(title), indent=1) + "\n", encoding="utf-8", newline="\n")


def page_bytes(folder: Path) -> bytes:
    """The content of index.html."""
    config = read_config(folder)
    style, script = _web_text("common.css") + _web_text("page.css"), _web_text("page.js")
    source, target = (config["languages"][side] or "" for side in ("source", "target"))
    filled = {
        "policy": _policy(style, script),
        "title": html.escape(_title(config["languages"])),
        "icon": _data_url(ICON),
        "style": style,
        "script": script,
        "source": html.escape(f"{_language_name(source) or 'Source'} text"),
        "target": html.escape(f"{_language_name(target)} translation" if target else "Translation"),
        "source_lang": _lang(source),
        "target_lang": _lang(target),
        "about": _about(folder, config),
    }
    template = _web_text("page.html")
    before, _, after = template.partition("{{data}}")
    encoded = [_filled(part, filled).encode("utf-16-le") for part in (before, after)]
    return b"\xff\xfe" + encoded[0] + _data(folder, config) + encoded[1]


def _filled(template: str, values: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda match: values[match[1]], template)


def _data(folder: Path, config: dict[str, Any]) -> bytes:
    """Elements with everything that the page needs, which it reads by their ids."""
    texts = {
        "config": config,
        "tables": unicode_tables(config["text"]["normalization"]),
        "check": read_json(folder / CHECK) if (folder / CHECK).is_file() else {"sentences": []},
    }
    names = {config["text"][side]["file"] for side in ("source", "target")}
    files = {"weights": WEIGHTS} | {name: name for name in sorted(names)}
    contents = {id: (folder / name).read_bytes() for id, name in files.items()}
    contents["kernels"] = (resources.files("seq2seq.portable") / "web" / "kernels.wasm").read_bytes()
    elements = [_element(id, _json(value).encode("utf-16-le")) for id, value in texts.items()]
    elements += [_element(id, encode_bytes(content), len(content)) for id, content in contents.items()]
    worker = "\n".join(map(_web_text, WORKER_SCRIPTS))
    return b"".join([*elements, _element("worker", worker.encode("utf-16-le"))])


def _element(id: str, content: bytes, size: int | None = None) -> bytes:
    attributes = f'id="{id}"' + (f' data-bytes="{size}"' if size is not None else "")
    start, end = f'<script type="text/plain" {attributes}>', "</script>\n"
    return start.encode("utf-16-le") + content + end.encode("utf-16-le")


def _json(value: Any) -> str:
    """JSON that cannot end the element in which it stands."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def encode_bytes(content: bytes) -> bytes:
    """Bytes as UTF-16 text of 15 bits per character, the first bits highest; zero bits fill the last one."""
    parts = []
    weights = 1 << np.arange(BITS - 1, -1, -1)
    for start in range(0, len(content), BLOCK):
        bits = np.unpackbits(np.frombuffer(content[start : start + BLOCK], np.uint8))
        bits = np.append(bits, np.zeros(-len(bits) % BITS, np.uint8))
        parts.append((bits.reshape(-1, BITS) @ weights + FIRST_CHARACTER).astype("<u2").tobytes())
    return b"".join(parts)


def _policy(style: str, script: str) -> str:
    """A Content-Security-Policy: no network, and no script but that of the page."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; script-src 'sha256-{hashes[1]}' 'wasm-unsafe-eval'; style-src 'sha256-{hashes[0]}'; "
        f"img-src data:; worker-src blob: 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'"
    )


def _web_text(name: str) -> str:
    """A file of the page; html.parser of browsers must not see an end of a script in it."""
    text = (resources.files("seq2seq.portable") / "web" / name).read_text(encoding="utf-8")
    return text if name.endswith(".html") else text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _title(languages: dict[str, str]) -> str:
    names = [_language_name(languages[side]) for side in ("source", "target")]
    return " → ".join(names) if all(names) else "Translator"


def _language_name(code: str | None) -> str:
    """The English name of a language; the code if it is unknown; empty without one."""
    return langcodes.Language.get(code).display_name() if code and language_tag(code) else code or ""


def _lang(code: str) -> str:
    """The attribute that names the language of an element's text."""
    return f' lang="{html.escape(language_tag(code))}"' if language_tag(code) else ""


def _about(folder: Path, config: dict[str, Any]) -> str:
    """Facts about the model, and its card."""
    size = (folder / WEIGHTS).stat().st_size
    vocabulary = config["vocabulary"]
    sizes = f"{vocabulary['source']:,}" + ("" if vocabulary["joint"] else f" and {vocabulary['target']:,}")
    facts = {
        "Languages": _title(config["languages"]),
        "Licence": config["licence"] or "not stated",
        "Weights": f"{config['precision']}, {size / 1e6:,.1f} MB",
        "Vocabulary": f"{sizes} tokens",
        "Made with": f"seq2seq {config['seq2seq']}",
    }
    rows = [f'<tr><th scope="row">{name}</th><td>{html.escape(value)}</td></tr>' for name, value in facts.items()]
    card = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    return f'<table class="facts"><tbody>{"".join(rows)}</tbody></table>{card_html(card)}'


def _manifest(title: str) -> dict[str, Any]:
    """The manifest with which phones install a page."""
    icon = {"src": _data_url(ICON), "sizes": "any", "type": "image/svg+xml"}
    return {
        "name": title,
        "short_name": title,
        "start_url": "./",
        "scope": "./",
        "display": "standalone",
        "background_color": "#f6f6f3",
        "theme_color": "#23666b",
        "icons": [icon],
    }


def _data_url(svg: str) -> str:
    return f"data:image/svg+xml,{quote(svg)}"

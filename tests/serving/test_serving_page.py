"""The page: its files, and, in a real browser, what it does."""

import re
from pathlib import Path

import pytest
from browser import CHROMIUM, Browser
from server_tools import serving

from seq2seq.serving.config import ServeConfig
from seq2seq.serving.page import page_files
from seq2seq.serving.systems import load_systems

STATIC = Path(__file__).parents[2] / "seq2seq" / "serving" / "static"
MARKUP = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"


def test_the_page_is_its_own_files_and_loads_nothing_else():
    known = page_files()
    assert set(known) == {path.name for path in STATIC.iterdir()}
    for name, (content, _) in known.items():
        text = content.decode()
        for address in re.findall(r"""(?:src|href)="([^"]+)"|from "([^"]+)"|url\(([^)]+)\)""", text):
            (place,) = filter(None, address)
            assert place.removeprefix("./").removeprefix("/static/") in known or place == "/openapi.json", (name, place)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), f"{name} names another site"


def test_nothing_is_made_of_markup_and_nothing_is_inline():
    for path in STATIC.glob("*.js"):
        text = path.read_text("utf-8")
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|javascript:"
        assert not re.search(forbidden, text), path.name
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?! type=\"module\" src=)", page)


def test_files_are_sent_as_what_they_are():
    with serving() as served:
        assert served.get("/").headers["content-type"] == "text/html; charset=utf-8"
        assert served.get("/static/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
        for path in ("/static/nothing.js", "/static/../app.py", "/static/%2e%2e/app.py", "/static/__init__.py"):
            assert served.get(path).status == 404


@pytest.fixture
def page(tiny_run):
    """A server of a run with attention, as recipes/serve.py starts it."""
    if CHROMIUM is None:
        pytest.skip("there is no browser: apt-get install chromium")
    config = ServeConfig(run=str(tiny_run), port=0, device="cpu")
    config.limits.seconds = 300
    with serving(load_systems(config), config) as served:
        yield served


DONE = "(all => all.length > 0 && all.every(one => one.textContent))([...document.querySelectorAll('.figures')])"


@pytest.mark.slow
def test_a_reader_translates_chooses_another_word_and_looks_inside(page, tmp_path):
    with Browser(tmp_path / "profile") as browser:
        browser.open(page.url)
        browser.wait("document.querySelector('.run h2')")
        browser.click("#source")
        browser.type("Where is my key?")
        browser.wait(DONE)
        wanted = page.ask("/api/translate", sentences=["Where is my key?"]).json["translations"][0]["text"]
        shown = "[...document.querySelectorAll('.text')].map(one => one.textContent)"
        assert browser.run(shown) == [wanted]
        browser.click("button.word")
        browser.wait("document.querySelectorAll('.alternatives li').length > 1")
        word = browser.run("document.querySelector('.alternatives li:nth-child(2) strong').textContent")
        browser.click(".alternatives li:nth-child(2) button")
        browser.wait("document.querySelector('.word.held')")
        assert browser.run(shown)[0].split()[0] == word
        browser.click("details:nth-of-type(1) summary")
        browser.wait("document.querySelectorAll('details:nth-of-type(1) tbody tr').length > 1")
        browser.click("details:nth-of-type(2) summary")
        browser.wait("document.querySelector('.attention td.weight')")
        browser.wait("document.querySelector('img')?.naturalWidth > 0")
        assert browser.complaints() == []
        assert [url for url in browser.requested() if not url.startswith((page.url, "about:"))] == []
        browser.screenshot(tmp_path / "page.png")
        assert (tmp_path / "page.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_markup_is_shown_as_it_was_typed_and_a_narrow_window_does(page, tmp_path, dark):
    with Browser(tmp_path / "profile", 360, 740, dark=dark) as browser:
        browser.open(page.url)
        browser.wait("document.querySelector('.run h2')")
        browser.click("#source")
        browser.type(MARKUP)
        browser.wait(DONE)
        browser.click("details:nth-of-type(2) summary")
        browser.wait("document.querySelector('.attention td.weight')")
        assert browser.run("document.title") == "seq2seq"
        assert browser.run("document.querySelectorAll('main script, main img[onerror]').length") == 0
        assert browser.run("document.documentElement.scrollWidth") <= 360
        ground = "rgb(21, 24, 26)" if dark else "rgb(246, 246, 243)"
        assert browser.run("getComputedStyle(document.body).backgroundColor") == ground
        assert browser.complaints() == []

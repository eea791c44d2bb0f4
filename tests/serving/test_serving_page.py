"""The page: its files, and its behaviour in a real browser."""

import re
from pathlib import Path

import pytest
from browser import open_page, require_browser
from server_tools import serving

from seq2seq.serving.app import page_files
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.runs import load_translators

STATIC = Path(__file__).parents[2] / "seq2seq" / "serving" / "static"
MARKUP = "<img src=x onerror=document.title='run'><script>document.title='run'</script>"


def test_the_page_consists_of_its_own_files_only():
    contents = page_files()
    assert set(contents) == {path.name for path in STATIC.iterdir()}
    for name, (content, _) in contents.items():
        text = content.decode()
        for match in re.findall(r"""(?:src|href)="([^"]+)"|from "([^"]+)"|url\(([^)]+)\)""", text):
            (url,) = filter(None, match)
            assert url.removeprefix("./").removeprefix("/static/") in contents or url == "/openapi.json", (name, url)
        assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text), f"{name} names another site"


def test_no_element_is_made_of_markup_and_no_script_or_style_is_inline():
    for path in STATIC.glob("*.js"):
        text = path.read_text("utf-8")
        forbidden = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|DOMParser|javascript:"
        assert not re.search(forbidden, text), path.name
    page = (STATIC / "index.html").read_text("utf-8")
    assert not re.search(r"<style|style=|\son\w+=|<script(?! type=\"module\" src=)", page)


def test_files_have_their_media_type_and_nothing_else_is_a_file():
    with serving() as client:
        assert client.get("/").headers["content-type"] == "text/html; charset=utf-8"
        assert client.get("/static/app.js").headers["content-type"] == "text/javascript; charset=utf-8"
        for path in ("/static/nothing.js", "/static/../app.py", "/static/%2e%2e/app.py", "/static/__init__.py"):
            assert client.get(path).status == 404


@pytest.fixture
def client(tiny_run):
    """A server of a run with attention, as recipes/serve.py starts it."""
    require_browser()
    config = ServeConfig(run=str(tiny_run), port=0, device="cpu")
    config.limits.seconds = 300
    with serving(load_translators(config), config) as client:
        yield client


def enter(page, text):
    """Type a text and wait for its translation."""
    page.click("#source")
    page.keyboard.insert_text(text)
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.figures')];"
        " return all.length > 0 && all.every(each => each.textContent) }"
    )


@pytest.mark.slow
def test_a_user_translates_chooses_another_word_and_inspects_the_model(client, tmp_path):
    with open_page(client.url) as page:
        page.wait_for_selector(".run h2")
        enter(page, "Where is my key?")
        expected = client.post("/api/translate", sentences=["Where is my key?"]).json["translations"][0]["text"]
        assert page.locator(".text").all_text_contents() == [expected]
        page.locator("button.word").first.click()
        page.wait_for_function("() => document.querySelectorAll('.alternatives li').length > 1")
        word = page.locator(".alternatives li:nth-child(2) strong").text_content()
        page.click(".alternatives li:nth-child(2) button")
        page.wait_for_selector(".word.chosen")
        assert page.locator(".text").all_text_contents()[0].split()[0] == word
        page.click("details:nth-of-type(1) summary")
        page.wait_for_function("() => document.querySelectorAll('details:nth-of-type(1) tbody tr').length > 1")
        page.click("details:nth-of-type(2) summary")
        page.wait_for_selector(".attention td.weight", state="attached")
        page.wait_for_function("() => document.querySelector('img')?.naturalWidth > 0")
        page.screenshot(path=tmp_path / "page.png", full_page=True)
        assert (tmp_path / "page.png").stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True])
def test_markup_is_shown_as_text_and_a_narrow_window_is_wide_enough(client, dark):
    with open_page(client.url, 360, 740, dark=dark) as page:
        page.wait_for_selector(".run h2")
        enter(page, MARKUP)
        page.click("details:nth-of-type(2) summary")
        page.wait_for_selector(".attention td.weight", state="attached")
        assert page.title() == "seq2seq"
        assert page.locator("main script, main img[onerror]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        background = "rgb(21, 24, 26)" if dark else "rgb(246, 246, 243)"
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background

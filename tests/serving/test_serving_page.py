"""The page: its files, and its behaviour in a real browser."""

import contextlib
import re
from pathlib import Path

import pytest
from browser import open_page, require_browser
from server_tools import serving, translators

from seq2seq.portable.segmentation import MAX_SEGMENT
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


def test_the_style_has_the_colours_of_exported_pages():
    """They are defined once, in a file of the other page."""
    style = page_files()["style.css"][0].decode()
    assert set(re.findall(r"var\((--[\w-]+)\)", style)) - {"--share", "--weight"} <= {
        *re.findall(r"(--[\w-]+):", style)
    }
    assert "--accent: #" not in (STATIC / "style.css").read_text("utf-8")


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


def test_text_has_the_direction_of_its_letters_and_its_language():
    assert 'dir="auto"' in (STATIC / "index.html").read_text("utf-8")
    for name in ("sentence.js", "details.js"):
        assert "inLanguage(" in (STATIC / name).read_text("utf-8")


def enter(page, text):
    """Type a text and wait for its translation."""
    page.click("#source")
    page.keyboard.insert_text(text)
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('.figures')];"
        " return all.length > 0 && all.every(each => each.textContent) }"
    )


@pytest.mark.ci
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


@pytest.mark.ci
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


SENTENCE = "The woman sells her car today, and the old man sleeps in the house."
LONG = " ".join([SENTENCE] * 20)


@pytest.mark.ci
def test_long_text_is_split_and_line_breaks_survive(client):
    assert len(LONG) > MAX_SEGMENT
    with open_page(client.url) as page:
        page.wait_for_selector(".run h2")
        enter(page, f"Where is my key?\n\n{LONG}\nWe work.")
        assert page.locator(".line").count() == 4
        assert page.locator(".line:nth-child(3) .sentence").count() == 20
        assert page.locator("#error").is_hidden()
        page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; }")
        page.click(".copy button")
        texts = ["Where is my key?", LONG, "We work."]
        first, long, last = (
            client.post("/api/translate", sentences=[text]).json["translations"][0]["text"] for text in texts
        )
        assert page.evaluate("window.copied") == f"{first}\n\n{long}\n{last}"
        page.locator(".line:nth-child(3) .sentence:nth-child(2) .figures").click()
        page.click("details:nth-of-type(2) summary")
        page.wait_for_selector(".attention td.weight", state="attached")
        page.fill("#source", "x" * 20_001)
        page.wait_for_selector("#error:not([hidden])")
        assert "too long by 1 characters" in page.locator("#error").text_content()


@pytest.mark.ci
def test_the_translation_is_copied_with_and_without_a_clipboard(client):
    with open_page(client.url) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.wait_for_selector(".run h2")
        enter(page, "We work.")
        translation = page.locator(".text").text_content()
        for remove in ("", "Object.defineProperty(navigator, 'clipboard', { value: undefined })"):
            page.evaluate("navigator.clipboard.writeText('')")
            page.evaluate("window.read = () => clipboard.readText(); window.clipboard = navigator.clipboard")
            page.evaluate(remove)
            page.focus(".copy button")
            page.keyboard.press("Enter")
            page.wait_for_selector(".copy [role=status]:not(:empty)")
            assert "copied" in page.locator(".copy [role=status]").text_content()
            assert page.evaluate("window.read()") == translation
            assert page.evaluate("document.activeElement.textContent") == "Copy translation"


@pytest.mark.ci
def test_alternatives_are_used_with_the_keyboard(client):
    with open_page(client.url) as page:
        page.wait_for_selector(".run h2")
        enter(page, "Where is my key?")
        focused = "document.activeElement.textContent"
        page.focus("button.word")
        word = page.evaluate(focused)
        page.keyboard.press("Enter")
        page.wait_for_selector(".alternatives li")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "close"
        page.keyboard.press("Tab")
        assert page.evaluate("Boolean(document.activeElement.closest('.alternatives li'))")
        page.keyboard.press("Escape")
        assert page.locator(".alternatives").count() == 0
        assert page.evaluate(focused) == word
        assert page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "false"
        page.keyboard.press("Enter")
        page.wait_for_selector(".alternatives li")
        chosen = page.locator(".alternatives li:nth-child(2) strong").text_content()
        for _ in range(3):
            page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(".word.chosen")
        assert page.evaluate(focused) == chosen


@pytest.mark.ci
def test_languages_are_named_and_text_has_its_direction(client):
    with open_page(client.url) as page:
        page.wait_for_selector(".run h2")
        assert page.locator(".languages").text_content() == "English → German"
        assert page.locator("label[for=source]").text_content().startswith("English text")
        enter(page, "Where is my key?")
        page.click("details:nth-of-type(1) summary")
        page.click("details:nth-of-type(2) summary")
        page.wait_for_selector(".attention td.weight", state="attached")
        page.wait_for_selector("details:nth-of-type(1) tbody tr")
        page.locator("button.word").first.click()
        page.wait_for_selector(".alternatives li")
        for language, selectors in {
            "en": ["#source", ".attention thead th span"],
            "de": [".text", ".alternatives strong", ".alternatives .rest", ".token", ".attention tbody th", "td div"],
        }.items():
            for selector in selectors:
                element = page.locator(selector).first
                assert (element.get_attribute("lang"), element.get_attribute("dir")) == (language, "auto"), selector
        page.fill("#source", "\u05d0\u05d9\u05e4\u05d4 \u05d4\u05de\u05e4\u05ea\u05d7?")
        assert page.evaluate("getComputedStyle(document.getElementById('source')).direction") == "rtl"


@pytest.mark.ci
def test_nothing_is_cut_off_in_320_pixels(client):
    with open_page(client.url, 320, 700) as page:
        page.wait_for_selector(".run h2")
        enter(page, "Where is my key?\nWe work.")
        for details in page.locator("summary").all():
            details.click()
        page.wait_for_selector(".attention td.weight", state="attached")
        page.wait_for_selector("details:nth-of-type(1) tbody tr")
        page.locator("button.word").first.click()
        page.wait_for_selector(".alternatives li")
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        outside = "!each.closest('.scroll, textarea, select') && each.getBoundingClientRect().right > 320"
        cut_off = f"[...document.querySelectorAll('body *')].filter((each) => {outside}).map((each) => each.outerHTML)"
        assert page.evaluate(cut_off) == []


@pytest.mark.ci
def test_a_stopped_server_is_named_and_the_page_recovers():
    """Two servers, one after the other, at the same port."""
    require_browser()
    loaded, config = translators(), ServeConfig(port=0)
    with serving(loaded, config) as client:
        config.port = int(client.url.rsplit(":")[-1])
    with contextlib.ExitStack() as first:
        client = first.enter_context(serving(loaded, config))
        with open_page(client.url, expected="ERR_") as page:
            page.wait_for_selector(".run h2")
            enter(page, "Wir.")
            first.close()
            page.fill("#source", "Wo?")
            page.wait_for_selector("#error:not([hidden])")
            message = page.locator("#error").text_content()
            assert message.startswith("The server has stopped. Start it again with: python recipes/serve.py run=")
            assert f"port={config.port}" in message
            with serving(loaded, config):
                page.wait_for_selector("#error", state="hidden")
                page.wait_for_function(
                    "() => [...document.querySelectorAll('.figures')].every((each) => each.textContent)"
                )
                assert page.locator(".text .error").count() == 0
                assert page.locator(".text").count() == 2

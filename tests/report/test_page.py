"""A page escapes any text, loads no other files, and is complete HTML."""

from base64 import b64decode
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from seq2seq.report.page import heading, page, picture, table, write_page


class Reader(HTMLParser):
    """Collects tags, texts and addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.texts, self.addresses = [], set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    assert reader.open == []
    return reader


@given(st.text(alphabet=st.sampled_from("<>&\"'/ab="), max_size=20))
def test_no_text_becomes_markup(text):
    reader = read(page(text, [heading(text, text), table([text, ""], [[text, "x"]]), picture(b"png", text)]))
    assert reader.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "div", "table", "tr",
                           "th", "td", "img"}  # fmt: skip
    if text.strip():
        assert reader.texts.count(text) == 6 - (not text)


def test_images_are_embedded_and_nothing_is_loaded():
    text = page("<script>alert(1)</script>", [picture(b"\x89PNG", "a picture")])
    (address,) = read(text).addresses
    assert b64decode(address.removeprefix("data:image/png;base64,")) == b"\x89PNG"
    assert "default-src &#x27;none&#x27;" in text
    assert "<script" not in text
    assert "http:" not in text
    assert "https:" not in text


def test_a_page_is_written_whole(tmp_path):
    write_page(tmp_path / "new" / "page.html", page("ü", []))
    assert "<title>ü</title>" in (tmp_path / "new" / "page.html").read_text(encoding="utf-8")


def test_the_direction_of_every_text_is_that_of_its_letters():
    parts = [
        heading("\u05e9\u05dc\u05d5\u05dd", "\u05d0\u05ea"),
        table(["a", "b"], [["x", "y"], ["\u05e9", "1"]], numbers=[1]),
    ]
    text = page("\u05e2\u05d1\u05e8\u05d9\u05ea", parts)
    for tag, count in {"h1": 1, "h2": 1, "p": 1, "th": 2, "td": 2}.items():
        assert text.count(f'<{tag} dir="auto">') == count, "numbers keep their alignment"

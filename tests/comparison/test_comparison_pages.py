"""Three forms of a report; text stays text."""

from html.parser import HTMLParser

from seq2seq.comparison.pages import Section, as_html, as_markdown, as_text

EVIL = '<script>alert("1")</script> | *b* `c` [d](e) & <img src=x onerror=y>\n# \x1b[31m'
TABLES = [
    Section("scores", ["a note"], [["", "BLEU"], ["runs/a", "1.0"], ["b", "12.5"]]),
    Section("sentences", [], [["line", "source"], ["7", EVIL]], sentences=True),
]


class Reader(HTMLParser):
    """What a browser would make of a page: tags, and the text of cells."""

    def __init__(self):
        super().__init__()
        self.tags, self.cells, self.inside = set(), [], False

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.inside = tag == "td"
        if self.inside:
            self.cells.append("")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, text):
        if self.inside:
            self.cells[-1] += text


def test_plain_text_has_columns_side_by_side_and_sentences_below_each_other():
    lines = as_text(TABLES).split("\n")
    assert lines[:5] == ["scores", "  a note", "           BLEU", "  runs/a    1.0", "  b        12.5"]
    assert lines[5:8] == ["", "sentences", ""]
    assert lines[8] == "  line    7"
    assert lines[9].startswith('  source  <script>alert("1")</script> | *b*')
    assert lines[9].endswith(r"\n# \x1b[31m")  # terminals do not interpret it
    assert len(lines) == 10


def test_html_in_sentences_is_shown_as_text():
    reader = Reader()
    reader.feed(as_html("<b>title</b>", TABLES))
    assert reader.tags == {
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "h1",
        "h2",
        "p",
        "div",
        "table",
        "tr",
        "th",
        "td",
    }
    assert reader.cells == ["runs/a", "1.0", "b", "12.5", "7", EVIL]


def test_markdown_syntax_is_escaped():
    page = as_markdown(TABLES)
    assert "| runs/a | 1.0 |\n| b | 12.5 |" in page
    assert "|  | BLEU |\n| --- | ---: |" in page
    (row,) = [line for line in page.split("\n") if line.startswith("| 7 ")]
    assert "<" not in row
    assert r"\| \*b\* \`c\` \[d\](e) &amp; &lt;img src=x" in row

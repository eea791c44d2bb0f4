"""A document cut into sentences and what lies between them."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.segmentation import segments

LETTER = """# A letter

  Dear Mr. Smith,

We came on the 3. May at 5.30 p.m. in the U.S. army bus. Did you see us?  "Yes!" he said. (So what.)
- one
  2) two\tand more
> He met J. Smith etc. there… and slept.
"""


def sentences(text: str, **options: bool) -> list[str]:
    return [part.text for part in segments(text, **options) if part.is_sentence]


def test_a_letter():
    assert sentences(LETTER) == [
        "A letter",
        "Dear Mr. Smith,",
        "We came on the 3. May at 5.30 p.m. in the U.S. army bus.",
        "Did you see us?",
        '"Yes!" he said.',
        "(So what.)",
        "one",
        "two",
        "and more",
        "He met J. Smith etc. there… and slept.",
    ]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("He left. She stayed.", ["He left.", "She stayed."]),
        ("He left.She stayed.", ["He left.She stayed."]),
        ("Is it 5? 7 is more! Good.", ["Is it 5?", "7 is more!", "Good."]),
        ("„Nein.“ Er ging.", ["„Nein.“", "Er ging."]),
        ("Das gilt z. B. Hunden. Ja.", ["Das gilt z. B. Hunden.", "Ja."]),
        ("Er kam am 3. Mai. Sie nicht.", ["Er kam am 3. Mai.", "Sie nicht."]),
        ("Apples, pears etc. and more.", ["Apples, pears etc. and more."]),
        ("今日は晴れ。明日は雨？はい。", ["今日は晴れ。", "明日は雨？", "はい。"]),
        ("Wait... Now go.", ["Wait...", "Now go."]),
        ("No end", ["No end"]),
        ("  ", []),
        ("---\n***\n|---|:-:|\n12:30\n1990\n- 7.\n", []),
        ("Ja. 12:30. Nein.", ["Ja.", "Nein."]),
        ("one\t two\x1fthree \t", ["one", "two", "three"]),
        ("one\rtwo\r\nthree\u2028four\x0cfive", ["one", "two", "three", "four", "five"]),
        ("one\r- two", ["one", "two"]),
        ("See:\n```python\nprint('No.')\n\nx = 1\n````\nDone.", ["See:", "Done."]),
        ("> ~~~\n> code\n> ~~~ \nDone.", ["Done."]),
        ("```\nNever closed.", ["Never closed."]),
        ("Use ```x``` here.", ["Use ```x``` here."]),
    ],
)
def test_where_sentences_end(text, wanted):
    assert sentences(text) == wanted


def test_wrapped_lines_are_read_as_one_and_lists_and_blank_lines_end_them():
    text = "The man\nsleeps. The\ndog too.\n\nA new\nparagraph\n- a point\n  of two lines\n- another"
    assert sentences(text, wrapped=True) == [
        "The man\nsleeps.",
        "The\ndog too.",
        "A new\nparagraph",
        "a point\n  of two lines",
        "another",
    ]
    assert sentences(text)[:3] == ["The man", "sleeps.", "The"]
    assert sentences("The man\r\n\tsleeps.\tThe\rdog.\n```\nno text\n```\ntoo", wrapped=True) == [
        "The man\r\n\tsleeps.",
        "The\rdog.",
        "too",
    ]


@given(
    st.text(st.sampled_from('aB .!?\n\r\t-#1)\u2028\u00a0"日。`~\x1f') | st.characters(), max_size=60), st.booleans()
)
def test_joined_again_the_parts_are_the_document(text, wrapped):
    parts = list(segments(text, wrapped=wrapped))
    assert "".join(part.text for part in parts) == text
    for part in parts:
        assert part.text
        if part.is_sentence:
            assert part.text == part.text.strip()
            assert any(map(str.isalpha, part.text))
            assert wrapped or len(part.text.splitlines()) == 1
            assert wrapped or "\t" not in part.text


LONG = {
    "periods": "." * 300_000 + "x",
    "abbreviations": "Das gilt z. B. " * 20_000,
    "marks without spaces": "。a" * 150_000,
    "fences that nothing closes": "```x\n" * 60_000,
    "fences of falling length": "\n".join("~" * length for length in range(500, 3, -1)) + "x\n~~~" * 40_000,
    "tildes": "~" * 300_000 + "`",
    "tabs": "a" + "\t" * 300_000 + "\nb",
    "indentation": " " * 100_000 + "a\n" + "b\n" * 100_000,
    "numbers": "7.\n" * 100_000,
}
"""Texts that took minutes to hours where all that has been read is looked at again at every mark."""

LINEAR = """
import sys
from seq2seq.corpora.segmentation import segments
from seq2seq.corpora.segments import aligned, stretches
text = sys.stdin.read()
for wrapped in (False, True):
    assert "".join(part.text for part in segments(text, wrapped=wrapped)) == text
parts = stretches(text)
assert "".join("".join(parts).split()) == "".join(text.split())
assert "".join("".join(source for source, _ in aligned(parts, ["x"] * 2 * len(parts))).split()) == "".join(text.split())
"""


@pytest.mark.parametrize("name", LONG)
def test_a_long_text_is_read_once(name):
    """No time is asserted: what is quadratic takes so long that it is given up."""
    subprocess.run([sys.executable, "-X", "utf8", "-c", LINEAR], input=LONG[name].encode(), check=True, timeout=60)

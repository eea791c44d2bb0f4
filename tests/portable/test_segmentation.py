"""Sentences of documents, and segments of long texts."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.portable.placeholders import PlaceholderKind, Placeholders
from seq2seq.portable.segmentation import MAX_SEGMENT, align_segments, split_document, split_long_text

LETTER = """# A letter

  Dear Mr. Smith,

We came on the 3. May at 5.30 p.m. in the U.S. army bus. Did you see us?  "Yes!" he said. (So what.)
- one
  2) two\tand more
> He met J. Smith etc. there… and slept.
"""


def sentences(text: str, **options: Any) -> list[str]:
    return [part.text for part in split_document(text, **options) if part.is_sentence]


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
    ("text", "expected"),
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
def test_sentence_ends(text, expected):
    assert sentences(text) == expected


def test_wrapped_lines_form_paragraphs_that_lists_and_blank_lines_end():
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
def test_the_joined_parts_are_the_document(text, wrapped):
    parts = list(split_document(text, wrapped=wrapped))
    assert "".join(part.text for part in parts) == text
    for part in parts:
        assert part.text
        if part.is_sentence:
            assert part.text == part.text.strip()
            assert any(map(str.isalpha, part.text))
            assert wrapped or len(part.text.splitlines()) == 1
            assert wrapped or "\t" not in part.text


HARD = {
    "periods": "." * 300_000 + "x",
    "abbreviations": "Das gilt z. B. " * 20_000,
    "marks without spaces": "。a" * 150_000,
    "unclosed fences": "```x\n" * 60_000,
    "fences of falling length": "\n".join("~" * length for length in range(500, 3, -1)) + "x\n~~~" * 40_000,
    "tildes": "~" * 300_000 + "`",
    "tabs": "a" + "\t" * 300_000 + "\nb",
    "indentation": " " * 100_000 + "a\n" + "b\n" * 100_000,
    "numbers": "7.\n" * 100_000,
}
"""Texts that take minutes to hours if every punctuation mark causes a scan of the preceding text."""

LINEAR = """
import json
import sys
from seq2seq.portable.segmentation import align_segments, split_document, split_long_text
for name, text in json.load(sys.stdin).items():
    print(name, flush=True)
    for wrapped in (False, True):
        assert "".join(part.text for part in split_document(text, wrapped=wrapped)) == text
    parts = split_long_text(text)
    assert "".join("".join(parts).split()) == "".join(text.split())
    aligned = align_segments(parts, ["x"] * 2 * len(parts))
    assert "".join("".join(source for source, _ in aligned).split()) == "".join(text.split())
"""


def test_segmentation_takes_linear_time():
    """Quadratic time would exceed the timeout by far; the output ends with the name of the text."""
    subprocess.run([sys.executable, "-c", LINEAR], input=json.dumps(HARD).encode(), check=True, timeout=60)


LONG = "The dog sees a cat, and the cat sees it. " * 100


@given(st.lists(st.sampled_from(["a", " ", "dog. ", "x" * 600, "。", "中" * 400, "\u2028", "\n"]), max_size=12))
def test_segments_contain_the_whole_text_except_white_space(parts):
    text = "".join(parts)
    segments = split_long_text(text)
    assert all(0 < len(segment) <= MAX_SEGMENT and segment.strip() for segment in segments)
    assert "".join("".join(segments).split()) == "".join(text.split())


def test_short_texts_are_one_segment_and_blank_texts_none():
    assert split_long_text(" The dog. ") == [" The dog. "]
    assert split_long_text("") == split_long_text(" \n" * MAX_SEGMENT) == []


def test_long_texts_are_split_at_sentences_then_words_then_anywhere():
    assert split_long_text(LONG) == ["The dog sees a cat, and the cat sees it."] * 100
    words = split_long_text(LONG.replace(".", ""))
    assert len(words) > 3
    assert " ".join(words) == LONG.replace(".", "").strip()
    assert [len(segment) for segment in split_long_text("x" * 2 * MAX_SEGMENT)] == [MAX_SEGMENT, MAX_SEGMENT]
    assert split_long_text("狗。" * MAX_SEGMENT) == ["狗。"] * MAX_SEGMENT
    assert split_long_text(f"1. {LONG} --- {LONG} 12:30")[99:101] == [
        "The dog sees a cat, and the cat sees it.",
        "--- The dog sees a cat, and the cat sees it.",
    ]


def test_the_first_segment_may_have_several_sentences_as_far_as_they_fit():
    assert split_long_text(LONG, first_sentences=3) == [" ".join(split_long_text(LONG)[:3]), *split_long_text(LONG)[3:]]
    assert len(split_long_text(LONG, first_sentences=1000)[0]) <= MAX_SEGMENT
    assert split_long_text(LONG, first_sentences=0) == split_long_text(LONG)


@given(st.lists(st.integers(1, 30), max_size=12), st.lists(st.integers(1, 30), max_size=12))
def test_aligned_segments_contain_everything_in_order_and_one_of_the_shorter_side_each(first, second):
    sources = ["s" * length for length in first]
    targets = [f"t{number}" + "t" * length for number, length in enumerate(second)]
    segments = align_segments(sources, targets)
    assert len(segments) == min(len(first), len(second))
    if segments:
        assert " ".join(source for source, _ in segments) == " ".join(sources)
        assert " ".join(target for _, target in segments) == " ".join(targets)
    if len(first) == len(second):
        assert segments == list(zip(sources, targets, strict=True))


def test_aligned_segments_have_similar_shares():
    assert align_segments(["a" * 10, "b" * 20], ["c" * 5, "d" * 5, "e" * 20]) == [
        ("a" * 10, "ccccc ddddd"),
        ("b" * 20, "e" * 20),
    ]


def test_every_segment_starts_with_the_tag():
    segments = split_long_text(f"<2de> {LONG}", {"<2de>"})
    assert len(segments) > 3
    assert all(segment.startswith("<2de> ") and len(segment) <= MAX_SEGMENT for segment in segments)
    assert " ".join(segment.removeprefix("<2de> ") for segment in segments) == LONG.strip()
    assert not split_long_text(f"<2fr> {LONG}", {"<2de>"})[1].startswith("<2fr>")


@pytest.mark.parametrize(
    "start",
    [
        " <2de> ",
        "<2de>\t",
        "\ufeff<2de> ",
        "\u3000<2de>\u3000",
        "\u2581<2de>\u2581",
        "\n <2de>\n",
        " \ufeff\u2028<2de>  ",
    ],
)
def test_white_space_around_the_tag_does_not_hide_it(start):
    assert split_long_text(f"{start}{LONG}", {"<2de>"}) == split_long_text(f"<2de> {LONG}", {"<2de>"})


def test_every_segment_starts_with_all_leading_tags():
    segments = split_long_text(f"<2de>  <bt>\t{LONG}", {"<2de>", "<bt>", "<é>"})
    assert {segment[:11] for segment in segments} == {"<2de> <bt> "}
    assert split_long_text(f"<e\u0301> {LONG}", {"<é>"})[1].startswith("<é> ")
    assert all(len(segment) <= MAX_SEGMENT for segment in split_long_text("<2de> " * 1000, {"<2de>"}))


@pytest.mark.parametrize("length", [MAX_SEGMENT // 2, MAX_SEGMENT, 3 * MAX_SEGMENT])
def test_a_tag_as_long_as_a_segment_is_text(length):
    tag = "t" * length
    assert all(len(segment) <= MAX_SEGMENT for segment in split_long_text(f"{tag} {LONG}", {tag}))


PROTECTED = Placeholders([PlaceholderKind.braces, PlaceholderKind.tags, PlaceholderKind.printf, PlaceholderKind.emails])
WITH_PLACEHOLDERS = [
    ("See {{ user. Name }} there. Ok %s.", ["See {{ user. Name }} there.", "Ok %s."]),
    ('Use <a title="Stop. Go"> now! <b>Go.</b> Yes.', ['Use <a title="Stop. Go"> now!', "<b>Go.</b> Yes."]),
    ('<a\ttitle="One. Two">Three.', ['<a\ttitle="One. Two">Three.']),
    ("- {{ One。 Two }} 狗。猫。", ["{{ One。 Two }} 狗。", "猫。"]),
    ("All of them. {{ X. Y }}\tA. B {x}. Yes", ["All of them.", "{{ X. Y }}", "A. B {x}.", "Yes"]),
]


@pytest.mark.parametrize(("text", "expected"), WITH_PLACEHOLDERS)
@pytest.mark.parametrize("wrapped", [False, True])
def test_no_sentence_ends_inside_a_placeholder(text, expected, wrapped):
    assert sentences(text, wrapped=wrapped, placeholders=PROTECTED) == expected
    parts = split_document(text, wrapped=wrapped, placeholders=PROTECTED)
    assert "".join(part.text for part in parts) == text


def test_a_placeholder_of_a_wrapped_paragraph_may_contain_a_line_end():
    assert sentences("A {{ b.\nC }} day. E", wrapped=True, placeholders=PROTECTED) == ["A {{ b.\nC }} day.", "E"]


@given(st.lists(st.sampled_from(["{{ a. B }}", "x. ", "Word ", ". ", '<a t="O. K">', "%s", "\t", "- ", "1. ", "{a}"])))
def test_documents_with_placeholders_are_complete(parts):
    text = "".join(parts)
    split = list(split_document(text, placeholders=PROTECTED))
    assert "".join(part.text for part in split) == text
    assert Counter(each for part in split for each in PROTECTED.find(part.text)) == Counter(PROTECTED.find(text))


def long_texts() -> list[str]:
    """Texts that would be cut inside their placeholders."""
    tag = f'<a title="{"Stop. Go " * 70}">'
    return [
        "The cat sees {{ a dog. Or }} and the cat. " * 40,
        "the cat sees {{ a dog or }} and " * 60,
        "x" * 900 + "{{ a. B }}" * 300,
        f"{'x' * 450}{tag}{tag}",
        "😀" * 495 + f"{tag} {tag}",
    ]


@pytest.mark.parametrize("text", long_texts())
def test_no_segment_of_a_long_text_ends_inside_a_placeholder(text):
    segments = split_long_text(text, placeholders=PROTECTED)
    assert len(segments) > 1
    assert all(len(segment) <= MAX_SEGMENT for segment in segments)
    assert [each for segment in segments for each in PROTECTED.find(segment)] == PROTECTED.find(text)


def test_a_placeholder_longer_than_a_segment_is_cut():
    text = "word " * 100 + f"{{{{ {'x' * 3000} }}}}" + " word" * 100
    segments = split_long_text(text, placeholders=PROTECTED)
    assert all(len(segment) <= MAX_SEGMENT for segment in segments)
    assert "".join("".join(segments).split()) == "".join(text.split())

"""Language codes, and the segmentation of a text."""

import pytest

from seq2seq.auto.statistics import read_statistics
from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.languages import (
    Segmentation,
    detect_segmentation,
    has_spaces,
    is_kind_of,
    language_named,
    language_tag,
    mismatched_segmentation,
    script,
    segmentation,
    tag_named,
    word_count,
)
from seq2seq.doctor.diagnosis import language_notes
from seq2seq.metrics.score import why_no_ter

CHINESE = "我们在厨房里工作，孩子们在花园里吃苹果。他在写一封信。"
JAPANESE = "私たちは台所で働いています。子供たちは庭でりんごを食べています。"
KOREAN = "우리는 부엌에서 일하고 아이들은 정원에서 사과를 먹는다."
THAI = "เราทำงานในครัวและเด็กๆกินแอปเปิ้ลในสวน"
KHMER = "យើងធ្វើការនៅក្នុងផ្ទះបាយ ហើយក្មេងៗញ៉ាំផ្លែប៉ោម"
GERMAN = "Wir arbeiten in der Küche, und die Kinder essen Äpfel im Garten."


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["zh", "zho", "chi", "cmn", "zh-Hant", "zh_CN", "zho_Hans", "yue"], Segmentation.chinese),
        (["ja", "jpn", "ja-JP"], Segmentation.japanese),
        (["ko", "kor"], Segmentation.korean),
        (["th", "tha", "lo", "lao", "km", "khm", "my", "mya", "bur", "bo", "dz"], Segmentation.unsegmented),
        (["de", "deu", "ger", "en", "yo", "yor", "vi", "ar", "hi", "sr", "zh-Latn", "ja-Latn"], Segmentation.spaces),
        (["", "xyzzy", "german", "no code at all", "de.UTF-8"], Segmentation.spaces),
    ],
)
def test_a_language_code_determines_the_segmentation(codes, expected):
    assert {code: segmentation(code) for code in codes} == dict.fromkeys(codes, expected)


def test_a_page_names_a_language_by_its_tag():
    codes = ("en", "deu", "zho", "zh_Hant", "yor", "chr", "", "german", "xyzzy", "de.UTF-8")
    assert [language_tag(code) for code in codes] == ["en", "de", "zh", "zh-Hant", "yo", "chr", "", "", "", ""]


def test_a_code_or_a_whole_name_names_a_language():
    names = {"vie": "vi", "pt_br": "pt-BR", "Tiếng Việt": "vi", "Twi": "tw", "Traditional Chinese": "zh-Hant"}
    kinds = {"Quechua (Cusco)": "quz", "Kurdish (Central)": "ckb"}
    assert {name: tag_named(name) for name in names | kinds} == names | kinds
    others = ("English notes", "English is hard", "Turkish.", "Guarani (revisado)", "a", "", "\0", "English" * 20)
    assert [tag_named(text) for text in others] == [None] * len(others)
    assert [language_named(text) for text in ("cmn", "Twi", "Quechua (Cusco)", "English notes")] == [
        "zh",
        "ak",
        "qu",
        None,
    ]
    assert is_kind_of("ckb", "ku")
    assert not any(is_kind_of(*pair) for pair in (("ku", "ckb"), ("en", "de"), ("foo", "en"), ("en", "foo")))


def test_an_invalid_code_has_no_script():
    assert (script("yor"), script("zh-Hant"), script("uk")) == ("Latn", "Hant", "Cyrl")
    assert [script(code) for code in ("", "german", "xyzzy", "de.UTF-8")] == [None] * 4


@pytest.mark.parametrize(
    ("text", "code"), [(CHINESE, "zh"), (JAPANESE, "ja"), (KOREAN, "ko"), (THAI, "th"), (KHMER, "km"), (GERMAN, "de")]
)
def test_the_segmentation_of_a_text_is_detected_from_its_letters(text, code):
    assert detect_segmentation([text]) is segmentation(code)
    assert detect_segmentation(["", "12:30 %", *[text] * 3, "OK 1990"]) is segmentation(code)
    assert mismatched_segmentation(code, [text]) is None
    assert mismatched_segmentation("zh" if code == "de" else "de", [text]) is segmentation(code)


MYANMAR = "\u1000\u1019\u1010\u101b\u1014\u101e\u1015\u101c\u1038\u1000\u1019\u1010\u101b"


@pytest.mark.parametrize(
    ("word", "spaced"),
    [
        (MYANMAR[:3], True),
        (MYANMAR[:10], True),
        (MYANMAR[:11], False),
        (JAPANESE, False),
        ("Donaudampfer" * 2, True),
    ],
)
def test_whether_a_text_has_spaces_is_the_same_in_the_doctor_the_scorer_and_the_choice_of_settings(word, spaced):
    lines = [f"{word} {word}"] * 30
    notes = language_notes({"source": lines, "target": []}, {})
    assert any("no spaces between words" in note for note in notes) is not spaced
    assert read_statistics([Pair(line, "") for line in ["", *lines]]).source.spaced is spaced
    if word in MYANMAR:
        assert bool(why_no_ter("my", lines)) is not spaced


def test_little_or_mixed_text_gives_no_result():
    assert (
        detect_segmentation([])
        is detect_segmentation(["Wir."])
        is detect_segmentation(["12 30 40 %%% 1990 — … 1234567890"])
        is None
    )
    assert detect_segmentation([GERMAN, CHINESE * 2]) is None
    assert mismatched_segmentation("de", ["我们"]) is None


def test_words_are_counted_by_spaces_if_the_language_has_them():
    assert has_spaces("ko")
    assert word_count("Wir  arbeiten.", "de") == 2
    assert word_count("我们 工作。", "zh") == 5
    assert word_count("", "th") == word_count("", "de") == 0

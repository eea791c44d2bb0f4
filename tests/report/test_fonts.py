"""Pictures show any script for which a font is installed, and report the others once."""

import logging

import pytest
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from seq2seq.report import fonts
from seq2seq.report.fonts import DEFAULT, drawable, use_fonts

OTHER = "STIXGeneral"
"""A font that comes with matplotlib."""


def in_other_font_only():
    """A letter that the other font has and the default font lacks."""
    default, other = (font_manager.get_font(font_manager.findfont(name)).get_charmap() for name in (DEFAULT, OTHER))
    return min(chr(code) for code in other if code not in default and chr(code).isalpha())


@pytest.fixture
def families(monkeypatch):
    """Set the installed families; no other fonts are installed meanwhile."""

    def set_families(*names):
        for function in (fonts._family_with, fonts._add_new_fonts, fonts._report_missing):
            function.cache_clear()
        monkeypatch.setattr(fonts, "_families", lambda: iter((DEFAULT, *names)))
        monkeypatch.setattr(font_manager, "findSystemFonts", list)

    yield set_families
    fonts._family_with.cache_clear()


def drawn(text):
    """The pixels of a figure with a text as title, tick label and annotation."""
    figure = Figure(figsize=(3, 2), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(drawable(text))
    axes.set_xticks([0], [drawable(text)])
    axes.annotate(drawable(text), (0, 0))
    use_fonts(figure)
    canvas.draw()
    return canvas.buffer_rgba().tobytes()


def test_the_default_font_draws_most_european_text_and_dollar_signs(families):
    families()
    assert drawable("▁Straße Ελλάδα Кириллица שלום") == "▁Straße Ελλάδα Кириллица שלום"
    assert drawable("日$x$") == r"□\$x\$"


@pytest.mark.filterwarnings("error:Glyph")
def test_a_font_that_has_the_letter_is_used(families, caplog):
    letter = in_other_font_only()
    families(OTHER)
    assert drawable(letter) == letter
    with_font = drawn(letter)
    families()
    assert drawable(letter) == fonts.MISSING
    assert drawn(letter) != with_font
    assert [record.name for record in caplog.records] == ["seq2seq.report.fonts"]


@pytest.mark.filterwarnings("error:Glyph")
def test_each_missing_script_is_one_line(families, caplog):
    families()
    for text in ("ᏣᎳᎩ", "ᎦᏬᏂᎯᏍᏗ", "日本語 ひらがな", "한국어", "कार"):
        drawn(text)
    lines = [record.getMessage() for record in caplog.records]
    assert [line.partition(": ")[0] for line in lines] == [
        f"pictures show □ for {script}" for script in ("Cherokee", "Chinese, Japanese and Korean", "Devanagari")
    ]
    assert all("install a Noto font" in line and "\n" not in line for line in lines)
    assert {record.levelno for record in caplog.records} == {logging.WARNING}


def test_nothing_is_reported_for_characters_that_no_font_can_have(families, caplog):
    families()
    assert drawable("a\x00\ue123\U000f0000") == "a□□□"
    assert not caplog.records
    drawable("🫠")
    assert "□ for some symbols" in caplog.text


def test_a_font_installed_since_is_found(families, monkeypatch):
    """matplotlib lists the fonts once and keeps the list in a file."""
    letter = in_other_font_only()
    families()
    file = font_manager.findfont(OTHER)
    known = [entry for entry in font_manager.fontManager.ttflist if entry.name != OTHER]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", known)
    monkeypatch.setattr(fonts, "_families", lambda: (entry.name for entry in font_manager.fontManager.ttflist))
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(file)])
    assert drawable(letter) == letter


def test_text_from_right_to_left_is_shaped(families):
    """Letters in the opposite order differ, and so do joined and separate Arabic letters."""
    families()
    assert drawn("שלום abc") != drawn("םולש abc")
    joined, separate = drawn("بيت"), drawn("ب\u200cي\u200cت")
    assert joined != separate


def test_figures_that_need_no_other_font_do_not_change():
    figure = Figure()
    title = figure.suptitle("Ελλάδα")
    before = title.get_fontfamily()
    use_fonts(figure)
    assert title.get_fontfamily() == before

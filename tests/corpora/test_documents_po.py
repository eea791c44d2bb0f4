"""Gettext PO: pairs of finished entries; missing translations are filled, and no other line changes."""

import io
import sys

import polib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.documents.po import PoFile, plural_forms
from seq2seq.errors import DataError

HEADER = """# Made up
msgid ""
msgstr ""
"Language: LANGUAGE\\n"
"Content-Type: text/plain; charset=UTF-8\\n"
"""
CATALOGUE = (
    HEADER.replace("LANGUAGE", "vi")
    + r"""
#. For the door
#: house.c:1
#, c-format
msgid "Key \"%s\""
msgstr ""

#| msgid "Old"
msgctxt "menu"
msgid ""
"Two\n"
"lines\n"
msgstr ""

# A long line of a translator that no program may wrap, because it was written as it is and stands for itself
msgid "The old house"
msgstr   "Ngôi nhà cũ"

#, fuzzy
msgid "The new house"
msgstr "Ngôi nhà"

msgid "one house"
msgid_plural "%d houses"
msgstr[0] ""
""
msgstr[1] ""

msgid "a key"
msgid_plural "keys"
msgstr[0] "một chìa"
msgstr[1] ""

#~ msgid "Gone"
#~ msgstr "Hết"
"""
)
FILLED = (
    CATALOGUE.replace("#, c-format", "#, fuzzy, c-format")
    .replace('%s\\""\nmsgstr ""', '%s\\""\nmsgstr "<Key \\"%s\\">"')
    .replace("#| msgid", "#, fuzzy\n#| msgid")
    .replace('"lines\\n"\nmsgstr ""', '"lines\\n"\nmsgstr ""\n"<Two\\n"\n"lines\\n"\n">"')
    .replace('msgid "one', '#, fuzzy\nmsgid "one')
    .replace('msgstr[0] ""\n""\nmsgstr[1] ""', 'msgstr[0] "<one house>"\nmsgstr[1] "<%d houses>"')
    .replace('msgid "a key', '#, fuzzy\nmsgid "a key')
    .replace('chìa"\nmsgstr[1] ""', 'chìa"\nmsgstr[1] "<keys>"')
)


def catalogue(tmp_path, text=CATALOGUE, languages=("en", "vi"), encoding="utf-8"):
    path = tmp_path / "app.po"
    path.write_bytes(text.encode(encoding))
    return PoFile(path, *languages)


def written(document):
    output = io.BytesIO()
    document.write((f"<{text}>" for text in document.sources()), output)
    return output.getvalue()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_only_missing_translations_are_written_and_marked_fuzzy(tmp_path, end, encoding):
    document = catalogue(tmp_path, CATALOGUE.replace("\n", end), encoding=encoding)
    assert written(document) == FILLED.replace("\n", end).encode(encoding)
    assert document.report == f"{document.path}: 4 of 7 entries filled and marked fuzzy"
    (tmp_path / "app.po").write_bytes(written(document))
    parsed = polib.pofile(str(tmp_path / "app.po"))
    assert len(parsed.untranslated_entries()) == 0
    assert parsed.find('Key "%s"').flags == ["fuzzy", "c-format"]


def test_finished_entries_are_pairs_and_all_others_are_counted(tmp_path):
    document = catalogue(tmp_path)
    assert list(document) == [Pair("The old house", "Ngôi nhà cũ"), Pair("a key", "một chìa")]
    assert document.note == f"{document.path}: entries left out: 1 fuzzy, 1 obsolete, 3 untranslated"
    reverse = catalogue(tmp_path, languages=("vi", "en"))
    assert list(reverse) == [Pair("Ngôi nhà cũ", "The old house"), Pair("một chìa", "a key")]


def test_plural_forms_translate_the_singular_and_the_plural(tmp_path):
    entry = 'msgid "one"\nmsgid_plural "many"\nmsgstr[0] "%s"\n'
    assert list(catalogue(tmp_path, entry % "nhiều")) == [Pair("many", "nhiều")]
    assert list(catalogue(tmp_path, entry % "").sources()) == ["many"]
    forms = entry % "jeden" + 'msgstr[1] "dwa"\nmsgstr[2] "pięć"\n'
    assert list(catalogue(tmp_path, forms)) == [Pair("one", "jeden"), Pair("many", "pięć")]
    assert list(catalogue(tmp_path, 'msgid "one"\nmsgid_plural "many"\nmsgstr[0] ""\nmsgstr[1] ""').sources()) == [
        "one",
        "many",
    ]


ARABIC = "nplurals=6; plural=n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5;"
POLISH = "nplurals=3; plural=n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<10 || n%100>=20) ? 1 : 2;"


@pytest.mark.parametrize(
    ("header", "forms"),
    [
        ("nplurals=1; plural=0;", (0, 0)),
        ("nplurals=2; plural=(n != 1);", (0, 1)),
        (" nplurals = 2 ;  plural = n>1", (0, 1)),
        ("nplurals=2; plural=n==1;", (1, 0)),
        (POLISH, (0, 2)),
        (ARABIC, (1, 4)),
        ("nplurals=4; plural=(n==1) ? 0 : (n==2) ? 1 : (n != 8 && n != 11) ? 2 : 3;", (0, 2)),
        ("nplurals=4; plural=(n%100==1 ? 1 : n%100==2 ? 2 : n%100==3 || n%100==4 ? 3 : 0);", (1, 0)),
        ("", None),
        ("nplurals=INTEGER; plural=EXPRESSION;", None),
        ("nplurals=2; plural=n==1 ? 0 : 5;", None),
        ("nplurals=2; plural=n%0;", None),
        ("nplurals=2; plural=1 + !n;", None),
        ("nplurals=2; plural=n - 5;", None),
        ("nplurals=2; plural=__import__('os').getpid();", None),
        ("nplurals=2; plural=n != 1; plural=0;", None),
        ("nplurals=2; plural=" + "(" * 200 + "n" + ")" * 200, None),
        ("nplurals=2; plural=" + "n*" * 100_000 + "n", None),
    ],
)
def test_the_header_names_the_forms_of_singular_and_plural(header, forms):
    assert plural_forms(header) == forms


@given(st.lists(st.sampled_from(["n", "1", "10", "0", *"!()?:%*/+-<>", "==", "&&", "||", " "]), max_size=12))
def test_no_header_is_an_exception(tokens):
    forms = plural_forms(f"nplurals=2; plural={''.join(tokens)};")
    assert forms is None or set(forms) <= {0, 1}


def with_plural(header, *texts):
    """A catalogue with this header, and an entry with these plural forms."""
    start = HEADER.replace("LANGUAGE", "vi") + (f'"Plural-Forms: {header}\\n"\n' if header else "")
    forms = "".join(f'msgstr[{number}] "{text}"\n' for number, text in enumerate(texts))
    return f'{start}\nmsgid "one"\nmsgid_plural "many"\n{forms}'


@pytest.mark.parametrize(
    ("header", "texts", "pairs", "sources"),
    [
        (ARABIC, "abcdef", [("one", "b"), ("many", "e")], []),
        (ARABIC, [""] * 6, None, ["many", "one", "many", "many", "many", "many"]),
        (ARABIC, ["", "b", "c", "", "", ""], [("one", "b")], ["many"] * 4),
        ("nplurals=1; plural=0;", "a", [("many", "a")], []),
        ("nplurals=2; plural=n==1;", ["", "b"], [("one", "b")], ["many"]),
        ("nplurals=2; plural=n==1;", ["a", ""], [("many", "a")], ["one"]),
        (ARABIC, "ab", [("one", "b")], []),
    ],
)
def test_plural_forms_go_by_the_header_for_reading_and_filling(tmp_path, header, texts, pairs, sources):
    text = with_plural(header, *texts)
    if pairs:
        assert list(catalogue(tmp_path, text)) == [Pair(*texts) for texts in pairs]
        assert list(catalogue(tmp_path, text, ("vi", "en"))) == [Pair(*texts[::-1]) for texts in pairs]
    assert list(catalogue(tmp_path, text).sources()) == sources


def test_all_forms_but_that_for_one_are_filled_with_the_plural(tmp_path):
    filled = with_plural(ARABIC, "<many>", "<one>", "c", "<many>", "<many>", "<many>")
    document = catalogue(tmp_path, with_plural(ARABIC, "", "", "c", "", "", ""))
    assert written(document).decode() == filled.replace('msgid "one', '#, fuzzy\nmsgid "one')


def test_forms_by_position_are_noted_where_they_may_be_wrong(tmp_path):
    position = "the first form is taken as the singular, the last as the plural"
    document = catalogue(tmp_path, with_plural("nplurals=INTEGER; plural=EXPRESSION;", "a", "b"))
    assert list(document) == [Pair("one", "a"), Pair("many", "b")]
    assert document.note == f"{document.path}: its Plural-Forms cannot be read: {position}"
    written(document)
    assert document.report.endswith(f"marked fuzzy; its Plural-Forms cannot be read: {position}")
    assert catalogue(tmp_path, with_plural("", "a", "b")).note == ""
    assert catalogue(tmp_path, with_plural(ARABIC, *"abcdef")).note == ""
    document = catalogue(tmp_path, with_plural("", "a", "b", "c"))
    assert document.note == f"{document.path}: it has no Plural-Forms: {position}"


def test_another_language_is_named(tmp_path):
    for read in (list, lambda document: list(document.sources())):
        with pytest.raises(DataError, match=r"no translation from en to de \(languages in the file: vi\)"):
            read(catalogue(tmp_path, languages=("en", "de")))


@pytest.mark.parametrize(("named", "other"), [("pt_PT", "pt-BR"), ("fat", "tw"), ("ak", "twi")])
def test_two_variants_of_a_language_keep_their_direction(tmp_path, named, other):
    text = HEADER.replace("LANGUAGE", named) + '\nmsgid "bus"\nmsgstr "autocarro"\n\nmsgid "train"\nmsgstr ""\n'
    assert list(catalogue(tmp_path, text, (other, named))) == [Pair("bus", "autocarro")]
    assert list(catalogue(tmp_path, text, (named, other))) == [Pair("autocarro", "bus")]
    assert list(catalogue(tmp_path, text, ("en", other))) == [Pair("bus", "autocarro")]
    assert list(catalogue(tmp_path, text, (other, named)).sources()) == ["train"]
    with pytest.raises(DataError, match="no text is translated"):
        catalogue(tmp_path, text, (named, other)).sources()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('msgid "a"b"\nmsgstr "b"\n', "not a readable PO file"),
        ('msgid "a"\nnonsense\n', r"not a readable PO file \(Syntax error.*line 2"),
        ('msgid "a"\nmsgstr ""\n', "no entry has a translation"),
    ],
)
def test_a_damaged_file_is_an_error_of_one_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as error:
        list(catalogue(tmp_path, text))
    assert "\n" not in str(error.value)


def test_an_encoding_without_the_letters_is_an_error(tmp_path):
    text = CATALOGUE.replace("UTF-8", "ISO-8859-1").replace("Ngôi nhà cũ", "Nhà").replace("ì", "i").replace("ộ", "o")
    document = catalogue(tmp_path, text.replace("ế", "e"), encoding="iso-8859-1")
    with pytest.raises(DataError, match="ISO-8859-1, which lacks 'ũ': convert it first: msgconv -t UTF-8"):
        document.write(iter(["cũ"] * 5), io.BytesIO())
    text = (tmp_path / "app.po").read_bytes().replace(b"ISO-8859-1", b"UTF-8")
    (tmp_path / "app.po").write_bytes(text)
    with pytest.raises(DataError, match="correct the charset in its header"):
        list(PoFile(tmp_path / "app.po", "en", "vi"))


def test_a_missing_library_is_named_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "polib", None)
    with pytest.raises(DataError, match=r"needs polib: python -m pip install .*\[documents\]"):
        list(catalogue(tmp_path))


def test_a_catalogue_without_entries_stays_as_it_is(tmp_path):
    (tmp_path / "app.po").write_text(HEADER, "utf-8")
    output = io.BytesIO()
    PoFile(tmp_path / "app.po", "en", "LANGUAGE").write(iter(()), output)
    assert output.getvalue().decode() == HEADER


def test_indented_entries_are_filled(tmp_path):
    (tmp_path / "app.po").write_text(HEADER + '\n  #, c-format\n  msgid "a"\n  msgstr ""\n', "utf-8")
    output = io.BytesIO()
    PoFile(tmp_path / "app.po", "en", "LANGUAGE").write(iter("A"), output)
    assert output.getvalue().decode() == HEADER + '\n  #, fuzzy, c-format\n  msgid "a"\n  msgstr "A"\n'

"""TMX and XLIFF: pairs, and translations written back while every other byte stays."""

import gzip
import io
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translate.storage import tmx, xliff

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.corpus_file import CorpusFile
from seq2seq.corpora.documents import markup
from seq2seq.corpora.documents.document import Document, Languages, pair, same_language
from seq2seq.corpora.documents.opening import kind_of_file
from seq2seq.corpora.documents.tmx import TmxFile, TmxReader
from seq2seq.corpora.documents.xliff import XliffFile
from seq2seq.errors import DataError

MEMORY = """<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<!-- made up -->
<tmx version="1.4"><header srclang="en-US"  o-tmf='x'/><body>
  <tu tuid="1">
    <prop type="x">kept &amp; unread</prop>
    <tuv xml:lang="en-US"><seg>The <bpt i="1">&lt;b&gt;</bpt>old<ept i="1">&lt;/b&gt;</ept> house</seg></tuv>
    <tuv xml:lang="de"><seg>Das alte Haus</seg></tuv>
    <tuv xml:lang="vi"><seg>Ngôi nhà cũ</seg></tuv>
    <tuv xml:lang="vi"><seg>Căn nhà cũ</seg></tuv>
  </tu>
  <tu><tuv xml:lang="en"><seg>Salt &amp; <hi>pep</hi>per<ph>&lt;br/&gt;</ph>here</seg></tuv></tu>
  <tu>
    <tuv xml:lang="en"><seg>Two
lines</seg></tuv>
    <tuv xml:lang="vi"><seg/></tuv>
  </tu>
  <tu><tuv xml:lang="fr"><seg>Rien</seg></tuv></tu>
</body></tmx>
"""
FILLED = MEMORY.replace(
    "here</seg></tuv>", 'here</seg></tuv><tuv xml:lang="vi"><seg>&lt;Salt &amp; pepper here&gt;</seg></tuv>'
).replace("<seg/>", "<seg>&lt;Two\nlines&gt;</seg>")

XLIFF_1 = """<?xml version='1.0'?>
<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
 <file original='a' source-language="en" target-language="vi-VN" datatype="plaintext"><body>
  <trans-unit id="1" ><source>The <g id="1">old</g> house</source><target state="final">Ngôi nhà cũ</target>
  </trans-unit>
  <trans-unit id="2">
   <source>
     Two words
   </source>
   <note>kept</note>
   <alt-trans><source>Two</source><target>Hai</target></alt-trans>
  </trans-unit>
  <trans-unit id="3"><source>Yes.</source><target  state = 'new' xml:lang="vi"/></trans-unit>
  <trans-unit id="4" translate="no"><source>seq2seq</source></trans-unit>
  <trans-unit id="5"><source>Copied</source><target state="needs-translation">Copied</target></trans-unit>
  <trans-unit id="6"><source>Draft</source><target state="needs-review-translation">Nháp</target></trans-unit>
 </body></file>
 <file source-language="fr" target-language="vi"><body>
  <trans-unit id="7"><source>Oui</source></trans-unit></body></file>
</xliff>
"""
STATE = 'state="needs-review-translation"'
FILLED_1 = (
    XLIFF_1.replace("   </source>\n", f"   </source>\n   <target {STATE}>&lt;Two words&gt;</target>\n")
    .replace("<target  state = 'new' xml:lang=\"vi\"/>", f'<target {STATE} xml:lang="vi">&lt;Yes.&gt;</target>')
    .replace('<target state="needs-translation">Copied<', f"<target {STATE}>&lt;Copied&gt;<")
)

XLIFF_2 = """<xliff xmlns="urn:oasis:names:tc:xliff:document:2.0" version="2.0" srcLang="en">
<file id="f"><unit id="1"><segment id="s" state="initial"><source>The <pc id="1">old</pc> house<ph id="2"/></source>
</segment><ignorable><source> </source></ignorable><segment><source>Yes.</source><target>Vâng.</target></segment>
</unit><unit id="2" translate="no"><segment><source>seq2seq</source></segment></unit></file>
</xliff>
"""
FILLED_2 = (
    XLIFF_2.replace('srcLang="en"', 'srcLang="en" trgLang="vi"')
    .replace('state="initial"', 'state="translated"')
    .replace("</source>\n</seg", "</source><target>&lt;The old house&gt;</target>\n</seg")
)


def segmented(first: str, second: str, alone: str, lost: str, target: str = "<target>") -> str:
    """Units in segments, as CAT programs write them, with these texts in the targets."""
    seg = '<mrk mtype="seg" mid="{}">{}</mrk>'.format
    sources = f"{seg(0, 'It <g id=' + chr(34) + '1' + chr(34) + '>rains</g>.')} {seg(1, 'We stay.')}"
    return f"""<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en" target-language="vi"><body>
<trans-unit id="1"><source>It <g id="1">rains</g>. We stay.</source>
<seg-source>{sources}</seg-source>{target}{first} {second}</target></trans-unit>
<trans-unit id="2"><source>Alone.</source>{target}{alone}</target></trans-unit>
<trans-unit id="3"><source>No. Segments.</source>{target}{lost}</target></trans-unit>
<trans-unit id="4"><source><x id="1"/></source><target><x id="1"/></target></trans-unit>
<trans-unit id="5"><source>Done.</source><target><mrk mtype="seg" mid="6">Xong.</mrk></target></trans-unit>
</body></file></xliff>
"""


XLIFF_SEGMENTS = segmented(
    '<mrk mtype="seg" mid="0"/>',
    '<mrk mid="1" mtype="seg"></mrk>',
    "<mrk mtype='seg' mid='4' />",
    '<mrk mtype="seg" mid="5"/> <mrk mtype="seg" mid="6"/>',
)
FILLED_SEGMENTS = segmented(
    '<mrk mtype="seg" mid="0">&lt;It rains.&gt;</mrk>',
    '<mrk mid="1" mtype="seg">&lt;We stay.&gt;</mrk>',
    "<mrk mtype='seg' mid='4'>&lt;Alone.&gt;</mrk>",
    "&lt;No. Segments.&gt;",
    f"<target {STATE}>",
)


def segment(mid: int | str, text: str = "") -> str:
    return f'<mrk mtype="seg" mid="{mid}">{text}</mrk>' if text else f'<mrk mtype="seg" mid="{mid}"/>'


SOURCES = f"<seg-source>{segment(0, 'It <g>rains</g>.')} {segment(1, 'We stay.')}</seg-source>"


def in_segments(targets: str, sources: str = SOURCES, state: str = "") -> str:
    """A unit of two segments with this target."""
    return f"""<xliff version="1.2"><file source-language="en" target-language="vi"><body>
<trans-unit id="1"><source>It <g>rains</g>. We stay.</source>{sources}
<target{state}>{targets}</target></trans-unit></body></file></xliff>"""


DONE, REVIEWED = Pair("It rains.", "Mưa."), f" {STATE}"
CASES = [
    pytest.param(TmxFile, MEMORY, FILLED, id="tmx"),
    pytest.param(XliffFile, XLIFF_1, FILLED_1, id="xliff1"),
    pytest.param(XliffFile, XLIFF_2, FILLED_2, id="xliff2"),
    pytest.param(XliffFile, XLIFF_SEGMENTS, FILLED_SEGMENTS, id="xliff-segments"),
]


def written(document: Document) -> bytes:
    """A copy of a document with each source in angle brackets as its translation."""
    output = io.BytesIO()
    document.write((f"<{text}>" for text in document.sources()), output)
    return output.getvalue()


@pytest.mark.parametrize(("kind", "text", "filled"), CASES)
@pytest.mark.parametrize("chunk", [3, markup.CHUNK])
@pytest.mark.parametrize(("end", "encoding"), [("\n", "utf-8"), ("\r\n", "utf-8-sig"), ("\n", "utf-16")])
def test_only_missing_translations_are_written(tmp_path, monkeypatch, kind, text, filled, chunk, end, encoding):
    monkeypatch.setattr(markup, "CHUNK", chunk)
    path = tmp_path / "file"
    path.write_bytes(text.replace("\n", end).encode(encoding))
    # A line end of XML is a line feed for a program that reads it.
    expected = filled.replace("\n", end).replace(f"Two{end}lines&gt;", "Two\nlines&gt;")
    assert written(kind(path, "en", "vi")) == expected.encode(encoding)


@pytest.mark.parametrize(("kind", "text", "filled"), CASES)
def test_a_filled_file_has_nothing_left_to_translate(tmp_path, kind, text, filled):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(filled.encode()))
    document = kind(path, "en", "vi")
    assert list(document.sources()) == []
    assert written(document) == filled.encode()


@pytest.mark.parametrize(
    ("targets", "pairs", "filled"),
    [
        # complete: one pair for each segment
        (segment(0, "Mưa.") + segment(1, "Ở lại."), [DONE, Pair("We stay.", "Ở lại.")], None),
        (segment(1, "Ở lại.") + segment(0, "Mưa."), [DONE, Pair("We stay.", "Ở lại.")], None),
        # one blank segment, also beside codes
        (segment(0, "Mưa.") + " " + segment(1), [DONE], segment(0, "Mưa.") + " " + segment(1, "&lt;We stay.&gt;")),
        (segment(0) + "<x/>" + segment(1, "A."), [Pair("We stay.", "A.")], segment(0, "&lt;It rains.&gt;") + "<x/>"
         + segment(1, "A.")),
        (segment(1, "<x/>") + segment(0, "Mưa."), [DONE], None),
        # a segment of the target is missing, or has another name
        (segment(0, "Mưa."), [DONE], None),
        (segment(0, "Mưa.") + segment(7), [DONE], None),
        (segment(0), [], "&lt;It rains. We stay.&gt;"),
        # without segments
        ("Mưa. Ở lại.", [Pair("It rains. We stay.", "Mưa. Ở lại.")], None),
    ],
)  # fmt: skip
def test_segments_are_paired_and_filled_by_their_names(tmp_path, targets, pairs, filled):
    (path := tmp_path / "file").write_text(in_segments(targets), "utf-8")
    if pairs:
        assert list(XliffFile(path, "en", "vi")) == sorted(pairs)
        assert list(XliffFile(path, "vi", "en")) == [Pair(target, source) for source, target in sorted(pairs)]
    expected = in_segments(targets) if filled is None else in_segments(filled, state=REVIEWED)
    assert written(XliffFile(path, "en", "vi")).decode() == expected


@pytest.mark.parametrize(
    "sources", ["", f"<seg-source>{segment(0, 'It rains.')} {segment(0, 'We stay.')}</seg-source>"]
)
def test_segments_without_a_source_are_no_wrong_pair(tmp_path, sources):
    (path := tmp_path / "file").write_text(in_segments(segment(0, "Mưa.") + segment(1), sources), "utf-8")
    document = XliffFile(path, "en", "vi")
    with pytest.raises(DataError, match="no text is translated"):
        list(document)
    assert written(document).decode() == path.read_text("utf-8")
    assert document.report.endswith("0 of 1 unit filled; 1 not filled: segments (<mrk>) of source and target differ")
    path.write_text(in_segments(segment(0, "Mưa.") + segment(1, "Ở lại."), sources), "utf-8")
    assert list(document) == [Pair("It rains. We stay.", "Mưa.Ở lại.")]


def test_text_around_a_single_segment_belongs_to_its_pair(tmp_path):
    (path := tmp_path / "file").write_text(in_segments("Mưa. " + segment(0, "Ở lại."), ""), "utf-8")
    assert list(XliffFile(path, "en", "vi")) == [Pair("It rains. We stay.", "Mưa. Ở lại.")]
    path.write_text(in_segments("Mưa. " + segment(0), ""), "utf-8")
    assert XliffFile(path, "en", "vi").note.endswith("left out: 1 of 1")


def test_segments_are_counted(tmp_path):
    (path := tmp_path / "file").write_text(in_segments(segment(1, "Ở lại.") + segment(0)), "utf-8")
    document = XliffFile(path, "en", "vi")
    assert document.note.endswith("units without a translation, left out: 1 of 2")
    assert STATE in written(document).decode()
    assert document.report.endswith("1 of 2 units filled; 1 translation without the inline elements of the source")
    path.write_text(in_segments(segment(1, "Ở lại.")), "utf-8")
    written(document)
    assert document.report.endswith("0 of 2 units filled; 1 not filled: segments (<mrk>) of source and target differ")


def test_a_draft_in_segments_is_no_pair_but_its_blank_and_copied_segments_are_filled(tmp_path):
    new = ' state="new"'
    draft = in_segments(segment(0, "Mưa.") + segment(1, "We stay."), state=new)
    (path := tmp_path / "file").write_text(draft, "utf-8")
    assert XliffFile(path, "en", "vi").note.endswith("left out: 2 of 2")
    filled = in_segments(segment(0, "Mưa.") + segment(1, "&lt;We stay.&gt;"), state=REVIEWED)
    assert written(XliffFile(path, "en", "vi")).decode() == filled
    path.write_text(draft.replace("<trans-unit", '<trans-unit translate="no"'), "utf-8")
    assert list(XliffFile(path, "en", "vi").sources()) == []


def test_a_memory_is_read_in_both_directions_and_with_several_translations(tmp_path):
    (path := tmp_path / "file").write_text(MEMORY, "utf-8")
    document = TmxFile(path, "en", "vi")
    assert list(document) == [Pair("The old house", "Ngôi nhà cũ"), Pair("The old house", "Căn nhà cũ")]
    assert document.note == f"{path}: units without a translation, left out: 2 of 3"
    assert list(TmxFile(path, "de", "en-GB")) == [Pair("Das alte Haus", "The old house")]
    assert document.fingerprint != TmxFile(path, "de", "en").fingerprint


def test_drafts_are_no_pairs_and_both_directions_of_xliff_can_be_read(tmp_path):
    (path := tmp_path / "file").write_text(XLIFF_1, "utf-8")
    document = XliffFile(path, "en", "vi")
    assert list(document) == [Pair("The old house", "Ngôi nhà cũ")]
    assert list(XliffFile(path, "vi", "en")) == [Pair("Ngôi nhà cũ", "The old house")]
    assert document.note.endswith("left out: 5 of 6")
    path.write_text(XLIFF_2, "utf-8")
    assert list(XliffFile(path, "en", "vi")) == [Pair("Yes.", "Vâng.")]


@pytest.mark.parametrize(("kind", "text"), [(TmxFile, MEMORY), (XliffFile, XLIFF_1), (XliffFile, XLIFF_2)])
def test_other_languages_are_named(tmp_path, kind, text):
    (path := tmp_path / "file").write_text(text, "utf-8")
    for read in (list, lambda document: list(document.sources())):
        with pytest.raises(DataError, match=r"no translation from es to ru \(languages in the file: .*en.*\)"):
            read(kind(path, "es", "ru"))


def test_files_without_a_translation_say_so(tmp_path):
    start = MEMORY.index("<tu tuid"), MEMORY.index("<tu>\n")
    (path := tmp_path / "file").write_text(MEMORY[: start[0]] + MEMORY[start[1] :], "utf-8")
    with pytest.raises(DataError, match="no text is translated from en to vi: name a file with some"):
        list(TmxFile(path, "en", "vi"))


def test_white_space_and_unclosed_comments_take_linear_time(tmp_path):
    spaces = " " * 200_000
    assert pair(f"a{spaces}b \n\u2028 c\n", "d") == (f"a{spaces}b c", "d")
    (path := tmp_path / "file").write_text("<!--" * 16_000)
    assert kind_of_file(CorpusFile(path)) is None


def test_another_program_reads_the_same(tmp_path):
    """The Translate Toolkit parses files and what is written into them with another parser."""
    (path := tmp_path / "file").write_text(MEMORY, "utf-8")
    parsed = tmx.tmxfile.parsestring(written(TmxFile(path, "en", "vi")), sourcelanguage="en", targetlanguage="vi")
    assert [unit.gettarget("vi") for unit in parsed.units[1:3]] == ["<Salt & pepper here>", "<Two\nlines>"]
    path.write_text(XLIFF_1, "utf-8")
    parsed = xliff.xlifffile.parsestring(written(XliffFile(path, "en", "vi")))
    targets = ["Ngôi nhà cũ", "<Two words>", "<Yes.>", None, "<Copied>", "Nháp", None]
    assert [unit.target for unit in parsed.units] == targets
    path.write_text(XLIFF_SEGMENTS, "utf-8")
    segments = xliff.xlifffile.parsestring(written(XliffFile(path, "en", "vi")))
    targets = ["<It rains.> <We stay.>", "<Alone.>", "<No. Segments.>"]
    assert [unit.target for unit in segments.units[:3]] == targets
    assert [unit.xmlelement.find("{*}target").get("state") for unit in parsed.units[1:3]] == [
        "needs-review-translation"
    ] * 2


TEXTS = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\ufffe\uffff"), min_size=1), min_size=1)


@given(TEXTS, st.sampled_from(["utf-8", "iso-8859-1", "utf-16"]))
def test_any_translation_is_read_back(texts, encoding):
    units = "".join(f'<tu><tuv xml:lang="en"><seg>{number}</seg></tuv></tu>' for number, _ in enumerate(texts))
    text = f'<?xml version="1.0" encoding="{encoding}"?><tmx><body>{units}</body></tmx>'
    output, reader = io.BytesIO(), TmxReader("file", Languages("en", "vi"))
    list(reader.write(io.BytesIO(text.encode(encoding)), output, iter(texts)))
    output.seek(0)
    read = [unit.pairs for unit in TmxReader("file", Languages("en", "vi")).read(output)]
    kept = [markup.NOT_XML.sub("", text) for text in texts]
    assert read == [[pair(str(number), text)] if text.strip() else [] for number, text in enumerate(kept)]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ('<!DOCTYPE tmx [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>', "declares the entity 'a'"),
        ('<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/passwd">]>', "declares the entity 'x'"),
        ('<!DOCTYPE tmx [<!ENTITY % x SYSTEM "http://localhost/x.dtd"> %x;]>', "declares the entity 'x'"),
        ("<a>" * 500, "more than 200 elements inside each other"),
        ("<!-- " + "-x" * 100_000 + " -->", "more than 100,000 bytes"),
        (f'<a b="{"x" * 200_000}"/>', "more than 100,000 bytes"),
        ("</tmx>", "line 1: damaged XML"),
    ],
)
def test_a_hostile_file_is_an_error_of_one_line(tmp_path, monkeypatch, head, message):
    monkeypatch.setattr(markup, "LONGEST", 100_000)
    path = tmp_path / "file"
    path.write_text(f"{head}{MEMORY.partition('tmx14.dtd')[2][2:]}", "utf-8")
    for read in (list, written):
        with pytest.raises(DataError, match=message) as error:
            read(TmxFile(path, "en", "vi"))
        assert "\n" not in str(error.value)


def test_an_endless_unit_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(markup, "LONGEST", 100_000)
    path = tmp_path / "file.tmx.gz"
    path.write_bytes(gzip.compress(b"<tmx><tu>" + b'<tuv xml:lang="en"><seg>a</seg></tuv>' * 400_000, 1))
    same_language("en", "vi")  # loads tables
    tracemalloc.start()
    with pytest.raises(DataError, match="more than 100,000 bytes"):
        list(TmxFile(path, "en", "vi"))
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


def test_bytes_of_another_encoding_are_an_error(tmp_path):
    (path := tmp_path / "file").write_bytes(MEMORY.encode().replace(b"Das", b"D\xe4s"))
    with pytest.raises(DataError, match="is not utf-8"):
        list(TmxFile(path, "en", "vi"))
    path.write_bytes(MEMORY.replace("utf-8", "nonsense").encode())
    with pytest.raises(DataError, match="is not nonsense"):
        list(TmxFile(path, "en", "vi"))


@pytest.mark.parametrize(
    ("wanted", "tag", "same"),
    [
        ("en", "en-US", True),
        ("en", "EN_us", True),
        ("pt-BR", "pt-PT", True),
        ("zh-Hant", "zh-TW", True),
        ("zh-Hant", "zh-CN", False),
        ("zh", "zh-TW", True),
        ("vi", "vie", True),
        ("en", "de", False),
        ("xx-none", "XX-none", True),
        ("en", "", False),
    ],
)
def test_tags_are_compared_as_languages(wanted, tag, same):
    assert same_language(wanted, tag) is same


@pytest.mark.parametrize(
    ("wanted", "other", "tags", "closest"),
    [
        ("pt-PT", "vi", ["pt-BR", "pt_pt"], {"pt_pt"}),
        ("pt-BR", "vi", ["pt-PT", "en"], {"pt-PT"}),
        ("pt-BR", "pt-PT", ["pt", "pt-PT"], {"pt"}),
        ("pt", "pt-PT", ["pt-BR", "pt-PT"], {"pt-BR"}),
        ("en", "vi", ["en-US", "en-GB", "EN"], {"EN"}),
        ("en", "vi", ["en-US", "en-GB", "de"], {"en-US", "en-GB"}),
        ("en", "en", ["en-US", "de"], {"en-US"}),
        ("tw", "fat", ["fat", "twi"], {"twi"}),
        ("tw", "fat", ["ak"], {"ak"}),
        ("tw", "fat", ["", "und", "nonsense!"], set()),
    ],
)
def test_the_exact_tag_comes_before_the_language(wanted, other, tags, closest):
    assert Languages(wanted, other).closest(wanted, tags) == closest
    assert Languages(other, wanted).closest(wanted, tags) == closest


VARIANTS = """<xliff version="1.2"><file source-language="{}" target-language="{}"><body>
<trans-unit id="1"><source>ônibus</source><target>autocarro</target></trans-unit>
<trans-unit id="2"><source>trem</source></trans-unit></body></file></xliff>"""
VARIANTS_TMX = """<tmx><body><tu><tuv xml:lang="{}"><seg>ônibus</seg></tuv>
<tuv xml:lang="{}"><seg>autocarro</seg></tuv></tu></body></tmx>"""


@pytest.mark.parametrize(("kind", "text"), [(XliffFile, VARIANTS), (TmxFile, VARIANTS_TMX)])
@pytest.mark.parametrize(("first", "second"), [("pt-BR", "pt-PT"), ("pt_BR", "pt"), ("tw", "fat"), ("twi", "ak")])
def test_two_variants_of_a_language_keep_their_direction(tmp_path, kind, text, first, second):
    (path := tmp_path / "file").write_text(text.format(first, second), "utf-8")
    assert list(kind(path, first, second)) == [Pair("ônibus", "autocarro")]
    assert list(kind(path, second, first)) == [Pair("autocarro", "ônibus")]


def test_a_file_in_the_target_variant_is_not_translated(tmp_path):
    (path := tmp_path / "file").write_text(VARIANTS.format("pt-BR", "pt-PT"), "utf-8")
    assert list(XliffFile(path, "pt-BR", "pt-PT").sources()) == ["trem"]
    assert list(XliffFile(path, "pt-PT", "pt-BR").sources()) == []
    path.write_text(VARIANTS.replace(' target-language="{}"', "").format("pt-BR"), "utf-8")
    assert list(XliffFile(path, "pt-BR", "pt-PT").sources()) == ["trem"]
    with pytest.raises(DataError, match="no text is translated from pt-PT to pt-BR"):
        list(XliffFile(path, "pt-PT", "pt-BR").sources())


@pytest.mark.parametrize(
    ("inline", "text"),
    [
        # codes that begin or end a format stand inside words
        ('Un<bx id="1"/>believ<ex id="1"/>able', "Unbelievable"),
        ("A<sc/>b<ec/>c<it>&lt;b&gt;</it>d<bpt>{</bpt>e<ept>}</ept>f<g>g</g>h", "Abcdefgh"),
        # codes that stand for something separate words
        ('one<x id="1"/>two<ph>&lt;br/&gt;</ph>three<ut/>four', "one two three four"),
        ("one<x/><bx/><x/>two, <x/>three<x/>.", "one two, three."),
        ("हिन्दी<x/>भाषा ọ̀<x/>kan 한국어<x/>말", "हिन्दी भाषा ọ̀ kan 한국어 말"),
        # but not where a script has no spaces between words
        ("ลง<ph/>ตอน<it/>นี้<x/>ที่<x/>ๆ", "ลงตอนนี้ที่ๆ"),
        ("我们<x/>工作 はた<x/><ph/>らく 漢<x/>ナ ဒီ<x/>မှာ", "我们工作 はたらく 漢ナ ဒီမှာ"),
        ("Linux<x/>ระบบ<x/>one", "Linux ระบบ one"),
    ],
)
def test_an_inline_element_separates_words_only_where_words_are_separated(tmp_path, inline, text):
    (path := tmp_path / "file").write_text(MEMORY.replace("Two\nlines", inline), "utf-8")
    assert list(TmxFile(path, "en", "vi").sources())[1] == text
    (path := tmp_path / "file").write_text(in_segments("", "").replace("It <g>rains</g>. We stay.", inline), "utf-8")
    assert list(XliffFile(path, "en", "vi").sources()) == [text]

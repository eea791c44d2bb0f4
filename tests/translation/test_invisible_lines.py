"""Lines of invisible characters are empty lines: nothing is invented for them."""

import pytest
from translators import translator

from seq2seq.corpora.corpus import Pair
from seq2seq.corpora.mixture import add_tag
from seq2seq.metrics.suspicious import count_outputs
from seq2seq.portable.segmentation import split_long_text
from seq2seq.translation.documents import translate_document
from seq2seq.translation.synthetic_text import SyntheticPairs, back_translate, distill, write_pairs

INVISIBLE = ["\u200b", "\ufeff", "\x00", "\u200e \u200d", "\u2581", "\u00ad" * 3_000]


@pytest.mark.parametrize("line", INVISIBLE, ids=ascii)
def test_they_have_empty_translations(line):
    own = translator()
    given = own.translate(["Wir.", line, "Wir."])
    assert given[1].text == ""
    assert given[1].tokens == ()
    assert given[0].text == given[2].text != ""
    assert [each.text for each in own.stream(line)] == [""]
    assert own.translate(line, n_best=2).text == ""
    assert add_tag(line, "<2de>") == line
    assert split_long_text(line) == []
    assert translate_document(own, f"Wir.\n{line}\n").split("\n")[1] == line


def test_they_are_no_training_text(tmp_path):
    own, pairs = translator(), [Pair(line, "Das Haus.") for line in INVISIBLE]
    nothing = [SyntheticPairs([])] * len(INVISIBLE)
    assert list(distill(own, pairs, search=own.search, tag="<2de>")) == nothing
    assert list(distill(own, pairs, search=own.search, closest=True)) == nothing
    assert list(back_translate(own, INVISIBLE, own.search, tag="<2de>")) == nothing
    groups = [SyntheticPairs([Pair(line, "We."), Pair("Wir.", line)]) for line in INVISIBLE]
    report = write_pairs([*groups, SyntheticPairs([Pair("\ufeffWir.", "We.")])], tmp_path / "written")
    assert f"dropped {len(INVISIBLE)} that are blank" in report
    assert (tmp_path / "written" / "source.txt").read_bytes() == b"Wir.\n"


def test_they_are_counted_as_blank():
    counts = count_outputs([("Wir.", "\u200b", True), ("\ufeff", "Wir.", True)])
    assert (counts.sentences, counts.blank) == (1, 1)
    scored = translator().score("\u200b", "\ufeff")
    assert scored.tokens == ()

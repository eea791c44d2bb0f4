"""All checks on corpora with one problem of each kind."""

import random
import unicodedata
from itertools import pairwise

import numpy as np
import pytest

from seq2seq.corpora.builtin import BuiltinCorpus
from seq2seq.corpora.config import BuiltinConfig, Split
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.files import TextFiles
from seq2seq.doctor import diagnosis, reading
from seq2seq.doctor.diagnosis import diagnose, language_notes, merge_findings, sample_statistics
from seq2seq.doctor.findings import Finding
from seq2seq.doctor.reasons import Reason, Remedy
from seq2seq.errors import DataError


def clean_pairs(count: int) -> list[Pair]:
    """Distinct sentences of the built-in corpus in random order."""
    pairs = list(
        {pair.source: pair for pair in BuiltinCorpus(BuiltinConfig(train_size=2 * count), Split.train)}.values()
    )
    random.Random(1).shuffle(pairs)
    return pairs[:count]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return clean_pairs(900)


def findings(corpora: dict[str, list[Pair]]) -> dict[str, dict[Reason, list[int]]]:
    lists = {name: PairList(name, pairs) for name, pairs in corpora.items()}
    return {
        result.name: {finding.reason: finding.rows.tolist() for finding in result.findings if len(finding.rows)}
        for result in diagnose(lists, max_length=400, max_ratio=3.0)
    }


def test_each_problem_is_found_in_its_row(pairs, monkeypatch):
    monkeypatch.setattr(reading, "BLOCK_PAIRS", 100)
    train = list(pairs[:700])
    train[110] = Pair("", train[110].target)
    train[120] = Pair(train[120].source + "\u2028", train[120].target)
    train[130] = Pair(train[130].source, "Der MÃ¤nner grÃ¼n sieht.")
    train[240] = Pair(train[240].target, train[240].source)
    train[250] = Pair(train[250].source, train[251].source)
    train[260] = Pair(train[260].source, train[260].source)
    train[370] = Pair(train[370].source + " word" * 90, train[370].target)
    train[380] = train[101]
    train[390] = Pair(train[102].source, train[103].target)
    train[400] = Pair(train[400].source, train[400].target + "\udcf6")
    validation = [*pairs[700:800], train[5]]
    test = [*pairs[800:], Pair(train[6].source, "Ganz anders übersetzt.")]
    reports = findings({"train": train, "validation": validation, "test": test})
    report = reports["train"]
    assert report.pop(Reason.ratio, [370]) == [370]
    assert {102, 390} <= set(report.pop(Reason.several_targets))
    assert {103, 390} <= set(report.pop(Reason.several_sources))
    assert report == {
        Reason.blank: [110],
        Reason.separators: [120],
        Reason.mojibake: [130],
        Reason.exchanged: [240],
        Reason.other_language: [250],
        Reason.copied: [260],
        Reason.too_long: [370],
        Reason.duplicate: [380],
        Reason.invalid_utf8: [400],
        Reason.overlap: [5],
        Reason.overlap_source: [6],
    }
    for name in ("validation", "test"):
        assert reports[name].keys() <= {Reason.several_sources, Reason.several_targets}


def test_every_corpus_is_compared_with_the_held_out_sets_in_any_order(pairs):
    reports = findings({"train": pairs[:200], "validation": pairs[200:300], "more[0]": pairs[250:350]})
    assert list(reports) == ["train", "validation", "more[0]"]
    assert Reason.overlap not in reports["train"]
    assert reports["more[0]"][Reason.overlap] == list(range(50))


def test_a_set_with_exchanged_sides_is_found_with_the_others(pairs):
    exchanged = [Pair(target, source) for source, target in pairs[700:800]]
    assert len(findings({"train": pairs[:700], "test": exchanged})["test"][Reason.exchanged]) > 90


def test_an_empty_corpus_is_reported(pairs):
    nothing, full = PairList("nothing", []), PairList("full", pairs)
    empty, other = diagnose({"train": nothing, "validation": full}, max_length=400, max_ratio=3.0)
    assert (empty.pairs, other.pairs) == (0, len(pairs))
    assert "nothing has no lines" in empty.notes[0]


def test_two_sides_of_one_language_are_noted(pairs):
    same = PairList("same", [Pair(first.source, second.source) for first, second in pairwise(pairs)])
    (result,) = diagnose({"train": same}, max_length=400, max_ratio=3.0)
    assert result.notes[0].endswith(
        "too similar; if their languages are not, many pairs have source and target exchanged"
    )
    equal = PairList("equal", [Pair(pair.source, pair.source) for pair in pairs])
    (result,) = diagnose({"train": equal}, max_length=400, max_ratio=3.0)
    assert result.notes[0].endswith("too similar")


def test_a_side_in_another_script_than_its_language_is_noted(pairs):
    chinese = PairList("chinese", [Pair(pair.source, "我们在厨房里工作。") for pair in pairs[:50]])
    for target, words in (("de", "the target side looks like Chinese, zh, but data.target_language=de"), ("zho", "")):
        (result,) = diagnose(
            {"train": chinese}, max_length=400, max_ratio=3.0, codes={"source": "en", "target": target}
        )
        notes = [note for note in result.notes if "looks like" in note]
        assert len(notes) == bool(words)
        assert all(words in note for note in notes)
    assert language_notes({"source": [], "target": []}, {"source": "english", "target": "de"}) == [
        "data.source_language=english is not a language code: set an ISO 639 or BCP 47 code, such as de, deu "
        "or zh-Hant (data.source_column selects a column)"
    ]


def test_statistics_come_from_a_sample(pairs, monkeypatch):
    monkeypatch.setattr(diagnosis, "SAMPLE_PAIRS", 2 * diagnosis.BLOCK_PAIRS)
    reads = []

    class Long(PairList):
        def __iter__(self):
            for number in range(100):
                reads.append(number)
                yield from self.pairs * 10

    model, _ = sample_statistics([Long("long", pairs)])
    assert model.separable
    assert len(reads) <= 2


def test_findings_of_one_kind_are_merged():
    def finding(reason: Reason, *numbers: int, side: str = "", note: str = "") -> Finding:
        return Finding(reason, np.array(numbers), side, note=note)

    blanks = finding(Reason.blank, 2, side="target", note="a"), finding(Reason.blank, 7, side="target")
    merged = merge_findings([finding(Reason.ratio, 1), *blanks])
    assert [(part.reason, part.side, part.rows.tolist(), part.note) for part in merged] == [
        (Reason.blank, "target", [2, 7], "a"),
        (Reason.ratio, "", [1], ""),
    ]


def test_every_reason_has_a_meaning_and_a_remedy():
    assert all(reason.meaning and reason.remedy in Remedy for reason in Reason)


def test_text_is_compared_as_training_sees_it(pairs):
    """NFD copies of test sentences, and duplicates that differ only in spaces."""
    train, words = list(pairs[:300]), "Der Käse schmeckt größer."
    test = [Pair("The cheese is great.", words), *pairs[600:700]]
    train[10] = Pair("The  cheese is great. ", unicodedata.normalize("NFD", words))
    train[20] = Pair(f" {train[5].source}", train[5].target.replace(" ", "  "))
    train[30] = Pair("\u200b\ufeff", train[30].target)
    report = findings({"train": train, "test": test})["train"]
    assert report[Reason.overlap] == [10]
    assert report[Reason.duplicate] == [20]
    assert report[Reason.blank] == [30]
    assert report[Reason.not_nfc] == [10]


def test_a_corpus_without_spaces_is_noted():
    thai = PairList("thai", [Pair(f"the number is {n}", f"จำนวนนี้คือเลขที่ไม่มีช่องว่าง{n}") for n in range(70)])
    (result,) = diagnose({"train": thai}, max_length=400, max_ratio=3.0, codes={"source": "en", "target": "th"})
    assert any("target side has no spaces between words: lengths are in characters" in note for note in result.notes)
    assert not any("source side has no spaces" in note for note in result.notes)


def test_files_that_are_no_text_are_named_and_the_others_checked(tmp_path, pairs):
    files = {name: (tmp_path / f"{name}.en", tmp_path / f"{name}.de") for name in ("train", "test")}
    for paths in files.values():
        for path, side in zip(paths, zip(*pairs[:70], strict=True), strict=True):
            path.write_text("".join(f"{line}\n" for line in side), "utf-8")
    files["test"][0].write_text("".join(f"{pair.source}\n" for pair in pairs[:70]), "utf-16")
    files["train"][1].write_bytes(files["train"][1].read_bytes().replace(b"\n", b"\r"))
    train, test = diagnose({n: TextFiles(*f) for n, f in files.items()}, max_length=400, max_ratio=3.0)
    assert train.pairs == 70
    assert any("train.de: lines end in carriage returns; fix=true writes UTF-8" in note for note in train.notes)
    assert test.pairs == 0
    assert "UTF-16" in test.notes[0]
    with pytest.raises(DataError, match="UTF-16"):
        diagnose({"test": TextFiles(*files["test"])}, max_length=400, max_ratio=3.0)


def test_large_corpora_are_checked_without_their_text(pairs, monkeypatch):
    monkeypatch.setattr(diagnosis, "SMALL", 100)
    (result,) = diagnose({"train": PairList("large", pairs)}, max_length=400, max_ratio=3.0)
    assert any("900 pairs are more than 100" in note for note in result.notes)

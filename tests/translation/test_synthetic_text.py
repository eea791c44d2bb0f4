"""Synthetic text: distillation, back-translation and atomic files."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from translators import randomize

from seq2seq import Translator
from seq2seq.corpora.corpus import Pair
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.run.folder import load_run
from seq2seq.search import Method, SearchConfig
from seq2seq.system.atomic import temporary_path
from seq2seq.translation.io import with_progress
from seq2seq.translation.synthetic_text import SyntheticPairs, back_translate, distill, rank_by_bleu, write_pairs

PAIRS = [Pair("We work.", "Wir arbeiten."), Pair("", ""), Pair("Where is my key?", "Wo ist mein Schlüssel?")]


@pytest.fixture(scope="module")
def translator(tiny_run: Path) -> Translator:
    return random_translator(tiny_run)


def random_translator(run: Path, ending: float = 4.0) -> Translator:
    """Return a translator of the run with random weights whose translations differ and end."""
    loaded = load_run(run)
    randomize(loaded.network, ending)
    return Translator([loaded.member(torch.device("cpu"), "float32")], loaded.search)


def made(*groups: list[Pair]) -> list[SyntheticPairs]:
    return [SyntheticPairs(group) for group in groups]


def test_distilled_targets_are_the_teachers_translations(translator):
    groups = [group.pairs for group in distill(translator, iter(PAIRS), search=translator.search.beam(2))]
    assert groups[1] == []
    assert groups[0]
    for pair, group in zip(PAIRS[::2], groups[::2], strict=True):
        assert group == [Pair(pair.source, str(translator.translate(pair.source, beam_size=2)))]


def test_distilled_n_best_are_unique_and_ranked(translator):
    groups = distill(translator, PAIRS, search=translator.search.beam(4), n_best=3)
    for pair, group in zip(PAIRS, groups, strict=True):
        best = [
            alternative.text
            for alternative in translator.translate(pair.source, beam_size=4, n_best=3).n_best
            if alternative.finished
        ]
        assert [target for _, target in group.pairs] == list(dict.fromkeys(text for text in best if text))
        assert not pair.source or len(best) + group.unfinished == 3


def test_unfinished_translations_are_dropped_and_counted(tiny_run):
    endless = random_translator(tiny_run, -1000.0)
    for groups in (
        distill(endless, PAIRS, search=SearchConfig(beam_size=3), n_best=2),
        back_translate(endless, [pair.target for pair in PAIRS], SearchConfig(beam_size=3, n_best=2)),
    ):
        assert list(groups) == [SyntheticPairs([], 2), SyntheticPairs([], 0), SyntheticPairs([], 2)]


def test_closest_is_chosen_from_the_whole_beam(translator):
    """The reference is the last translation of the beam itself, so it is the closest."""
    beam = [
        alternative.text
        for alternative in translator.translate("We work.", beam_size=4, n_best=4).n_best
        if alternative.finished
    ]
    assert len({text for text in beam if text}) > 1, "the test needs this case"
    expected = [text for text in beam if text][-1]
    (group,) = distill(translator, [Pair("We work.", expected)], search=translator.search.beam(4), closest=True)
    assert group.pairs == [Pair("We work.", expected)]


def test_tag_is_for_the_teacher_only(translator):
    (group,) = distill(translator, [PAIRS[2]], search=translator.search.beam(2), tag="<2de>")
    assert group.pairs[0].source == "Where is my key?"
    assert group.pairs[0].target == str(translator.translate("<2de> Where is my key?", beam_size=2))


def test_n_best_above_beam_size_raises(translator):
    with pytest.raises(ConfigError, match="n_best must be at most beam_size, 2, got 3"):
        list(distill(translator, PAIRS, search=translator.search.beam(2), n_best=3))


def test_back_translation_keeps_authentic_targets(translator):
    texts = iter(["We work.", " ", "She sleeps."])
    groups = [group.pairs for group in back_translate(translator, texts, translator.search.beam(1), tag="<2en>")]
    assert groups[1] == []
    assert groups[2] == [Pair(str(translator.translate("<2en> She sleeps.", beam_size=1)), "She sleeps.")]


def test_back_translation_reads_lazily(translator, monkeypatch):
    monkeypatch.setattr("seq2seq.translation.batching.CHUNK", 4)
    read = 0

    def endless() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "We work."

    groups = back_translate(translator, endless(), translator.search.beam(1))
    assert len([next(groups) for _ in range(6)]) == 6
    assert read == 8


def test_ranking_by_sentence_bleu():
    reference = "a dog runs over the green grass"
    texts = ["nothing alike here", "a dog runs over the brown grass", reference, "the grass a dog runs"]
    assert rank_by_bleu(texts, reference) == [reference, texts[1], texts[3], texts[0]]


def test_ranking_uses_the_languages_tokenizer():
    reference, texts = "我们在厨房里工作。", ["他们不在。", "我们在厨房里睡觉。", "我们在厨房里工作。"]
    assert rank_by_bleu(texts, reference, "zh") == texts[::-1]


def test_distillation_uses_the_search_method(translator):
    """Sampling methods work too, and the closest is chosen from all samples."""
    search = SearchConfig(method=Method.minimum_bayes_risk, samples=6, seed=3)
    (group,) = distill(translator, [PAIRS[0]], search=search)
    assert group.pairs == [Pair("We work.", str(translator.translate("We work.", search=search)))]
    samples = translator.translate("We work.", search=replace(search, n_best=6)).n_best
    expected = [sample.text for sample in samples if sample.text and sample.finished][-1]
    (group,) = distill(translator, [Pair("We work.", expected)], search=search, closest=True)
    assert group.pairs == [Pair("We work.", expected)]
    with pytest.raises(ConfigError, match=r"n_best must be at most search\.samples, 6, got 7: set search\.samples=7"):
        list(distill(translator, PAIRS, search=search, n_best=7))
    sampling = SearchConfig(method=Method.sampling)
    (group,) = distill(translator, [PAIRS[0]], search=sampling, n_best=3)
    assert 1 <= len(group.pairs) + group.unfinished <= 3


def test_files_are_aligned_and_empty_pairs_are_dropped(tmp_path):
    groups = [[Pair("a", "b"), Pair("a", "c")], [], [Pair("d", " ")], [Pair("e\u2028f\r", "g\nh")]]
    assert write_pairs(map(SyntheticPairs, groups, [2, 1, 0, 0]), tmp_path / "made" / "here") == (
        "3 pairs from 4 sentences; dropped 2 that are blank or have no translation; left out 3 translations that did "
        "not end within the maximum length"
    )
    folder = tmp_path / "made" / "here"
    assert (folder / "source.txt").read_text() == "a\na\ne f\n"
    assert (folder / "target.txt").read_text() == "b\nc\ng h\n"
    assert sorted(path.name for path in folder.iterdir()) == ["source.txt", "target.txt"]
    assert [path.name for path in folder.parent.iterdir()] == ["here"]


def test_writing_pairs_shows_progress(tmp_path, capsys):
    write_pairs(with_progress(made([Pair("a", "b")], []), 2, "translating"), tmp_path / "one")
    assert "translating: 100%" in capsys.readouterr().err
    write_pairs(with_progress(made([Pair("a", "b")], []), None, "translating"), tmp_path / "two")
    assert "translating: 2sentence" in capsys.readouterr().err


@given(groups=st.lists(st.lists(st.builds(Pair, st.text(), st.text()), max_size=2), max_size=5))
def test_both_files_have_the_same_number_of_lines_for_any_text(tmp_path_factory, groups):
    folder = tmp_path_factory.mktemp("made") / "out"
    try:
        report = write_pairs(made(*groups), folder)
    except DataError:
        return
    counts = [(folder / name).read_bytes().count(b"\n") for name in ("source.txt", "target.txt")]
    assert counts[0] == counts[1] == int(report.split()[0])


def test_failed_write_leaves_nothing(tmp_path):
    def broken() -> Iterator[SyntheticPairs]:
        yield SyntheticPairs([Pair("a", "b")])
        assert not (tmp_path / "out").exists(), "the file appears when it is complete"
        raise DataError("line 2 is not UTF-8")

    with pytest.raises(DataError, match="line 2"):
        write_pairs(broken(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_killed_process_are_ignored(tmp_path):
    left = temporary_path(tmp_path / "out")
    left.mkdir()
    temporary_path(left / "source.txt").write_text("half a li")
    (tmp_path / "out.tmp").mkdir()  # a file of another program
    write_pairs(made([Pair("a", "b")]), tmp_path / "out")
    assert {path.name for path in tmp_path.iterdir()} == {"out", "out.tmp"}
    assert (tmp_path / "out" / "source.txt").read_text() == "a\n"


def test_no_pairs_raise_and_leave_nothing(tmp_path):
    with pytest.raises(DataError, match=r"none of 2 sentences has a translation"):
        write_pairs(made([], []), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_existing_files_are_kept_and_detected_before_translating(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "source.txt").write_text("precious\n")

    def never() -> Iterator[SyntheticPairs]:
        raise AssertionError
        yield SyntheticPairs([])

    for folder in (tmp_path / "out", tmp_path / "out" / "source.txt"):
        with pytest.raises(RunError, match=r"already exists: delete it, or choose another folder with output=PATH"):
            write_pairs(never(), folder)
    with pytest.raises(RunError, match="is not a folder: choose another with output=PATH"):
        write_pairs(never(), tmp_path / "out" / "source.txt" / "below")
    assert (tmp_path / "out" / "source.txt").read_text() == "precious\n"
    (tmp_path / "empty").mkdir()
    write_pairs(made([Pair("a", "b")]), tmp_path / "empty")
    assert (tmp_path / "empty" / "target.txt").read_text() == "b\n"

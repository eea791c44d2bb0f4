"""Splits: sizes, groups, seeds, refusals, and files."""

import shlex
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config.hydra import compose_train
from seq2seq.corpora.config import DataConfig, Split, SplitConfig
from seq2seq.corpora.corpus import Corpus, Pair
from seq2seq.corpora.monolingual import TargetSide
from seq2seq.corpora.near_copies import group_pairs, normalized
from seq2seq.corpora.reading import names_corpus, read_corpora, read_split, split_file
from seq2seq.corpora.splitting import split_groups, wanted_pairs, write_sets
from seq2seq.errors import ConfigError, DataError, RunError


def word(number: int) -> str:
    """Different letters for different numbers, unlike each other."""
    return "".join("bdfgklmnprstvwz"[number // 15**place % 15] + "aeiou"[place] for place in range(5))


def different_pairs(count: int) -> list[Pair]:
    return [Pair(f"{word(number)}.", f"{word(number).upper()}!") for number in range(count)]


@pytest.mark.parametrize(("count", "held_out"), [(3, 1), (9, 1), (50, 10), (200, 10), (1000, 50)])
def test_pairs_are_split_by_the_seed_and_none_is_lost(count, held_out):
    pairs = different_pairs(count)
    corpus = Corpus.from_pairs("words", pairs)
    split = corpus.split()
    train, validation, test = map(list, split)
    assert [len(train), len(validation), len(test)] == [count - 2 * held_out, held_out, held_out]
    assert sorted(train + validation + test) == sorted(pairs)
    assert test == [pair for pair in pairs if pair in test]
    assert list(Corpus.from_pairs("again", pairs).split().test) == test
    if count > 20:
        assert list(corpus.split(seed=2).test) != test
        assert split.test.fingerprint != corpus.split(seed=2).test.fingerprint
    assert len({part.fingerprint for part in split}) == 3


def test_monolingual_text_is_split_by_its_sentences():
    pairs = different_pairs(50)
    parts = [list(part) for part in TargetSide(Corpus.from_pairs("words", pairs)).split(10, 10)]
    assert [len(part) for part in parts] == [30, 10, 10]
    assert sorted(pair for part in parts for pair in part) == sorted(Pair("", pair.target) for pair in pairs)


def test_pairs_with_a_blank_side_are_in_no_set():
    pairs = different_pairs(50)
    blank = [Pair("Yes.", ""), Pair("\u200b", "Nein."), Pair("", "")]
    split = Corpus.from_pairs("words", [*blank, *pairs]).split()
    assert sorted(pair for part in split for pair in part) == sorted(pairs)
    assert (split.report.pairs, split.report.blank) == (50, 3)
    assert "split 50 pairs (3 others with a blank side left out): " in str(split)
    assert [list(part) for part in split] == [list(part) for part in Corpus.from_pairs("words", pairs).split()]
    with pytest.raises(DataError, match="every pair has a blank side"):
        Corpus.from_pairs("words", blank).split()


@pytest.mark.parametrize(("pairs", "held_out"), [(100_000, 2000), (20_000, 1000), (100, 10), (12, 2)])
def test_without_sizes_validation_and_test_get_a_twentieth_within_bounds(pairs, held_out):
    wanted = wanted_pairs(None, pairs, "words")
    assert list(wanted.values()) == [pairs - 2 * held_out, held_out, held_out]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((90, 5, 5), [180, 10, 10]),
        ((0.8, 0.1, 0.1), [160, 20, 20]),
        ((98, 1.5, 0.5), [196, 3, 1]),
        ((95, 5, 0), [190, 10, None]),
        ((20, 30), [150, 20, 30]),
        ((120, 20, 10), [120, 20, 10]),
    ],
)
def test_sizes_are_percentages_or_counts(sizes, expected):
    split = Corpus.from_pairs("words", different_pairs(200)).split(*sizes)
    assert [None if part is None else part.expected_pairs() for part in split] == expected
    assert [split.report.train, split.report.validation, split.report.test] == [size or 0 for size in expected]


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        ((90, 10), r"data\.split=\[90,10\] could be percentages or counts: .*; \[90,10,0\] has no test"),
        ((90, 5, 6), r"data\.split=\[90,5,6\] are neither percentages"),
        ((90.5, 5.5), r"neither percentages, which sum to 100, nor numbers of pairs: give percentages"),
        ((float("inf"), 5), "is not a split"),
        ((float("nan"), 5), "is not a split"),
        ((100,), r"data\.split=\[100\] is not a split"),
        ((0, 50, 50), "is not a split"),
        ((110, -5, -5), "is not a split"),
    ],
)
def test_other_sizes_are_refused(sizes, words):
    with pytest.raises(ConfigError, match=words) as error:
        Corpus.from_pairs("words", different_pairs(200)).split(*sizes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("pairs", "sizes", "words"),
    [
        (different_pairs(2), (), "words: 2 pairs cannot be split into train, validation and test: pass at least 3"),
        (
            different_pairs(20),
            (15, 10),
            "words has 20 pairs, too few for 15 validation and 10 test pairs: ask for fewer",
        ),
        (
            [("One.", "Eins."), ("one", "1 eins"), ("One?", "Ein")] * 50,
            (90, 5, 5),
            "its 150 pairs form 1 group, the largest of 150 pairs, so validation gets 0 of 8 pairs: add other pairs",
        ),
        ([*different_pairs(4)] * 50, (90, 5, 5), "its 200 pairs form 4 groups, the largest of 50 pairs, so validation"),
        ([*different_pairs(4)] * 50, (90, 5, 5), ": add other pairs, ask for larger sets, or choose the sets yourself"),
        (
            [Pair("One.", "Eins.")] * 90,
            (8, 8),
            ": add other pairs, or choose the sets yourself with data.train.file=… ",
        ),
        (
            [*([Pair("One.", "Eins.")] * 970), *different_pairs(30)],
            (500, 400),
            ": add other pairs, ask for smaller sets such as data.split=[15,15], or choose the sets yourself",
        ),
    ],
)
def test_a_corpus_that_cannot_be_split_is_refused_in_one_line(pairs, sizes, words):
    with pytest.raises(DataError) as error:
        Corpus.from_pairs("words", pairs).split(*sizes)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_an_error_names_the_columns_that_were_read(tmp_path: Path):
    rows = [f"Luke\tverse\t{pair.source}\n" for pair in different_pairs(30)]
    (tmp_path / "a.tsv").write_text("".join(rows))
    with pytest.raises(DataError, match=r"form 1 group, .*\(.*a\.tsv: the first two of 3 columns are read as source"):
        Corpus.read(tmp_path / "a.tsv").split()


@given(st.lists(st.integers(0, 60), min_size=40, max_size=300), st.integers(0, 99))
def test_a_group_is_in_one_set(numbers, seed):
    groups = np.unique(numbers, return_inverse=True)[1]
    try:
        parts, report = split_groups(groups, groups, [80, 10, 10], seed, "numbers")
    except DataError:
        assert np.bincount(groups).max() > 1
        return
    for group in range(groups.max() + 1):
        assert len(set(parts[groups == group])) == 1
    for wanted, got in ((len(numbers) / 10, report.validation), (len(numbers) / 10, report.test)):
        assert (wanted - 1) / 2 <= got <= wanted + 1
    assert report.train + report.validation + report.test == len(numbers)


def test_no_near_copy_of_a_test_sentence_is_in_training():
    pairs = [
        Pair(f"{word(n)} {word(n + 1)}{mark}", f"{word(m).title()}{mark}")
        for n in range(300)
        for m, mark in ((n, "."), (n + 5000, "!"))
    ]
    split = Corpus.from_pairs("words", pairs).split(80, 10, 10)
    for side in (0, 1):
        seen = {normalized(pair[side]) for pair in split.train} | {normalized(pair[side]) for pair in split.validation}
        assert not seen & {normalized(pair[side]) for pair in split.test}
    assert split.report.groups == len(set(group_pairs(pairs)[0])) == 300
    assert split.report.largest == 2
    random_share = split.report.repeated_at_random / split.report.test
    assert 0.6 < random_share < 1  # each source has one copy; 8 of 10 pairs are in training
    assert f"a random split would leave {split.report.repeated_at_random} (" in str(split)


def test_large_groups_do_not_fill_a_small_set():
    sizes = np.array([30, *[1] * 970])
    groups = np.repeat(np.arange(len(sizes)), sizes)
    for seed in range(20):
        parts, report = split_groups(groups, groups, [90, 5, 5], seed, "numbers")
        assert parts[0] == 0
        assert (report.validation, report.test) == (50, 50)


def test_one_file_gives_three_sets_and_a_changed_file_others(tmp_path: Path):
    path = tmp_path / "pairs.txt"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in different_pairs(100)), encoding="utf-8")
    config = DataConfig(file=str(path), split=[80, 10, 10])
    assert names_corpus(config, Split.test)
    train, validation, test = read_corpora(config)
    assert [len(list(part)) for part in (train, validation, test)] == [80, 10, 10]
    assert list(test) == list(Corpus.read(path).split(80, 10, 10).test)
    assert list(read_split(DataConfig(file=str(path), split=[80, 10, 10], split_seed=2), Split.test)) != list(test)
    before = test.fingerprint
    with path.open("a", encoding="utf-8") as file:
        file.write("Moreover\tAußerdem\n")
    assert read_split(config, Split.test).fingerprint != before
    assert read_split(DataConfig(file=str(path), split=[90, 10, 0]), Split.test) is None
    with pytest.raises(ConfigError, match=r"data\.file and data\.test both name text"):
        read_corpora(DataConfig(file=str(path), test=SplitConfig(file="test.tsv")))


@pytest.mark.parametrize(
    ("name", "text", "written"),
    [
        ("pairs.tsv", "{0}\t{1}\n", "{0}\t{1}\n"),
        ("pairs.txt", "{0}\t{1}\textra\n", "{0}\t{1}\n"),
        ("pairs.csv", '{0},"{1}, \n{1}"\n', '"{0}","{1}, {1}"\n'),
        ("pairs.csv", '"{0}","{1}; {1}"\n', '"{0}","{1}; {1}"\n'),
        ("pairs.jsonl", '{{"vi": "{1}", "en": "{0}"}}\n', '{{"en": "{0}", "vi": "{1}"}}\n'),
    ],
)
def test_the_sets_are_written_in_the_form_of_the_file(tmp_path: Path, name, text, written):
    path = tmp_path / name
    rows = [(word(number), word(number).upper()) for number in range(60)]
    path.write_text("".join(text.format(*row) for row in rows), encoding="utf-8")
    config = DataConfig(source_language="en", target_language="vi", file=str(path), split=[6, 6])
    split = split_file(config)
    files = write_sets(split, tmp_path / "out")
    lines = [file.read_text(encoding="utf-8") for file in files.values()]
    assert sorted("".join(lines).splitlines(True)) == sorted(written.format(*row) for row in rows)
    parts = {str(part): SplitConfig(file=str(file)) for part, file in files.items()}
    again = read_corpora(DataConfig(source_language="en", target_language="vi", **parts))
    assert [list(part) for part in again] == [list(part) for part in split]
    with pytest.raises(RunError, match="already exists: delete it"):
        write_sets(split, tmp_path / "out")


def test_a_split_that_fails_writes_nothing(tmp_path: Path, monkeypatch):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in different_pairs(60)), encoding="utf-8")
    split = split_file(DataConfig(file=str(path)))
    path.write_text("other\ttext\n", encoding="utf-8")
    with pytest.raises(DataError, match="has changed while it was in use"):
        write_sets(split, tmp_path / "out")
    assert [place.name for place in tmp_path.iterdir() if not place.name.startswith(".")] == ["pairs.tsv"]


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "tsv"])
def test_the_next_command_reads_the_written_columns(recipe, tmp_path: Path, kind):
    path = tmp_path / f"pairs.{kind}"
    pairs = different_pairs(60)
    if kind == "parquet":
        columns = {"a question": [pair.source for pair in pairs], "reply": [pair.target for pair in pairs]}
        pyarrow.parquet.write_table(pa.table(columns), path)
    elif kind == "jsonl":
        path.write_text("".join(f'{{"a question": "{source}", "reply": "{target}"}}\n' for source, target in pairs))
    else:
        path.write_text("reply\ta question\n" + "".join(f"{target}\t{source}\n" for source, target in pairs))
    columns = ["data.source_column=a question", "data.target_column=reply", "data.target_language=vi"]
    outcome = recipe("split", f"data.file={path}", *columns)
    assert outcome.code == 0, outcome.err
    arguments = shlex.split(outcome.out.splitlines()[-1])
    config = compose_train(overrides=arguments[arguments.index("experiment=auto") :])
    assert (config.data.source_language, config.data.target_language) == ("en", "vi")
    sets = read_corpora(config.data)
    assert sorted(pair for corpus in sets if corpus for pair in corpus) == sorted(pairs)


def test_the_recipe_writes_sets_that_train_accepts(recipe, tmp_path: Path):
    path = tmp_path / "my pairs.csv"
    rows = "".join(f'{target},"{source}"\r\n' for source, target in different_pairs(60))
    path.write_text(f"Vietnamese,English\r\n{rows}", encoding="utf-8-sig")
    outcome = recipe("split", f"data.file={path}", "data.target_language=vi", "data.split=[40,10,10]")
    assert outcome.code == 1
    assert "neither percentages" in outcome.err
    outcome = recipe("split", f"data.file={path}", "data.target_language=vi", "data.split=[10,10]")
    assert outcome.code == 0, outcome.err
    assert "the first row is a header: source 'English', target 'Vietnamese'" in outcome.out
    assert "split 60 pairs: 40 train, 10 validation, 10 test, seed 1; 60 groups" in outcome.out
    output = tmp_path / "my pairs-split"
    assert sorted(file.name for file in output.iterdir()) == ["test.csv", "train.csv", "validation.csv"]
    assert len((output / "train.csv").read_text(encoding="utf-8").splitlines()) == 40
    assert "data.target_language=vi" in outcome.out.splitlines()[-1]
    assert str(output) in outcome.out
    assert "already exists" in recipe("split", f"data.file={path}").err
    assert recipe("split").err == "error: no file to split: name it with data.file=FILE\n"
    assert recipe("split", f"data.train.file={path}").err == f"error: no file to split: name data.file={path} instead\n"


def test_two_aligned_files_are_split_as_the_message_says(recipe, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, side in zip(("a b.en", "a b.vi"), zip(*different_pairs(60), strict=True), strict=True):
        Path(name).write_text("".join(f"{line}\n" for line in side))
    given = ["data.train.source=a b.en", "data.train.target=a b.vi", "data.target_language=vi"]
    outcome = recipe("split", *given)
    assert "no file to split: join the two files with paste 'a b.en' 'a b.vi' > pairs.tsv and name data." in outcome.err
    with pytest.raises(
        ConfigError, match=r"add data\.validation\.source=FILE .*; or, to have it split, join the two f"
    ):
        read_corpora(compose_train(overrides=given).data)
    Path("pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in different_pairs(60)))
    with zipfile.ZipFile("pairs.zip", "w") as archive:
        archive.write("a b.en")
        archive.write("a b.vi")
    for name in ("pairs.tsv", "pairs.zip"):
        assert recipe("split", f"data.file={name}", given[-1], f"output={name}-split").code == 0


def test_half_a_character_is_written_as_a_replacement(tmp_path: Path):
    """JSON may have one, and training reads it as U+FFFD."""
    rows = [f'{{"en": "{word(number)} \\ud83d", "vi": "{word(number).upper()}"}}' for number in range(60)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(rows))
    split = split_file(
        DataConfig(source_language="en", target_language="vi", file=str(tmp_path / "pairs.jsonl"), split=[6, 6])
    )
    files = write_sets(split, tmp_path / "out")
    assert all("\ufffd" in line for file in files.values() for line in file.read_text("utf-8").splitlines())

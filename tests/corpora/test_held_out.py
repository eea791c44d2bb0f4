"""Sentences of the validation and test sets in data.more, in training and in the doctor."""

import json

import pytest

from seq2seq.config.hydra import compose_train
from seq2seq.corpora import held_out
from seq2seq.corpora.config import DataConfig, MoreConfig, SplitConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.corpora.held_out import count_held_out, held_out_warnings, sets_of_file
from seq2seq.corpora.monolingual import read_target_corpora
from seq2seq.corpora.reading import read_corpora, split_file
from seq2seq.errors import DataError
from seq2seq.pipeline.text import read_texts

TEST = [
    Pair("The river runs past our old house.", "uno dos tres"),
    Pair("12.", "13."),
    Pair("Nothing.", "quatro cinco"),
]
VALIDATION = [Pair("We saw the ships in the harbour.", "seis siete")]
MORE = [
    Pair("The river runs past our old house!", "a b c"),  # near the first test source
    Pair("Something else entirely.", " quatro cinco"),  # the last test target, but for a space
    Pair("We saw the ships in the harbour.", "quatro cinco"),  # in both sets
    Pair("12.", "14."),  # without letters
    Pair("uno dos tres", "Nothing."),  # of the other side
    Pair("We went home early in the evening.", "ocho nueve"),
]


class Unreadable(PairList):
    def __iter__(self):
        raise DataError("no targets")


def written(folder, name, pairs) -> str:
    path = folder / f"{name}.tsv"
    path.write_text("".join(f"{pair.source}\t{pair.target}\n" for pair in pairs), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(("large", "expected"), [(6, {"test": 3, "validation": 1}), (5, {"test": 2, "validation": 1})])
def test_pairs_with_a_held_out_sentence_are_counted_and_near_copies_in_small_corpora(monkeypatch, large, expected):
    monkeypatch.setattr(held_out, "LARGE", large)
    assert count_held_out(PairList("more", MORE), {"test": TEST, "validation": VALIDATION}) == expected


def test_the_line_names_the_setting_the_file_the_counts_and_what_to_do(tmp_path):
    tests, validation = written(tmp_path, "test", TEST), written(tmp_path, "validation", VALIDATION)
    extra, other = written(tmp_path, "extra", MORE), written(tmp_path, "other", MORE[-1:])
    parts = {
        "train": SplitConfig(file=other),
        "validation": SplitConfig(file=validation),
        "test": SplitConfig(file=tests),
    }
    more = [MoreConfig(file=extra, weight=0), MoreConfig(file=other), MoreConfig(file=extra, source_tag="<bt>")]
    for weight in (1, 0):
        config = DataConfig(**parts, weight=weight, source_tag="<2es>", more=more)
        [line] = held_out_warnings(config, read_corpora(config))
        assert line.startswith(f"data.more[2] ({extra}) has training pairs with a sentence that is held out")
        assert "3 with one of the test set and 1 with one of the validation set" in line
        assert "recipes/doctor.py" in line
    config = DataConfig(**parts, more=more)
    [line] = held_out_warnings(config, read_target_corpora(config))
    assert "2 with one of the test set. " in line, "a language model reads only targets"
    unread = held_out_warnings(config, read_corpora(config)._replace(test=Unreadable("hub", [])))
    assert ["validation" in line for line in unread] == [True], "evaluation reports a test set that cannot be read"
    config.overfit = 1
    assert held_out_warnings(config, read_corpora(config)) == [], "all sets are the same"
    assert held_out_warnings(DataConfig(), read_corpora(DataConfig())) == []


def test_the_doctor_lists_pairs_of_more_that_are_in_the_sets_of_a_file(recipe, tmp_path):
    lines = [f"{word} {other} near the {place} today" for word in ("cats", "dogs") for other in ("sleep", "run", "sing")
             for place in ("harbour", "bakery", "castle")]  # fmt: skip
    pairs = [Pair(line, " ".join(reversed(line.upper().split()))) for line in lines]
    file = written(tmp_path, "pairs", pairs)
    config = DataConfig(file=file)
    _, validation, tests = split_file(config)
    assert sets_of_file(config) == {}
    [*_, held], [pair, *_] = tests, validation
    extra = [Pair("Something else entirely.", "n'importe quoi"), Pair(f"{held.source}!", "autre chose"), pair]
    more = f"data.more=[{{file: {written(tmp_path, 'extra', extra)}}}]"
    outcome = recipe("doctor", f"data.file={file}", more, "json=true")
    report = json.loads(outcome.out)
    assert list(report) == ["file", "more[0]", "test", "validation"]
    assert report["test"]["findings"] == report["validation"]["findings"] == []
    assert not [finding for finding in report["file"]["findings"] if "overlap" in finding["reason"]]
    found = {(item["reason"], item["partners_in"]): item["lines"] for item in report["more[0]"]["findings"]}
    assert found["near_overlap", "test"] == [2]
    assert found["overlap", "validation"] == [3]


def test_training_reports_them_when_a_run_begins(tmp_path, caplog):
    more = f"data.more=[{{file: {written(tmp_path, 'extra', MORE)}}}]"
    names = {"train": MORE[-1:], "validation": VALIDATION, "test": TEST}
    config = compose_train(
        overrides=[more, *(f"data.{name}.file={written(tmp_path, name, pairs)}" for name, pairs in names.items())]
    )
    read_texts(config, tmp_path / "run")
    assert "3 with one of the test set and 1 with one of the validation set" in caplog.text
    assert "is a header" not in caplog.text
    assert caplog.text.count("no header: column 1 is read as en, column 2 as de") == 1
    caplog.clear()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").touch()
    read_texts(config, tmp_path / "run")
    assert not caplog.records, "resumed"


@pytest.mark.parametrize("split", [True, False])
def test_a_run_begins_with_what_its_files_say_about_how_they_are_read(tmp_path, caplog, split):
    titled = [Pair("German", "English"), *(Pair(f"ein Satz {letter}", f"a {letter}") for letter in "abcdefgh")]
    pairs, plain = written(tmp_path, "titled", titled), written(tmp_path, "plain", VALIDATION)
    files = [f"data.file={pairs}"] if split else [f"data.train.file={pairs}", f"data.validation.file={plain}"]
    tag = [] if split else ["data.source_tag=<2en>"]
    config = compose_train(overrides=[*files, *tag, "data.source_language=de", "data.target_language=en"])
    with caplog.at_level("INFO", "seq2seq"):
        read_texts(config, tmp_path / "run")
    assert caplog.text.count("the first row is a header: source 'German', target 'English'") == 1

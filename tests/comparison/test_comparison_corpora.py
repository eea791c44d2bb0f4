"""The text behind a comparison."""

from dataclasses import asdict

import pytest
from comparing import FIRST, REFERENCES, SECOND, scored_run, write_lines

from seq2seq.comparison.config import CompareConfig
from seq2seq.comparison.corpora import first_run, frequencies, read_test_set
from seq2seq.corpora.config import DataConfig, SplitConfig
from seq2seq.errors import ConfigError


def data(tmp_path, **splits) -> DataConfig:
    """Files with these references, and sources of as many lines."""
    named = {}
    for split, lines in splits.items():
        write_lines(tmp_path / f"{split}.en", [f"line {number}" for number in range(len(lines))])
        write_lines(tmp_path / f"{split}.de", lines)
        named[split] = SplitConfig(source=str(tmp_path / f"{split}.en"), target=str(tmp_path / f"{split}.de"))
    return DataConfig(**named)


def test_the_test_set_comes_from_the_settings_or_else_the_run(tmp_path, tiny_run):
    config = CompareConfig(systems=["x", str(tiny_run)])
    assert read_test_set(config, tiny_run).name.startswith("built-in corpus")
    config.data = data(tmp_path, test=REFERENCES)
    config.data.source_tag = "<2de>"
    assert [pair.source for pair in read_test_set(config, tiny_run)][:2] == ["line 0", "line 1"]
    assert [pair.target for pair in read_test_set(config, None)] == REFERENCES
    with pytest.raises(ConfigError, match=r"data\.test\.source=FILE"):
        read_test_set(CompareConfig(), None)
    untested = asdict(data(tmp_path, train=REFERENCES, validation=REFERENCES))
    run = scored_run(tmp_path / "run", FIRST, data=untested)
    with pytest.raises(ConfigError, match="there is no test set"):
        read_test_set(CompareConfig(), run)
    assert "training text, target side, 5 lines" in frequencies(CompareConfig(), run, REFERENCES, "de").text


def test_the_first_run_is_the_first_that_is_a_folder(tmp_path):
    files = [str(write_lines(tmp_path / name, FIRST)) for name in ("a.txt", "b.txt")]
    run = scored_run(tmp_path / "sweep" / "0", FIRST)
    assert first_run(files) is None
    assert first_run([files[0], str(tmp_path / "sweep"), files[1]]) == run


def test_words_are_counted_in_a_known_training_text(tmp_path):
    config = CompareConfig(data=data(tmp_path, train=SECOND, test=REFERENCES))
    counts = frequencies(config, None, REFERENCES, "de")
    assert counts.counts["Männer"] == 1
    assert counts.counts["Ein"] == 1
    assert "training text, target side, 5 lines of" in counts.text
    config.training_lines = 2
    assert frequencies(config, None, REFERENCES, "de").counts["Ein"] == 0


def test_words_are_otherwise_counted_in_the_references_with_the_reason(tmp_path):
    config = CompareConfig(data=data(tmp_path, test=REFERENCES))
    for asked, reason in (
        (config, "the training text is not known"),
        (CompareConfig(training_lines=0), "because training_lines=0"),
        (CompareConfig(), "the training text is not known"),
    ):
        counts = frequencies(asked, None, REFERENCES, "de")
        assert counts.counts["Zwei"] == 1
        assert counts.counts["Männer"] == 1
        assert counts.text.startswith("the references, because")
        assert reason in counts.text
    config = CompareConfig(data=data(tmp_path, train=SECOND, test=REFERENCES))
    (tmp_path / "train.de").unlink()
    assert "no such file" in frequencies(config, None, REFERENCES, "de").text

"""Own text takes the general settings, and no setting of text is ignored silently."""

import pytest
from conftest import TINY, without_data

from seq2seq.config.hydra import compose_train
from seq2seq.config.own_text import with_settings_for_own_text
from seq2seq.corpora.config import DataConfig, MoreConfig, Split, SplitConfig
from seq2seq.corpora.reading import check_named, named_corpora
from seq2seq.errors import ConfigError

AUTO, ADDED = ["experiment=auto"], ["data=files", "model=attention"]


@pytest.mark.parametrize(
    ("arguments", "added"),
    [
        (["data.train.file=a.tsv"], AUTO),
        (["data.validation.source=a", "seed=2"], AUTO),
        (["+data.test.target=a"], AUTO),
        (["data.file=a.csv"], AUTO),
        (["data.hub.name=some/set"], AUTO),
        (["data.train={file: a.tsv}"], AUTO),
        (["data.train.file=a.tsv", "experiment=null"], ADDED),
        (["data.train.file=a.tsv", "model.dropout=0.1"], ADDED),
        (["data.train.file=a.tsv", "model=context"], ["data=files"]),
        (["data.train.file=a.tsv", "data=builtin"], []),
        (["data.train.file=a.tsv", "experiment=multi30k_quick"], []),
        (["--config-name", "mine", "data.train.file=a.tsv"], []),
        (["data.train.file=null"], []),
        (["data.builtin.train_size=9", "data.hub.subset=x", "data.target_language=fr"], []),
        ([], []),
    ],
)
def test_own_text_without_a_choice_of_data_takes_general_settings(arguments, added):
    changed, lines = with_settings_for_own_text(arguments)
    assert [argument for argument in changed if argument not in arguments] == added
    assert [argument for argument in changed if argument not in added] == arguments
    assert [line.split(";")[0] for line in lines] == (
        [f"own text without data= or experiment=: using {' '.join(added)}"] if added else []
    )


def test_own_text_has_the_same_settings_as_if_they_were_chosen():
    text = ["data.train.file=a.tsv", "seed=3"]
    assert compose_train(overrides=text) == compose_train("auto", text)
    text = [*text, "model.encoder.size=9"]
    assert compose_train(overrides=text) == compose_train(overrides=[*ADDED, *text])
    assert compose_train(overrides=text) != compose_train(overrides=["data=builtin", *text])
    assert compose_train(names_text=True) == compose_train("auto", names_text=True)


def test_the_first_line_of_a_run_says_so(recipe, tmp_path):
    (tmp_path / "a.tsv").write_text("We work.\tWir arbeiten.\n" * 30, "utf-8")
    files = [f"data.{split}.file={tmp_path / 'a.tsv'}" for split in ("train", "validation")]
    outcome = recipe("train", f"run={tmp_path / 'run'}", *files, *without_data(TINY), "training.updates=1")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[0] == (
        "own text without data= or experiment=: using data=files model=attention; "
        "experiment=auto beside your settings chooses all others by your text"
    )
    assert "only 30 training pairs" in outcome.err


@pytest.mark.parametrize("arguments", [[], ["data.train.hub_split=train"], ["data.builtin.train_size=9"]])
def test_files_without_files_are_refused(recipe, tmp_path, arguments):
    outcome = recipe("train", f"run={tmp_path / 'run'}", "data=files", *arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (1, "", 1)
    assert "data=files names no text: set data.file=FILE" in outcome.err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "setting"),
    [
        (DataConfig(train=SplitConfig(file="a.tsv")), "data.train.file"),
        (DataConfig(test=SplitConfig(hub_split="other")), "data.test.hub_split"),
        (DataConfig(source_column="3"), "data.source_column"),
        (DataConfig(more=[MoreConfig(file="a.tsv")]), "data.more"),
    ],
)
def test_text_that_a_recipe_does_not_read_is_refused(given, setting):
    with pytest.raises(ConfigError, match=rf"^{setting}=.* has no effect on the test set of the run"):
        check_named(given, Split.test)


def test_text_that_a_recipe_reads_is_accepted():
    check_named(DataConfig(test=SplitConfig(file="a.tsv"), source_column="3"), Split.test)
    check_named(DataConfig(target_language="zh", source_tag="<2de>", cache="x", workers=1), Split.test)


def test_evaluate_refuses_the_files_of_another_split(recipe, tiny_run):
    outcome = recipe("evaluate", f"run={tiny_run}", "data.train.file=a.tsv")
    assert (outcome.code, outcome.err.count("\n")) == (1, 1)
    assert "data.train.file=a.tsv has no effect on the test set" in outcome.err


def test_the_doctor_reads_no_corpus_that_is_not_named(recipe, tmp_path):
    (tmp_path / "a.tsv").write_text("We work.\tWir arbeiten.\n", "utf-8")
    assert list(named_corpora(DataConfig(more=[MoreConfig(file=str(tmp_path / "a.tsv"))]))) == ["more[0]"]
    outcome = recipe("doctor", "data.train.hub_split=x")
    assert outcome.code == 1
    assert "data.train.hub_split=x does nothing without a data set of the hub" in outcome.err

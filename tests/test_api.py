"""Training and evaluation from Python, as in a notebook."""

import json
import logging
import random
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import TINY, without_data
from omegaconf import OmegaConf

from seq2seq import Corpus, Run, Score, Translator, evaluate, train
from seq2seq.config.hydra import compose_train
from seq2seq.corpora.config import Split
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.training.progress import Criterion

SMALL = without_data(TINY)


def made_up_pairs(count: int = 200) -> list[tuple[str, str]]:
    """Different sentences of made-up words, and the same words in upper case and in reverse order."""
    generator = random.Random(1)
    words = [a + b for a in ("ba", "ko", "li", "me", "su") for b in ("n", "ra", "t", "vi")]
    sentences = [" ".join(generator.choices(words, k=4)) for _ in range(count)]
    return [(sentence, " ".join(reversed(sentence.upper().split()))) for sentence in sentences]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Run, list]:
    """A run trained on a list of pairs, and the validations it reported."""
    validations: list = []
    folder = tmp_path_factory.mktemp("api") / "run"
    return train(made_up_pairs(), folder, overrides=SMALL, on_validation=validations.append), validations


def test_a_list_of_pairs_is_trained_on_evaluated_and_translated(trained):
    run, validations = trained
    assert [validation.update for validation in validations] == [10, 20]
    assert run.curve == validations
    assert run.best in validations
    assert run.best_score == max(validation.bleu for validation in validations)
    assert not run.is_language_model
    assert Run.open(run.folder) == run
    translation = run.translator().translate("ban kora")
    assert translation.text == Translator.load(run.folder).translate("ban kora").text
    scores = run.evaluate()
    assert set(scores) == {"greedy", "beam"}
    assert isinstance(scores["beam"], Score)
    assert (scores.bleu, scores.chrf, scores.ter) == (scores["beam"].bleu, scores["beam"].chrf, scores["beam"].ter)
    assert str(scores.bleu).startswith(f"{scores.bleu.score:.1f} [")
    assert json.loads((run.folder / "scores.json").read_text())["test"]["beam"]["bleu"]["score"] == (
        scores["beam"].bleu.score
    )


def test_the_same_call_resumes_and_changes_nothing(trained):
    run, _ = trained
    before = (run.folder / "model.safetensors").read_bytes()
    reported: list = []
    assert train(made_up_pairs(), str(run.folder), overrides=SMALL, on_validation=reported.append) == run
    assert (run.folder / "model.safetensors").read_bytes() == before
    assert reported == []


def test_a_longer_training_resumes_from_the_last_update(trained, tmp_path):
    folder, reported = tmp_path / "run", []
    longer = [*SMALL, "training.updates=30", "schedule=constant"]
    train(made_up_pairs(), folder, overrides=[*SMALL, "schedule=constant"])
    run = train(made_up_pairs(), folder, overrides=longer, on_validation=reported.append)
    assert [validation.update for validation in reported] == [30]
    assert [validation.update for validation in run.curve] == [10, 20, 30]


def test_other_pairs_are_refused_in_a_folder_that_has_a_run(trained):
    run, _ = trained
    with pytest.raises(RunError, match="trained on other pairs: choose another folder"):
        train(made_up_pairs(100), run.folder, overrides=SMALL)
    with pytest.raises(RunError, match=r"model\.dropout=0\.2, this command says model\.dropout=0\.5"):
        train(made_up_pairs(), run.folder, overrides=[*SMALL, "model.dropout=0.5"])


@pytest.mark.slow
def test_a_corpus_and_rows_of_a_data_set_give_the_same_run_as_a_list(trained, tmp_path):
    run, _ = trained
    pairs = made_up_pairs()
    forms = {
        "corpus": Corpus.from_pairs("mine", pairs),
        "columns": [{"xx": source, "yy": target} for source, target in pairs],
        "nested": ({"translation": {"de": target, "en": source}} for source, target in pairs),
    }
    for name, data in forms.items():
        made = train(data, tmp_path / name, overrides=[*SMALL, "training.updates=10"])
        assert [validation.update for validation in made.curve] == [10]
        for split in Split:
            path = f"pairs/{split}.jsonl"
            assert (made.folder / path).read_bytes() == (run.folder / path).read_bytes()


def test_evaluation_takes_pairs_a_corpus_or_a_split(trained):
    run, _ = trained
    pairs = made_up_pairs(7)
    by_pairs = evaluate(run, pairs)
    by_corpus = evaluate(run.folder, Corpus.from_pairs("seven lines", pairs))
    assert by_pairs == by_corpus
    saved = json.loads((run.folder / "scores.json").read_text())
    assert saved["seven-lines"]["references"] == saved["pairs"]["references"]
    assert len((run.folder / "hypotheses.seven-lines.beam.txt").read_text("utf-8").splitlines()) == 7
    with pytest.raises(ConfigError, match="'tset' is not a split: name one of train, validation, test"):
        evaluate(run, "tset")


def test_a_train_config_can_be_trained(tmp_path):
    config = compose_train(overrides=[*TINY, "training.updates=10", f"run={tmp_path / 'unused'}"])
    run = train(config, tmp_path / "run")
    assert [validation.update for validation in run.curve] == [10]
    assert not (tmp_path / "unused").exists()
    with pytest.raises(ConfigError, match="experiment and overrides are for training on pairs"):
        train(config, tmp_path / "other", overrides=["seed=2"])


def test_an_experiment_and_overrides_are_composed_as_on_the_command_line():
    config = compose_train("demo_small", ["model=attention", "seed=7"])
    assert config.seed == 7
    assert config.model.attention == "general"
    assert config != compose_train(None, ["model=attention", "seed=7"])


def test_nothing_is_printed_and_reports_are_logged(tmp_path, capfd, caplog, monkeypatch):
    logger = logging.getLogger("seq2seq")
    monkeypatch.setattr(logger, "level", logging.WARNING)
    logger.manager._clear_cache()
    train(made_up_pairs(), tmp_path / "quiet", overrides=[*SMALL, "training.updates=10"])
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.manager._clear_cache()
    train(made_up_pairs(), tmp_path / "loud", overrides=[*SMALL, "training.updates=10"])
    assert any("parameters, on cpu in" in message for message in caplog.messages)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([("one", "eins"), ("two",)], "pairs, pair 2: ('two',) is not a pair of strings: pass (source, target)"),
        ([("one", 1)] * 5, "is not a pair of strings"),
        (["one", "two", "three"], "'one' is not a pair of strings"),
        ([{"en": "one", "de": "eins", "fr": "un"}, {"a": "b", "c": "d", "e": "f"}], "pass (row[SOURCE], row[TARGET])"),
        ([("one", "eins")] * 2, "2 pairs cannot be split into train, validation and test: pass at least 3"),
        ([], "0 pairs cannot be split"),
        ("train.tsv", "str is not a list of pairs: pass rows of (source, target)"),
        (3, "int is not a list of pairs"),
    ],
)
def test_data_of_another_form_is_refused_in_one_line_and_leaves_nothing(tmp_path, data, words):
    with pytest.raises(DataError) as error:
        train(data, tmp_path / "run", overrides=SMALL)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.dropot=0.1", "did you mean model.dropout?"),
        ("model.dropout=2", "model.dropout must be in [0, 1), got 2"),
        ("model=atention", "there is no model=atention; did you mean attention?"),
        ("nonsense", "nonsense"),
    ],
)
def test_a_wrong_override_is_one_line_and_leaves_nothing(tmp_path, override, words):
    with pytest.raises(ConfigError) as error:
        train(made_up_pairs(5), tmp_path / "run", overrides=[override])
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_run_whose_set_up_fails_leaves_nothing(tmp_path):
    with pytest.raises(RunError, match="nowhere is not a run folder"):
        train(made_up_pairs(5), tmp_path / "run", overrides=[*SMALL, "training.start=nowhere"])
    assert not (tmp_path / "run").exists()


def test_a_missing_folder_or_experiment_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"folder is missing: train\(pairs, 'runs/mine'\)"):
        train(made_up_pairs(5))
    with pytest.raises(ConfigError, match="there is no experiment=nothing; "):
        train(made_up_pairs(5), tmp_path / "run", experiment="nothing")
    with pytest.raises(RunError, match="is not a run folder"):
        Run.open(tmp_path)


def test_the_run_folder_of_pairs_is_accepted_by_recipes(recipe, trained):
    run, _ = trained
    outcome = recipe("evaluate", f"run={run.folder}")
    assert outcome.code == 0, outcome.err
    assert "10 sentences" in outcome.out
    assert Path(run.folder / "shortlist.safetensors").is_file()


@pytest.mark.parametrize("value", [None, 5, b"runs/demo"])
def test_arguments_of_other_kinds_are_refused_in_one_line(tmp_path, trained, value):
    with pytest.raises(DataError, match="is not a list of pairs"):
        train(value, tmp_path / "run")
    with pytest.raises(DataError, match="is not a list of pairs"):
        evaluate(trained[0], value)
    for call in (evaluate, Run.open):
        with pytest.raises(ConfigError, match="a run folder is a path, got"):
            call(value)
    with pytest.raises(ConfigError, match="a run folder is a path, got"):
        train(made_up_pairs(), value or 5)
    assert not list(tmp_path.iterdir())


def test_words_are_accepted_where_settings_have_choices(tmp_path):
    config = compose_train(None, TINY)
    config.training.criterion = "chrf"
    assert replace(config.training, criterion="chrf").criterion is Criterion.chrf
    config.training.criterion = "blue"
    with pytest.raises(ConfigError, match=r"training\.criterion must be one of loss, bleu, chrf, got blue"):
        train(config, tmp_path / "run")
    config.training.criterion = "loss"
    assert train(config, tmp_path / "run").criterion is Criterion.loss


@pytest.mark.slow
def test_a_split_is_trained_on_as_it_is_and_keeps_its_languages(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in made_up_pairs()), encoding="utf-8")
    data = Corpus.read(path, "en", "vi").split(80, 10, 10, seed=2)
    short = [*SMALL, "training.updates=10"]
    made = train(data, tmp_path / "run", overrides=short)
    config = (made.folder / "config.yaml").read_text()
    assert "target_language: vi" in config
    for split in Split:
        assert list(made.corpus(split)) == list(data.part(split))
    saved = json.loads((made.folder / "split.json").read_text())
    assert (saved["sizes"], saved["seed"]) == ([80, 10, 10], 2)
    assert saved["report"] == data.report.as_dict()
    path.unlink()  # the run keeps its pairs
    assert made.evaluate("test").bleu.signature.startswith("nrefs:1")
    # The same pairs and split from a list are the same run; another split is not.
    pairs = Corpus.from_pairs("list", made_up_pairs())
    vietnamese = [*short, "data.target_language=vi"]
    assert train(pairs.split(80, 10, 10, seed=2), made.folder, overrides=vietnamese) == made
    assert train(pairs, made.folder, overrides=[*vietnamese, "data.split=[80,10,10]", "data.split_seed=2"]) == made
    for other in (pairs.split(80, 10, 10), pairs.split(90, 5, 5, seed=2), pairs):
        with pytest.raises(RunError, match="trained on other pairs"):
            train(other, made.folder, overrides=vietnamese)


def test_a_split_is_not_split_again(tmp_path):
    data = Corpus.from_pairs("mine", made_up_pairs()).split()
    with pytest.raises(ConfigError, match="the corpus is split already"):
        train(data, tmp_path / "run", overrides=[*SMALL, "data.split=[80,10,10]"])
    with pytest.raises(ConfigError, match=r"data\.file=x\.csv and the pairs both name text"):
        train(made_up_pairs(), tmp_path / "run", overrides=[*SMALL, "data.file=x.csv"])
    assert not (tmp_path / "run").exists()


def test_a_run_from_before_split_json_resumes_with_its_saved_pairs(tmp_path):
    folder = tmp_path / "run"
    train(made_up_pairs(), folder, overrides=[*SMALL, "training.updates=10"])
    (folder / "split.json").unlink()
    config = OmegaConf.load(folder / "config.yaml")
    del config["files"]  # that version recorded neither
    OmegaConf.save(config, folder / "config.yaml")
    held, kept = folder / "pairs" / "validation.jsonl", folder / "pairs" / "train.jsonl"
    moved = held.read_text().splitlines(True)  # that version chose other pairs for each set
    first = kept.read_text().splitlines(True)
    held.write_text("".join(first[: len(moved)]))
    kept.write_text("".join(moved + first[len(moved) :]))
    before = held.read_bytes()
    train(made_up_pairs(), folder, overrides=[*SMALL, "training.updates=20"])
    assert held.read_bytes() == before
    with pytest.raises(RunError, match="trained on other pairs"):
        train(made_up_pairs(199), folder, overrides=[*SMALL, "training.updates=20"])


def test_one_file_is_split_trained_on_and_kept(recipe, tmp_path):
    path, folder = tmp_path / "pairs.csv", tmp_path / "run"
    rows = "".join(f"{target},{source}\r\n" for source, target in made_up_pairs())
    path.write_text(f"German,English\r\n{rows}", encoding="utf-8-sig")
    words = [f"data.file={path}", "data.split=[160,30,10]", *SMALL, "schedule=constant"]
    command = ["train", f"run={folder}", *words]
    outcome = recipe(*command)
    assert outcome.code == 0, outcome.err
    assert "the first row is a header: source 'English', target 'German'" in outcome.out
    assert "split 200 pairs: 160 train, 30 validation, 10 test, seed 1; " in outcome.out
    assert "kept 160 of 160 pairs" in outcome.out
    data = Corpus.read(path).split(160, 30, 10)
    assert [list(Run.open(folder).corpus(split)) for split in Split] == [list(part) for part in data]
    # The same run from Python, and resumed, has the same weights; a changed file or split is refused.
    for updates in (10, 20):
        train(data, tmp_path / "python", overrides=[*words[2:], f"training.updates={updates}"])
    models = [(place / "model.safetensors").read_bytes() for place in (folder, tmp_path / "python")]
    assert models[0] == models[1]
    assert "trained on other pairs" in recipe(*command, "data.split_seed=2").err
    with path.open("a", encoding="utf-8") as file:
        file.write("Neu,New\r\n")
    assert "trained on other pairs" in recipe(*command).err
    assert "10 sentences" in recipe("evaluate", f"run={folder}").out
    # A run that has moved uses its own pairs.
    folder.rename(tmp_path / "moved")
    assert "10 sentences" in recipe("evaluate", f"run={tmp_path / 'moved'}").out


def test_a_split_without_test_trains_without_test(recipe, tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"{source}\t{target}\n" for source, target in made_up_pairs()), encoding="utf-8")
    words = [*SMALL, "training.updates=10"]
    outcome = recipe("train", f"run={tmp_path / 'run'}", f"data.file={path}", "data.split=[90,10,0]", *words)
    assert outcome.code == 0, outcome.err
    assert Run.open(tmp_path / "run").corpus("test") is None
    assert recipe("doctor", f"data.file={path}", "json=true").code == 0
    outcome = recipe("train", f"run={tmp_path / 'other'}", "data.split=[90,10,0]", *words)
    assert "data.split=[90.0,10.0,0.0] does nothing without data.file" in outcome.err
    outcome = recipe("train", f"run={tmp_path / 'other'}", f"data.file={path}", "data.split=[90,0,10]", *words)
    assert "data.validation" in outcome.err
    assert not (tmp_path / "other").exists()


def test_the_warm_up_is_not_that_of_another_run(tmp_path, monkeypatch):
    """Only a run that is resumed keeps its own, which may have been shortened; runs/demo is the default folder."""
    seen = []
    monkeypatch.setattr("seq2seq.api.train_run", lambda config, *_: seen.append(config.schedule.warmup))
    monkeypatch.setattr("seq2seq.api.Run.open", lambda path: None)
    monkeypatch.chdir(tmp_path)
    Path("runs/demo").mkdir(parents=True)
    Path("runs/demo/config.yaml").write_text("schedule: {warmup: 77}\n")
    train(made_up_pairs(), "runs/new", experiment="multi30k_quick", overrides=["training.updates=1000"])
    assert seen == [100]

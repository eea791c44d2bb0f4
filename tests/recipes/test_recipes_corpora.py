"""Several corpora, tags, distillation and back-translation as a user runs them."""

import json
import random
import shlex
import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
from conftest import TINY
from translators import randomize

from seq2seq import Translator
from seq2seq.model.weights import save_weights
from seq2seq.run.folder import load_run
from seq2seq.tokenizer.tokenizer import load_tokenizers

SHORT = [word for word in TINY if not word.startswith("data.")] + ["training.updates=2", "training.validate_every=2"]
SMALL = ["data.builtin.train_size=60", "data.builtin.validation_size=5", "data.builtin.test_size=5"]

SIDES = ("source", "target")


@pytest.fixture(scope="module")
def tiny_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run with weights for which translations end; distillation drops unfinished ones."""
    folder = tmp_path_factory.mktemp("ending") / "tiny"
    shutil.copytree(tiny_run, folder)
    network = load_run(folder).network
    randomize(network)
    save_weights(network, folder / "model.safetensors")
    return folder


@pytest.fixture(scope="module")
def trained_with_tags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose sources start with a tag, and whose vocabulary has another one."""
    folder = tmp_path_factory.mktemp("tags") / "tagged"
    tags = ["data.source_tag='<2de>'", "tokenizer.tags=['<2fr>']", "model=attention"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", f"run={folder}", *SMALL, *SHORT, *tags])
        import_module("seq2seq.recipes.train").main()
    network = load_run(folder).network
    randomize(network)
    save_weights(network, folder / "model.safetensors")
    return folder


@pytest.fixture
def tagged_run(trained_with_tags: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(trained_with_tags, tmp_path / "tagged"))


@pytest.fixture
def more(tmp_path: Path) -> str:
    """Write a further corpus of twenty pairs, and return its entry of data.more."""
    (tmp_path / "more.en").write_text("We work.\nShe sleeps.\n" * 10)
    (tmp_path / "more.fr").write_text("Nous travaillons.\nElle dort.\n" * 10)
    return f"source: {tmp_path}/more.en, target: {tmp_path}/more.fr"


@pytest.mark.slow
def test_two_corpora_with_tags_make_one_run(recipe, tmp_path, more):
    run = tmp_path / "run"
    tags = ["data.source_tag='<2de>'", "data.weight=0.5"]
    overrides = [f"run={run}", *SMALL, *SHORT, *tags, f"data.more=[{{{more}, weight: 2, source_tag: '<2fr>'}}]"]
    outcome = recipe("train", *overrides)
    assert outcome.code == 0, outcome.err
    assert "built-in corpus (train) (<2de>), weight 0.5: kept 60 of 60 pairs" in outcome.out
    assert f"{tmp_path}/more.fr (<2fr>), weight 2: kept 20 of 20 pairs" in outcome.out
    assert "source     <2de> " in outcome.out  # the test set is read with the tag too
    tokenizer = load_tokenizers(run).source
    for tag in ("<2de>", "<2fr>"):
        assert tokenizer.tokens(tokenizer.encode(f"{tag} We work.")).count(tag) == 1
    # The same command resumes; another mixture is refused.
    before = (run / "model.safetensors").read_bytes()
    assert recipe("train", *overrides).code == 0
    assert (run / "model.safetensors").read_bytes() == before
    outcome = recipe("train", *overrides[:-1], f"data.more=[{{{more}, weight: 3, source_tag: '<2fr>'}}]")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "data.more=" in outcome.err
    # Evaluation uses the corpus of the run with its tags.
    assert recipe("evaluate", f"run={run}", "beam_size=1").code == 0
    assert json.loads((run / "scores.json").read_text())["test"]["corpus"] == "built-in corpus (test) (<2de>)"
    # The requested tag is the first word of each line.
    (tmp_path / "in.txt").write_text("We work.\n\nShe sleeps.\n")
    overrides = [f"run={run}", f"input={tmp_path}/in.txt", "beam_size=1", "json=true"]
    records = [json.loads(line) for line in recipe("translate", *overrides, "tag='<2fr>'").out.splitlines()]
    assert [record["source"] for record in records] == ["<2fr> We work.", "", "<2fr> She sleeps."]
    assert records[0]["translation"] == str(Translator.load(run).translate("<2fr> We work.", beam_size=1))


def test_a_main_corpus_of_weight_0_is_excluded(recipe, tmp_path, more):
    outcome = recipe("train", f"run={tmp_path}/run", *SMALL, *SHORT, "data.weight=0", f"data.more=[{{{more}}}]")
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith(f"{tmp_path}/more.en and {tmp_path}/more.fr: kept 20 of 20 pairs")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.more=[{sourc: a}]", ["data.more[].sourc; did you mean data.more[].source?"]),
        ("data.more=[{source: a, target: b, weight: -1}]", ["data.more[0].weight must be at least 0, got -1"]),
        ("data.more=[{source: a, target: b, weight: lots}]", ["data.more[].weight", "lots"]),
        ("data.more=[{source: a}]", ["data.more[0]", "data.more[0].target=FILE"]),
        ("data.more=[{weight: 2}]", ["data.more[0] names no text"]),
        ("data.more=[{source: a, target: b}]", ["a: no such file"]),
        ("data.more=corpus.en", ["data.more"]),
        ("data.weight=0", ["data.weight"]),
        ("data.source_tag='a,b'", ["'a,b'", "tag"]),
    ],
)
def test_a_mistake_in_the_mix_is_one_line(recipe, tmp_path, override, words):
    outcome = recipe("train", f"run={tmp_path / 'run'}", *SMALL, override)
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1, outcome.err
    for word in words:
        assert word in outcome.err
    assert not (tmp_path / "run").exists()


def next_command(out: str) -> list[str]:
    """Return the overrides of the command that the recipe printed last."""
    words = shlex.split(out.splitlines()[-1])
    return words[next(number for number, word in enumerate(words) if word.endswith("train.py")) + 1 :]


def test_distill_translates_the_runs_own_training_set_and_names_the_next_command(recipe, tiny_run, tmp_path):
    output = tmp_path / "distilled"
    outcome = recipe("distill", f"run={tiny_run}", f"output={output}", "beam_size=2", "device=cpu")
    assert outcome.code == 0, outcome.err
    assert "300 sentences" in outcome.out
    assert "translating: 100%" in outcome.err
    assert "300/300" in outcome.err
    sources, targets = ((output / name).read_text().splitlines() for name in ("source.txt", "target.txt"))
    assert len(sources) == len(targets) > 200
    translator = Translator.load(tiny_run, "cpu")
    for number in (0, 100, -1):
        assert targets[number] == str(translator.translate(sources[number], beam_size=2))
    overrides = next_command(outcome.out)
    assert "data.builtin.train_size=300" in overrides
    assert "data.weight=0.0" in overrides
    outcome = recipe("train", *overrides, f"run={tmp_path / 'student'}", *SHORT)
    assert outcome.code == 0, outcome.err
    first = outcome.out.splitlines()[0]
    assert first.startswith(f"{output}/source.txt and {output}/target.txt: kept ")
    assert f" of {len(sources)} pairs" in first
    assert "BLEU" in outcome.out, "the student is scored on the teacher's test set"


def test_distill_accepts_an_ensemble_a_reference_and_own_files(recipe, tiny_run, tmp_path, more):
    files = [f"data.test.source={tmp_path}/more.en", f"data.test.target={tmp_path}/more.fr", "split=test"]
    overrides = ["beam_size=3", "n_best=2", "closest=true", f"ensemble=[{tiny_run}]"]
    outcome = recipe("distill", f"run={tiny_run}", f"output={tmp_path}/out", *files, *overrides)
    assert outcome.code == 0, outcome.err
    sources = (tmp_path / "out" / "source.txt").read_text().splitlines()
    assert set(sources) == {"We work.", "She sleeps."}
    assert 20 < len(sources) <= 40


def test_distill_keeps_the_tag_for_the_command_that_reads_the_files(recipe, tagged_run, tmp_path, more):
    files = [f"data.train.source={tmp_path}/more.en", f"data.train.target={tmp_path}/more.fr"]
    outcome = recipe("distill", f"run={tagged_run}", f"output={tmp_path}/out", *files, "data.source_tag='<2fr> <2de>'")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "out" / "source.txt").read_text().splitlines()[0] == "We work."
    (word,) = [word for word in next_command(outcome.out) if word.startswith("data.more")]
    assert word.endswith("source_tag: '<2fr> <2de>'}]")


def test_a_tag_that_the_model_does_not_know_is_refused(recipe, tagged_run, tmp_path, more):
    """Its words would be translated."""
    test = [f"data.test.source={tmp_path}/more.en", f"data.test.target={tmp_path}/more.fr", "data.source_tag='<2xx>'"]
    train = [
        f"data.train.source={tmp_path}/more.en",
        f"data.train.target={tmp_path}/more.fr",
        "data.source_tag='<2xx>'",
    ]
    commands = {
        "evaluate": test,
        "distill": [*train, f"output={tmp_path}/out"],
        "backtranslate": [f"input={tmp_path}/more.fr", "tag='<2xx>'", f"output={tmp_path}/out"],
    }
    for name, words in commands.items():
        outcome = recipe(name, f"run={tagged_run}", *words)
        assert (outcome.code, outcome.err.count("\n")) == (1, 1)
        assert "was not trained with the tag <2xx>: use one of its tags, <2de>, <2fr>" in outcome.err
        assert not (tmp_path / "out").exists()


TAGS = [([], "<2de>"), (["data.source_tag='<2fr>'"], "<2fr>"), (["data.source_tag=''"], "")]


@pytest.mark.parametrize(("asked", "tag"), TAGS)
def test_own_files_are_evaluated_with_the_tag_of_the_run_by_default(recipe, tagged_run, tmp_path, more, asked, tag):
    own = [f"data.test.source={tmp_path}/more.en", f"data.test.target={tmp_path}/more.fr"]
    outcome = recipe("evaluate", f"run={tagged_run}", "beam_size=1", *own, *asked)
    assert outcome.code == 0, outcome.err
    translator = Translator.load(tagged_run)
    lines = (tagged_run / "hypotheses.test.greedy.txt").read_text().splitlines()
    assert lines[:2] == [
        str(translator.translate(f"{tag} {source}", beam_size=1)) for source in ("We work.", "She sleeps.")
    ]


@pytest.mark.parametrize(("asked", "tag"), TAGS)
def test_own_files_are_distilled_with_the_tag_of_the_run_by_default(recipe, tagged_run, tmp_path, more, asked, tag):
    own = [f"data.train.source={tmp_path}/more.en", f"data.train.target={tmp_path}/more.fr"]
    outcome = recipe("distill", f"run={tagged_run}", f"output={tmp_path}/out", "beam_size=1", *own, *asked)
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "out" / "source.txt").read_text().splitlines()[0] == "We work."
    result = (tmp_path / "out" / "target.txt").read_text().splitlines()[0]
    assert result == str(Translator.load(tagged_run).translate(f"{tag} We work.", beam_size=1))
    named = [word for word in next_command(outcome.out) if "source_tag" in word]
    assert [word.split("=")[0] for word in named] == ["data.source_tag", "data.more"] * bool(tag)
    assert all(tag in word for word in named)


def test_an_existing_folder_is_not_modified(recipe, tiny_run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    for name, overrides in {"distill": [], "backtranslate": [f"input={tmp_path}/out/mine.txt"]}.items():
        outcome = recipe(name, f"run={tiny_run}", f"output={tmp_path}/out", *overrides)
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1
        assert "output=PATH" in outcome.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_backtranslate_drops_blank_lines_and_names_the_next_command(recipe, tiny_run, tmp_path):
    (tmp_path / "mono.de").write_text("We work.\n\n  \nShe\u2028sleeps.\nThe man works.\n")
    output = tmp_path / "back"
    outcome = recipe("backtranslate", f"run={tiny_run}", f"input={tmp_path}/mono.de", f"output={output}", "device=cpu")
    assert outcome.code == 0, outcome.err
    assert "3 pairs from 5 sentences; dropped 2" in outcome.out
    assert "5/5" in outcome.err
    assert (output / "target.txt").read_text() == "We work.\nShe sleeps.\nThe man works.\n"
    sources = (output / "source.txt").read_text().splitlines()
    assert sources[2] == str(Translator.load(tiny_run, "cpu").translate("The man works.", beam_size=1))
    outcome = recipe("train", *next_command(outcome.out), f"run={tmp_path / 'forward'}", *SMALL, *SHORT)
    assert outcome.code == 0, outcome.err
    assert "built-in corpus (train): kept 60 of 60 pairs" in outcome.out
    assert "target.txt (<bt>): kept 3 of 3 pairs" in outcome.out
    tokenizer = load_tokenizers(tmp_path / "forward").source
    assert "<bt>" in tokenizer.tokens(tokenizer.encode("<bt> We work."))


@pytest.mark.parametrize("options", [["search=sampling", "n_best=3"], ["beam_size=3", "n_best=3"]])
def test_backtranslate_writes_several_sources_per_sentence(recipe, tiny_run, tmp_path, options):
    (tmp_path / "mono.de").write_text("We work.\nShe sleeps.\n")
    output = tmp_path / "back"
    outcome = recipe("backtranslate", f"run={tiny_run}", f"input={tmp_path}/mono.de", f"output={output}", *options)
    assert outcome.code == 0, outcome.err
    sources, targets = ((output / name).read_text().splitlines() for name in ("source.txt", "target.txt"))
    assert len(set(zip(sources, targets, strict=True))) == len(sources) > 2
    assert list(dict.fromkeys(targets)) == ["We work.", "She sleeps."]


@pytest.mark.parametrize(("asked", "tag"), [([], "<2de>"), (["tag='<2fr>'"], "<2fr>"), (["tag=''"], "")])
def test_the_reverse_run_uses_its_own_tag_by_default(recipe, tagged_run, tmp_path, asked, tag):
    (tmp_path / "mono.de").write_text("We work.\n")
    outcome = recipe(
        "backtranslate", f"run={tagged_run}", f"input={tmp_path}/mono.de", f"output={tmp_path}/out", *asked
    )
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "out" / "target.txt").read_text() == "We work.\n"
    expected = Translator.load(tagged_run).translate(f"{tag} We work.", beam_size=1)
    assert (tmp_path / "out" / "source.txt").read_text() == f"{expected}\n"


@pytest.mark.parametrize("name", ["distill", "backtranslate"])
def test_without_a_run_nothing_is_written(recipe, tmp_path, name):
    outcome = recipe(name, f"run={tmp_path / 'nowhere'}", f"output={tmp_path / 'out'}")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "run=PATH" in outcome.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_student_predicts_its_teacher_better_than_one_that_learnt_from_the_originals(recipe, tmp_path):
    """On unseen sentences: a teacher's translations vary less than the originals (Kim & Rush 2016, §5.1).

    Every word has two translations, the first with probability 3/5; the teacher always chooses the first.
    """
    chance = random.Random(1)
    for split, size in {"train": 1200, "validation": 150}.items():
        sources = [chance.choices("abcdef", k=chance.randint(1, 3)) for _ in range(size)]
        targets = [[word + chance.choices("12", [3, 2])[0] for word in words] for words in sources]
        for side, lines in {"source": sources, "target": targets}.items():
            (tmp_path / f"{split}.{side}").write_text("".join(f"{' '.join(words)}\n" for words in lines))
    common = ["tokenizer.algorithm=word", "tokenizer.joint=false", "tokenizer.size=40", "batch.tokens=200"]
    common += ["model=attention", "model.tying=none", "model.embedding_size=16", "model.encoder.size=16"]
    common += ["model.decoder.size=32", "optimizer.learning_rate=0.01", "schedule.warmup=20", "model.dropout=0"]
    common += ["schedule=constant", "training.updates=600", "training.validate_every=600", "training.criterion=loss"]

    def files(folder: str, split: str) -> list[str]:
        return [f"data.{split}.{side}={tmp_path}/{folder}{side}{'.txt' if '/' in folder else ''}" for side in SIDES]

    own = [*files("train.", "train"), *files("validation.", "validation")]
    assert recipe("train", f"run={tmp_path / 'teacher'}", *common, *own).code == 0
    for split in ("train", "validation"):
        overrides = [f"run={tmp_path / 'teacher'}", f"output={tmp_path / split}", f"split={split}"]
        assert recipe("distill", *overrides).code == 0
    losses = {}
    for name, text in {"distilled": "train/", "originals": "train."}.items():
        named = [*files(text, "train"), *files("validation/", "validation")]
        pieces = [f"tokenizer.{side}_model={tmp_path}/teacher/tokenizer.{side}.model" for side in SIDES]
        outcome = recipe("train", f"run={tmp_path / name}", *common, *pieces, *named)
        assert outcome.code == 0, outcome.err
        records = map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        losses[name] = min(record["loss"] for record in records if record["kind"] == "validation")
    assert losses["distilled"] < 0.5 * losses["originals"], losses


def test_a_language_that_is_named_wins_over_that_of_the_run_though_it_is_the_default(recipe, tiny_run, tmp_path, more):
    """Else German text of a Chinese run would be scored by characters."""
    run = Path(shutil.copytree(tiny_run, tmp_path / "zh"))
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("target_language: de", "target_language: zh"))
    files = [f"data.test.source={tmp_path}/more.en", f"data.test.target={tmp_path}/more.fr"]
    signatures = []
    for words in (["data.target_language=de"], []):
        outcome = recipe("evaluate", f"run={run}", "beam_size=1", *files, *words)
        assert outcome.code == 0, outcome.err
        signatures.append(json.loads((run / "scores.json").read_text())["test"]["greedy"]["bleu"]["signature"])
    assert ["tok:13a" in signatures[0], "tok:zh" in signatures[1]] == [True, True]

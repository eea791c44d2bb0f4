import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import TINY

from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.errors import ConfigError, DataError
from seq2seq.model import ModelConfig, Network, Tying
from seq2seq.run.folder import load_run
from seq2seq.tokenizer.config import Algorithm, TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.tokenizer.vocabulary import build_tokenizers
from seq2seq.training.config import EmbeddingsConfig
from seq2seq.training.pretrained_embeddings import set_embeddings

CORPUS = PairList("pairs", [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 3)
WORDS = TokenizerConfig(algorithm=Algorithm.word, joint=False, size=9)
MODEL = ModelConfig(embedding_size=3, tying=Tying.none)


@pytest.fixture
def english(tmp_path: Path) -> str:
    path = tmp_path / "en.txt"
    path.write_text("dog 1 2 3\nmouse 9 9 9\ncat 4 5 6\n")
    return str(path)


@pytest.fixture
def german(tmp_path: Path) -> str:
    path = tmp_path / "de.vec"
    path.write_text("3 3\nHund 7 8 9\n</s> 5 5 5\ndog 6 6 6\n")
    return str(path)


def built(tokenizer: TokenizerConfig, model: ModelConfig) -> tuple[Network, Tokenizers]:
    tokenizers = build_tokenizers(tokenizer, CORPUS)
    torch.manual_seed(1)
    return Network(model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint), tokenizers


def test_vectors_replace_their_rows_only(english: str, german: str) -> None:
    (network, tokenizers), (before, _) = built(WORDS, MODEL), built(WORDS, MODEL)
    lines = set_embeddings(network, tokenizers, EmbeddingsConfig(source=english, target=german))
    assert lines == [
        f"embeddings: 2 of 5 source words (40.0 %) from {english}",
        f"embeddings: 1 of 5 target words (20.0 %) from {german}",
    ]
    result = {"source": {"dog": [1, 2, 3], "cat": [4, 5, 6]}, "target": {"Hund": [7, 8, 9]}}
    for side, words in result.items():
        rows = getattr(tokenizers, side).words()
        table, old = (getattr(which, f"{side}_embedding").weight for which in (network, before))
        for word, vector in words.items():
            assert table[rows[word]].tolist() == vector
        others = [row for row in range(len(table)) if row not in {rows[word] for word in words}]
        assert torch.equal(table[others], old[others])
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_without_files_nothing_changes() -> None:
    (network, tokenizers), (before, _) = built(WORDS, MODEL), built(WORDS, MODEL)
    assert set_embeddings(network, tokenizers, EmbeddingsConfig()) == []
    for name, value in network.state_dict().items():
        assert torch.equal(value, before.state_dict()[name])


def test_in_a_shared_table_target_vectors_take_precedence(english: str, german: str) -> None:
    joint = replace(WORDS, joint=True, size=20)
    network, tokenizers = built(joint, replace(MODEL, tying=Tying.all))
    set_embeddings(network, tokenizers, EmbeddingsConfig(source=english, target=german))
    rows, table = tokenizers.target.words(), network.target_embedding.weight
    assert {word: table[rows[word]].tolist() for word in ("dog", "cat", "Hund")} == {
        "dog": [6, 6, 6],
        "cat": [4, 5, 6],
        "Hund": [7, 8, 9],
    }


def test_only_rows_from_files_are_frozen(english: str) -> None:
    network, tokenizers = built(WORDS, MODEL)
    set_embeddings(network, tokenizers, EmbeddingsConfig(source=english, freeze=True))
    frozen = [name for name, parameter in network.named_parameters() if not parameter.requires_grad]
    assert frozen == ["source_embedding.weight"]


@pytest.mark.parametrize(
    ("model", "tokenizer", "changes", "words"),
    [
        ({"embedding_size": 4}, {}, {}, "3 values, model.embedding_size is 4: set model.embedding_size="),
        ({}, {"algorithm": Algorithm.bpe}, {}, "embeddings.source needs a vocabulary of words, not bpe tokens"),
        ({}, {"target_algorithm": Algorithm.char}, {"target": "en"}, "embeddings.target needs a vocabulary of words"),
        ({}, {}, {"source": None, "freeze": True}, "embeddings.freeze=true needs a file: set"),
        ({"tying": Tying.output}, {}, {"target": "en", "freeze": True}, "set model.tying=none or embeddings.freeze="),
        ({"tying": Tying.all}, {}, {"freeze": True}, "set model.tying=output or embeddings.freeze=false"),
        ({"encoder": 0}, {}, {}, "embeddings.source needs an encoder"),
    ],
)
def test_contradictory_settings(
    english: str, model: dict[str, object], tokenizer: dict[str, object], changes: dict[str, object], words: str
) -> None:
    changes = {name: english if value == "en" else value for name, value in changes.items()}
    changed = replace(MODEL, **{name: value for name, value in model.items() if name != "encoder"})  # type: ignore[arg-type]
    if "encoder" in model:
        changed = replace(changed, encoder=replace(changed.encoder, layers=0))
    settings = replace(EmbeddingsConfig(source=english), **changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigError) as error:
        settings.check(changed, replace(WORDS, **tokenizer))  # type: ignore[arg-type]
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_valid_settings(english: str) -> None:
    source = EmbeddingsConfig(source=english, freeze=True)
    source.check(MODEL, WORDS)
    source.check(replace(MODEL, tying=Tying.output), WORDS)
    EmbeddingsConfig(target=english).check(replace(MODEL, tying=Tying.all), replace(WORDS, joint=True))
    # The kind of a named model is known only after loading it.
    source.check(MODEL, replace(WORDS, algorithm=Algorithm.bpe, source_model="named"))


def test_a_subword_vocabulary_and_a_file_of_another_language_give_one_line(english: str, tmp_path: Path) -> None:
    network, tokenizers = built(replace(WORDS, algorithm=Algorithm.char, size=300), MODEL)
    with pytest.raises(ConfigError, match=r"embeddings\.source needs a vocabulary of words"):
        set_embeddings(network, tokenizers, EmbeddingsConfig(source=english))
    network, tokenizers = built(WORDS, MODEL)
    with pytest.raises(DataError, match="has none of the 5 target words"):
        set_embeddings(network, tokenizers, EmbeddingsConfig(target=english))


@pytest.mark.slow
def test_a_run_with_words_and_frozen_vectors(recipe, tmp_path: Path) -> None:
    """The recipe reports the coverage, does not change the frozen table and resumes."""
    vectors = tmp_path / "en.txt"
    vectors.write_text("".join(f"{word}{f' {value}' * 16}\n" for word, value in (("the", 0.25), ("my", 0.5))))
    options = [*TINY, "tokenizer=word", "tokenizer.joint=false", "model.tying=none", "embeddings.freeze=true"]
    run = [f"run={tmp_path / 'run'}", *options, f"embeddings.source={vectors}"]
    outcome = recipe("train", *run, "training.updates=10")
    assert outcome.code == 0, outcome.err
    assert re.search(r"^embeddings: 2 of \d+ source words \(\d\.\d %\) from .*en\.txt$", outcome.out, re.MULTILINE)
    first = load_run(tmp_path / "run").network.source_embedding
    assert recipe("train", *run).code == 0
    loaded = load_run(tmp_path / "run")
    table, rows = loaded.network.source_embedding, loaded.tokenizers.source.words()
    assert first is not None
    assert table is not None
    assert torch.equal(table.weight, first.weight)
    assert table.weight[rows["the"]].tolist() == [0.25] * 16
    updates = [json.loads(line)["update"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert updates == sorted(updates)
    assert updates[-1] == 20


@pytest.mark.slow
def test_frozen_embeddings_stay_frozen_after_a_warm_start(recipe, tmp_path: Path) -> None:
    """Also in a second warm start, and after resuming without the folder of the start."""
    vectors = tmp_path / "en.txt"
    vectors.write_text("the " + " ".join(["0.25"] * 16) + "\n")
    options = [*TINY, "tokenizer=word", "tokenizer.joint=false", "model.tying=none"]

    def run(name: str, *more: str) -> torch.Tensor:
        outcome = recipe("train", f"run={tmp_path / name}", *options, *more)
        assert outcome.code == 0, outcome.err
        frozen = "embeddings: the source table is frozen" in outcome.out.splitlines()
        assert frozen == (name != "thawed")
        table = load_run(tmp_path / name).network.source_embedding
        assert table is not None
        return table.weight

    first = run("first", f"embeddings.source={vectors}", "embeddings.freeze=true")
    assert torch.equal(run("second", f"training.start={tmp_path / 'first'}"), first)
    assert torch.equal(run("third", f"training.start={tmp_path / 'second'}", "training.updates=10"), first)
    thaw = f"training.start={tmp_path / 'second'}", "embeddings.unfreeze=true"
    assert not torch.equal(run("thawed", *thaw), first)
    shutil.rmtree(tmp_path / "second")
    assert torch.equal(run("third", f"training.start={tmp_path / 'second'}"), first)
    outcome = recipe("train", f"run={tmp_path / 'x'}", *options, f"training.start={tmp_path / 'thawed'}", thaw[1])
    assert outcome.code == 1
    assert "thawed has no frozen embeddings: leave it out" in outcome.err
    assert not (tmp_path / "x").exists()


def test_a_wrong_width_is_refused_before_a_folder_is_created(recipe, english: str, tmp_path: Path) -> None:
    outcome = recipe("train", f"run={tmp_path / 'run'}", *TINY, "tokenizer=word", f"embeddings.source={english}")
    assert outcome.code == 1
    assert "set model.embedding_size=3" in outcome.err
    assert outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


BAD = {
    "the 1 2 3\nmy 1 two 3\n": "line 2: ",
    "2 3\nthe 1 2 3\n": "the first line announces 2 words, but 1 follow",
    "zzz 1 2 3\n": "has none of the",
}


@pytest.mark.slow
def test_invalid_vectors_create_no_folder_and_do_not_change_a_run(recipe, tmp_path: Path) -> None:
    vectors, run = tmp_path / "en.txt", tmp_path / "run"
    options = [f"run={run}", *TINY, "tokenizer=word", "tokenizer.size=100", "tokenizer.joint=false"]
    options += ["model.embedding_size=3", "training.updates=1", f"embeddings.source={vectors}"]
    for text, words in BAD.items():
        vectors.write_text(text)
        outcome = recipe("train", *options)
        assert outcome.code == 1
        assert words in outcome.err
        assert outcome.err.count("\n") == 1, outcome.err
        assert sorted(path.name for path in tmp_path.iterdir()) == ["en.txt", "prepared"]
    vectors.write_text("the 1 2 3\nmy 4 5 6\n")
    assert recipe("train", *options).code == 0, "the folder is free"
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    for text in BAD:
        vectors.write_text(text)
        assert recipe("train", *options).code == 1
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

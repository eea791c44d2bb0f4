import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from seq2seq.config.recipes import TrainConfig
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.data.ibm_model1 import learn_lexicon
from seq2seq.data.preparation import encode_corpus
from seq2seq.errors import DataError, RunError
from seq2seq.inference.config import ShortlistConfig
from seq2seq.model import ModelConfig, Network
from seq2seq.model.weights import save_quantized, save_weights
from seq2seq.run.folder import (
    LoadedRun,
    RunFolder,
    load_run,
)
from seq2seq.run.resume import open_run
from seq2seq.run.vocabulary import learn_shortlist, prepare_tokenizers
from seq2seq.search import SearchConfig
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import Tokenizers
from seq2seq.training import Adam, Cosine

CORPUS = PairList("pairs", [Pair("the dog sees a cat", "der Hund sieht eine Katze")] * 4)


def settings() -> TrainConfig:
    config = TrainConfig(optimizer=Adam(), schedule=Cosine())
    config.tokenizer = TokenizerConfig(size=290)
    config.model = ModelConfig(embedding_size=6)
    config.model.encoder.size = 4
    config.model.decoder.size = 5
    return config


def network_of(config: TrainConfig, tokenizers: Tokenizers) -> Network:
    torch.manual_seed(1)
    return Network(config.model, tokenizers.source.size, tokenizers.target.size, tokenizers.joint).eval()


def logits(network: Network) -> torch.Tensor:
    source_BS, target_BT = torch.tensor([[5, 9, 2], [8, 2, 3]]), torch.tensor([[1, 7, 7], [1, 9, 3]])
    with torch.inference_mode():
        return network(source_BS, torch.tensor([3, 2]), target_BT, torch.arange(5))


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, Network]:
    folder, config = tmp_path_factory.mktemp("runs") / "trained", settings()
    config.search.beam_size = 7
    open_run(folder, config)
    network = network_of(config, prepare_tokenizers(folder, config.tokenizer, CORPUS))
    save_weights(network, folder / "model.safetensors")
    return folder, network


@pytest.fixture
def folder(trained, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(trained[0], tmp_path / "copy"))


def one_line(call: Callable[[], object], kind: type[Exception] = RunError) -> str:
    with pytest.raises(kind) as raised:
        call()
    assert "\n" not in str(raised.value)
    return str(raised.value)


def write(folder: Path, text: str) -> None:
    (folder / "config.yaml").write_text(text, "utf-8")


def edit(folder: Path, path: str, value: object) -> None:
    """Set one setting of config.yaml."""
    values = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    *parents, last = path.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    place[last] = value
    write(folder, yaml.safe_dump(values))


# Read


@pytest.mark.parametrize("place", ["nowhere", "file", "file/below", "empty"])
def test_a_folder_without_config_is_not_a_run_folder(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for call in (RunFolder.open, load_run):
        message = one_line(lambda call=call: call(tmp_path / place))
        assert f"{tmp_path / place} is not a run folder (config.yaml is missing)" in message


@pytest.mark.parametrize(
    "text", ["", "- a\n- b\n", "just words", "a: [1, 2", "a: b: c", "day: 2024-99-99", "[" * 2000, "\x00", "a: \ud800"]
)
def test_a_config_that_is_not_a_mapping_is_refused(tmp_path, text):
    (tmp_path / "config.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    assert f"{tmp_path / 'config.yaml'} is damaged" in one_line(lambda: RunFolder.open(tmp_path))


@pytest.mark.parametrize("tag", ["python/object/apply:os.mkdir", "python/object/new:os.mkdir", "python/name:os.mkdir"])
def test_nothing_in_a_config_is_executed(tmp_path, monkeypatch, tag):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, f"model: !!{tag} [executed]\n")
    assert "is damaged" in one_line(lambda: load_run(tmp_path))
    write(tmp_path, "model:\n  _target_: os.mkdir\n  path: executed\n")
    assert "section model is not usable" in one_line(lambda: load_run(tmp_path))
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ("model: {embedding_size: 8, colour: red}", "colour"),
        ("model: {embedding_size: 0}", "embedding_size must be at least 1, got 0"),
        ("model: {dropout: 1.5}", "dropout must be in [0, 1), got 1.5"),
        ("model: {dropout: .nan}", "dropout must be in [0, 1), got nan"),
        ("model: {embedding_size: many}", "many"),
        ("model: {embedding_size: null}", "embedding_size"),
        ("model: {encoder: 3}", "int is not a subclass of EncoderConfig"),
        ("model: {encoder: [1, 2]}", "list is not a subclass of EncoderConfig"),
        ("model: {summary: median}", "median"),
        ("model: {decoder: {feed_context: perhaps}}", "perhaps"),
        ("model: [1, 2]", "it is not a mapping"),
        ("model: large", "it is not a mapping"),
        ("model: null", "it is missing"),
        ("search: {beam_size: 3}", "it is missing"),
    ],
)
def test_a_section_that_does_not_fit_is_refused_with_the_reason(tmp_path, section, reason):
    write(tmp_path, section + "\n")
    message = one_line(lambda: RunFolder.open(tmp_path).section("model", ModelConfig))
    assert message.startswith(f"{tmp_path / 'config.yaml'}: section model is not usable (")
    assert reason in message
    assert message.endswith(": restore it or retrain")


def test_missing_settings_of_a_section_have_their_defaults(tmp_path):
    write(tmp_path, "search: {beam_size: 9}\n")
    assert RunFolder.open(tmp_path).section("search", SearchConfig) == SearchConfig(beam_size=9)


# Loaded


def test_a_saved_run_loads_unchanged(trained):
    folder, network = trained
    run = load_run(folder)
    assert isinstance(run, LoadedRun)
    assert not run.network.training
    assert torch.equal(logits(run.network), logits(network))
    assert run.search.beam_size == 7
    assert not run.quantized
    assert run.tokenizers.source.decode(run.tokenizers.source.encode("the dog sees")) == "the dog sees"


def test_three_files_are_a_model(trained, tmp_path):
    folder, network = trained
    for name in ("config.yaml", "tokenizer.model", "model.safetensors"):
        shutil.copy(folder / name, tmp_path)
    assert torch.equal(logits(load_run(tmp_path).network), logits(network))


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.model"])
def test_a_truncated_file_is_refused(folder, name, share):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: int(share * len(whole))])
    message = one_line(lambda: load_run(folder), RunError if name == "model.safetensors" else DataError)
    assert str(folder / name) in message


@pytest.mark.parametrize("name", ["config.yaml", "model.safetensors", "tokenizer.model"])
def test_a_file_that_is_missing_is_named(folder, name):
    (folder / name).unlink()
    assert name in one_line(lambda: load_run(folder), DataError if name == "tokenizer.model" else RunError)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("model.embedding_size", 7, r"does not belong to config\.yaml: \S+ is \[.*\] in the file, \[.*\] in the model"),
        ("model.encoder.layers", 2, r"does not belong to config\.yaml: the file has no encoder"),
        ("model.tying", "none", r"does not belong to config\.yaml: the model of config\.yaml has no decoder\.readout"),
        ("model.bridge", "copy", r"section model is not usable \(model\.bridge=copy needs"),
        ("model.embedding_size", 10**15, r"does not belong to config\.yaml"),
        ("model.embedding_size", 10**19, r"section model is not usable \(embedding_size .* 64 bits"),
        ("model.colour", "red", r"section model is not usable \(.*colour"),
        ("model.dropout", -1, "section model is not usable"),
        ("model.dropout", 10**400, "section model is not usable"),
        ("search.beam_size", 0, r"section search is not usable \(beam_size must be in \[1, 10000\], got 0\)"),
        ("search", ["beam_size"], r"section search is not usable \(it is not a mapping\)"),
    ],
)
def test_a_config_that_does_not_belong_to_the_weights_is_refused(folder, path, value, reason):
    edit(folder, path, value)
    assert re.search(reason, one_line(lambda: load_run(folder)))


# Tokenizers


def test_tokenizers_are_trained_once(tmp_path):
    first = prepare_tokenizers(tmp_path, TokenizerConfig(size=290), CORPUS)
    other = PairList("other", [Pair("quite other words", "ganz andere Worte")] * 4)
    again = prepare_tokenizers(tmp_path, TokenizerConfig(size=290), other)
    assert again.source.to_bytes() == first.source.to_bytes()
    assert again.joint
    assert [path.name for path in tmp_path.iterdir()] == ["tokenizer.model"]


def test_an_incomplete_pair_of_tokenizers_is_rebuilt(tmp_path):
    config = TokenizerConfig(size=280, joint=False)
    first = prepare_tokenizers(tmp_path, config, CORPUS)
    (tmp_path / "tokenizer.source.model").unlink()
    again = prepare_tokenizers(tmp_path, config, CORPUS)
    assert not again.joint
    assert again.source.to_bytes() == first.source.to_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tokenizer.source.model", "tokenizer.target.model"]


def test_failed_tokenizer_training_leaves_no_file(tmp_path):
    with pytest.raises(DataError):
        prepare_tokenizers(tmp_path, TokenizerConfig(size=290), PairList("blank", [Pair(" ", " ")]))
    assert list(tmp_path.iterdir()) == []


# In 8 bits, and the shortlist


def test_an_8_bit_run_loads_with_small_differences(trained, folder):
    save_quantized(trained[1], folder / "model.safetensors")
    run = load_run(folder)
    assert run.quantized
    assert {parameter.dtype for parameter in run.network.parameters()} == {torch.float32}
    actual, expected = logits(run.network), logits(trained[1])
    assert not torch.equal(actual, expected)
    assert (actual - expected).abs().max() < 0.02 * (expected.max() - expected.min())


def test_a_truncated_8_bit_run_is_refused(trained, folder):
    save_quantized(trained[1], folder / "model.safetensors")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert str(folder / "model.safetensors") in one_line(lambda: load_run(folder))


def test_a_shortlist_is_learned_and_saved(folder):
    tokenizers = load_run(folder).tokenizers
    table = encode_corpus(CORPUS, tokenizers, folder / "train.arrow", None)
    learned = learn_lexicon(table, tokenizers.source.size, tokenizers.target.size, 100, seed=1)
    learn_shortlist(folder, ShortlistConfig(), learned, tokenizers)
    shortlist = RunFolder.open(folder).load_shortlist(tokenizers)
    assert shortlist.target_size == tokenizers.target.size
    source = torch.tensor([tokenizers.source.encode("the dog sees a cat")])
    listed = set(shortlist.choose(source, torch.tensor([source.size(1)])).tokens_U.tolist())
    assert {*tokenizers.target.encode("der Hund sieht eine Katze")} <= listed
    assert len(listed) < tokenizers.target.size / 2


def test_a_shortlist_that_is_missing_or_damaged_is_refused(folder):
    tokenizers, path = load_run(folder).tokenizers, folder / "shortlist.safetensors"
    assert f"{path} is missing" in one_line(lambda: RunFolder.open(folder).load_shortlist(tokenizers))
    path.write_bytes(b"damaged")
    assert str(path) in one_line(lambda: RunFolder.open(folder).load_shortlist(tokenizers))

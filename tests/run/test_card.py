"""The model card of a folder."""

import json

import huggingface_hub
import pytest
import yaml
from model_folders import model_folder

from seq2seq import LanguageModel, Translator
from seq2seq.corpora.config import DataConfig, MoreConfig
from seq2seq.evaluation.evaluate import evaluate, evaluate_language_model
from seq2seq.model import ModelConfig
from seq2seq.model.weights import save_quantized
from seq2seq.run.card import is_generated, model_card, read_card, write_card
from seq2seq.run.folder import CARD, MODEL, RunFolder, new_model_folder

CORPUS = "/home/me/test.tsv"
PAIRS = [("the dog sees a cat", "der Hund sieht eine Katze"), ("the dog", "der Hund")]


@pytest.fixture
def run(tmp_path):
    folder = model_folder(tmp_path / "mine")
    write_card(folder, facts={"pairs": 1234, "validation_pairs": 56})
    return folder


def score(folder, name="test"):
    from seq2seq.corpora.corpus import Pair

    pairs = [Pair(*pair) for pair in PAIRS]
    translator = Translator.load(folder, precision="float32")  # trying int8 takes seconds
    return evaluate(translator, pairs, translator.search, folder=folder, name=name, corpus=CORPUS, bootstrap=20)


def front_matter(card):
    """What a hub reads, by its own library."""
    return huggingface_hub.ModelCard(card, ignore_metadata_errors=False).data


def test_a_hub_reads_languages_scores_and_signatures(run):
    assert front_matter(read_card(run)).eval_results is None
    scores = score(run)
    card = read_card(run)
    data = front_matter(card)
    assert (data.language, data.pipeline_tag, data.license) == (["en", "de"], "translation", None)
    own = scores["beam"]
    expected = [
        (name, round(metric.score, 2), {"signature": metric.signature})
        for name, metric in (("bleu", own.bleu), ("chrf", own.chrf))
    ]
    assert [(each.metric_type, each.metric_value, each.metric_args) for each in data.eval_results] == expected
    assert {each.dataset_name for each in data.eval_results} == {"test.tsv"}, "folders may be private"
    assert "/home/me" not in card


def test_the_text_states_data_sizes_and_scores(run):
    scores = score(run)
    card = read_card(run)
    network = RunFolder.open(run).load().network
    assert f"| parameters | {sum(parameter.numel() for parameter in network.parameters()):,} |" in card
    assert "| 1,234 |" in card
    assert "from English (en) to German (de)" in card
    low, high = scores["greedy"].chrf.ci95
    assert f"| greedy | chrF | {scores['greedy'].chrf.score:.1f} | {low:.1f} to {high:.1f} | `nrefs:1" in card
    assert not any(text in card for pair in PAIRS for text in pair), "no text of the corpus"


def test_a_card_is_deterministic_and_kept_up_to_date(run):
    score(run)
    first = (run / CARD).read_bytes()
    (run / CARD).unlink()
    write_card(run, facts={"pairs": 1234, "validation_pairs": 56})
    assert (run / CARD).read_bytes() == first
    score(run, "validation")
    assert "| validation: test.tsv |" in read_card(run)
    assert is_generated(read_card(run))


@pytest.mark.slow
def test_scores_of_other_weights_are_left_out(run):
    score(run)
    scores = json.loads((run / "scores.json").read_text("utf-8"))
    scores["other"] = {**scores["test"], "models": ["0" * 64]}
    scores["damaged"] = {**scores["test"], "beam": {"search": {}, "beam_size": "x"}, "greedy": 1}
    (run / "scores.json").write_text(json.dumps(scores), "utf-8")
    card = model_card(RunFolder.open(run))
    assert "other: test.tsv" not in card
    assert "| test: test.tsv |" in card


def test_a_changed_card_is_never_overwritten_but_the_licence_may_be_filled_in(run, caplog):
    caplog.set_level("INFO", "seq2seq")
    filled_in = read_card(run).replace("# license: cc-by-4.0", "license: mit #")
    (run / CARD).write_text(filled_in, "utf-8")
    score(run)
    assert front_matter(read_card(run)).license == "mit"
    assert "Not chosen" not in read_card(run)
    assert front_matter(read_card(run)).eval_results
    changed = read_card(run).replace("# mine", "# Our own model")
    (run / CARD).write_text(changed, "utf-8")
    score(run, "validation")
    assert read_card(run) == changed
    assert "has your changes and stays as it is" in caplog.text
    (run / CARD).unlink()
    assert write_card(run)
    assert "validation" in read_card(run)


def test_the_settings_name_licence_and_data(tmp_path):
    for name, text in (("train.en", "a\n"), ("train.de", "b\n"), ("more.tsv", "c\td\n")):
        (tmp_path / name).write_text(text, "utf-8")
    data = DataConfig(source_language="zh-Hant", target_language="lld")
    data.train.source, data.train.target = str(tmp_path / "train.en"), str(tmp_path / "train.de")
    data.more = [MoreConfig(file=str(tmp_path / "more.tsv"), weight=2.0)]
    run = RunFolder.open(model_folder(tmp_path / "mine", data=data, licence="CC-BY-4.0"))
    card = model_card(run)
    assert "| train | `train.en` and `train.de`, `more.tsv` (weight 2.0) |" in card
    assert str(tmp_path) not in card
    assert front_matter(card).license == "cc-by-4.0"
    assert front_matter(card).language == ["zh", "lld"]
    named = RunFolder(run.path, run.text, {**run.settings, "licence": "Ours: 1\n---"})
    assert yaml.safe_load(model_card(named).split("---\n")[1])["license_name"] == "Ours: 1\\n---"


@pytest.mark.slow
def test_a_quantized_model_has_a_card_of_its_own_without_foreign_scores(run, tmp_path):
    score(run)
    folder = RunFolder.open(run)
    loaded = folder.load()
    with new_model_folder(folder, loaded, tmp_path / "small") as made:
        save_quantized(loaded.network, made / MODEL, loaded.metadata)
        write_card(made, folder, name="small", facts={"origin": "Rounded."})
    card = read_card(tmp_path / "small")
    assert "Not evaluated yet" in card
    for words in ("# small", "| weights | int8, ", "Rounded.", "| 1,234 |"):
        assert words in card
    parameters = sum(parameter.numel() for parameter in loaded.network.parameters())
    assert f"| parameters | {parameters:,} |" in card
    score(tmp_path / "small")
    assert "Rounded." in read_card(tmp_path / "small")
    assert front_matter(read_card(tmp_path / "small")).eval_results


@pytest.mark.slow
def test_an_exported_folder_lists_its_files(run, tmp_path):
    score(run)
    exported = tmp_path / "exported"
    exported.mkdir()
    (exported / MODEL).write_bytes((run / MODEL).read_bytes())
    for name, size in {"config.json": 10, "step.onnx": 2_500_000, "index.html": 300}.items():
        (exported / name).write_bytes(b" " * size)
    card = model_card(RunFolder.open(run), exported, name="exported")
    assert "| `step.onnx` | 2.5 MB |" in card
    assert "It runs with onnxruntime, numpy, a browser" in card
    assert "python translate.py" in card
    assert front_matter(card).eval_results, "the weights are those of the run"


def test_a_card_that_is_no_text_file_stays(run, tmp_path):
    (run / CARD).unlink()
    (run / CARD).symlink_to(tmp_path)
    assert not write_card(run)
    assert (run / CARD).is_symlink()


def test_a_language_model_states_its_perplexity(tmp_path):
    model = ModelConfig(embedding_size=6)
    model.encoder.layers, model.decoder.size = 0, 5
    folder = model_folder(tmp_path / "lm", model=model)
    texts = [target for _, target in PAIRS]
    result = evaluate_language_model(LanguageModel.load(folder), texts, folder=folder, name="test", corpus=CORPUS)
    card = read_card(folder)
    assert f"| perplexity per word | {result.per_word:,.1f} |" in card
    assert front_matter(card).pipeline_tag == "text-generation"
    assert "encoder" not in card
    assert "seq2seq.LanguageModel.load" in card

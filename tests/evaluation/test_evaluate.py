"""Validation while a model learns, scores afterwards."""

import json
import math
import shutil
from dataclasses import asdict, replace

import pytest
import sacrebleu
import torch
from random_runs import random_run

from seq2seq import Translator, __version__
from seq2seq.corpora.corpus import Pair, PairList
from seq2seq.data.config import BatchConfig
from seq2seq.data.preparation import encode_corpus
from seq2seq.errors import RunError
from seq2seq.evaluation.evaluate import evaluate, evaluate_on_test, provenance, searches, write_scores
from seq2seq.evaluation.validation import Validator
from seq2seq.metrics.score import score
from seq2seq.run.provenance import file_hash, hash_if_run, model_hash, text_hash
from seq2seq.search import Method, SearchConfig
from seq2seq.system.precision import Precision
from seq2seq.training.config import Criterion

PAIRS = [Pair("We work.", "Wir arbeiten."), Pair("Where is my key?", "Wo ist mein Schlüssel?"), Pair("", "Nichts.")]


def test_evaluation_writes_what_it_scores(tiny_run, tmp_path):
    translator = Translator.load(tiny_run)
    scores = evaluate(
        translator, PAIRS, translator.search.beam(2), folder=tmp_path, name="test", corpus="three lines", bootstrap=10
    )
    written = json.loads((tmp_path / "scores.json").read_text())["test"]
    for label in ("greedy", "beam"):
        hypotheses = (tmp_path / f"hypotheses.test.{label}.txt").read_text().split("\n")[:-1]
        assert len(hypotheses) == 3
        assert scores[label] == score(hypotheses, [pair.target for pair in PAIRS], bootstrap=10)
        assert written[label]["bleu"]["score"] == scores[label].bleu.score
        assert "version" in written[label]["bleu"]["signature"]
        assert len(written[label]["bleu"]["ci95"]) == 2
        assert written[label]["hypotheses"] == text_hash(hypotheses)
        assert written[label]["search"]["beam_size"] == written[label]["beam_size"] == (2 if label == "beam" else 1)
        assert written[label]["search"]["length_penalty"] == translator.search.length_penalty
    assert written["corpus"] == "three lines"
    assert written["version"] == __version__
    assert written["references"] == text_hash([pair.target for pair in PAIRS])
    assert written["models"] == [model_hash(tiny_run)]
    assert (written["precision"], written["device"], written["shortlist"]) == ("float32", translator.device.type, None)


def test_provenance_names_every_model_of_an_ensemble(tiny_run, tmp_path):
    language_model = random_run(
        tiny_run, tmp_path / "lm", 1, {"encoder.layers": 0, "attention": "none", "bridge": "zero"}
    )
    other = random_run(tiny_run, tmp_path / "b", 2)
    translator = Translator.load([tiny_run, other], shortlist=True, language_model=language_model)
    reported = provenance(translator, ["eins"])
    assert reported["models"] == [model_hash(tiny_run), model_hash(other)]
    assert reported["ensemble"] == [str(tiny_run), str(other)]
    assert reported["language_model_hash"] == model_hash(language_model)
    assert reported["shortlist"] == file_hash(tiny_run / "shortlist.safetensors")


def test_evaluation_of_a_translator_shows_scores_and_examples(tiny_run, tmp_path):
    for name in ("config.yaml", "tokenizer.model", "model.safetensors"):
        shutil.copy(tiny_run / name, tmp_path)
    lines = evaluate_on_test(tmp_path, PairList("nine lines", PAIRS * 3), "cpu").splitlines()
    assert lines[0] == "nine lines, 9 sentences"
    assert {"greedy", "beam"} <= set(lines)
    assert [line for line in lines if line.startswith("source ")].count("source     We work.") >= 1
    assert sum(line.startswith("model ") for line in lines) == 5
    assert f"model      {Translator.load(tmp_path, 'cpu').translate('We work.')}" in lines
    assert json.loads((tmp_path / "scores.json").read_text())["test"]["corpus"] == "nine lines"


def test_evaluation_of_a_language_model_shows_perplexity(tiny_run, tmp_path):
    folder = random_run(tiny_run, tmp_path / "lm", 1, {"encoder.layers": 0, "attention": "none", "bridge": "zero"})
    lines = evaluate_on_test(folder, PairList("two lines", PAIRS[:2]), "cpu").splitlines()
    assert lines[0] == "two lines, 2 sentences"
    assert lines[1].startswith("perplexity per token")
    written = json.loads((folder / "scores.json").read_text())["test"]
    assert written["perplexity"]["sentences"] == 2
    assert written["references"] == text_hash([pair.target for pair in PAIRS[:2]])
    assert written["models"] == [model_hash(folder)]


def test_writing_one_entry_keeps_the_others(tmp_path):
    path = tmp_path / "scores.json"
    write_scores(path, "test", {"a": 1})
    write_scores(path, "validation", {"b": 2})
    write_scores(path, "test", {"c": 3})
    assert json.loads(path.read_text()) == {"test": {"c": 3}, "validation": {"b": 2}}


def test_the_card_of_an_exported_folder_stays_and_a_line_says_so(exported, tmp_path, caplog):
    """Its settings are too few for a new card. The scores name its weights, as those of a run do."""
    caplog.set_level("INFO", "seq2seq")
    (tmp_path / "config.json").write_text("{}", "utf-8")
    (tmp_path / "README.md").write_text("A card.", "utf-8")
    write_scores(tmp_path / "scores.json", "test", {"a": 1})
    assert (tmp_path / "README.md").read_text("utf-8") == "A card."
    [line] = [record.getMessage() for record in caplog.records]
    assert "README.md and the page state the scores that the run had when it was exported" in line
    assert hash_if_run(str(exported.folder)) == model_hash(exported.folder) != model_hash(exported.int8)
    assert hash_if_run(str(tmp_path / "missing")) is None


def test_a_failed_write_keeps_the_old_scores(tmp_path):
    path = tmp_path / "scores.json"
    write_scores(path, "test", {"a": 1})
    with pytest.raises(TypeError):
        write_scores(path, "validation", {"b": object()})
    assert json.loads(path.read_text()) == {"test": {"a": 1}}
    assert [entry.name for entry in tmp_path.iterdir()] == ["scores.json"]


def test_the_validation_loss_is_the_mean_over_tokens(tiny_run, tmp_path):
    """Compared with the log-probabilities of a search stepper, token by token."""
    translator = Translator.load(tiny_run, device="cpu")
    network, tokenizers = translator.members[0].network, translator.members[0].tokenizers
    pairs = PAIRS[:2]
    table = encode_corpus(PairList("two", pairs), tokenizers, tmp_path / "two.arrow", None)
    validator = Validator(table, pairs, tokenizers, BatchConfig(tokens=64), Precision.float32)
    outcome = validator(network, 7)
    total, tokens = 0.0, 0
    for pair in pairs:
        source = torch.tensor([[*tokenizers.source.encode(pair.source), 2]])
        target = [*tokenizers.target.encode(pair.target), 2]
        with torch.no_grad():
            logits = network(
                source, torch.tensor([source.size(1)]), torch.tensor([[1, *target[:-1]]]), torch.arange(len(target))
            )
        log_probabilities = logits.log_softmax(1)
        total -= sum(float(log_probabilities[place, piece]) for place, piece in enumerate(target))
        tokens += len(target)
    assert outcome.update == 7
    assert outcome.loss == pytest.approx(total / tokens, rel=1e-5)
    assert 0 <= outcome.bleu <= 100
    assert math.isfinite(outcome.bleu)


def validator(run, folder, pairs=PAIRS[:2], **settings):
    tokenizers = Translator.load(run, device="cpu").members[0].tokenizers
    table = encode_corpus(PairList("two", pairs), tokenizers, folder / "two.arrow", None)
    return Validator(table, pairs, tokenizers, BatchConfig(tokens=64), Precision.float32, **settings)


def test_validation_searches_greedily_within_the_limits_of_the_run(learned_run, tmp_path):
    """As `Translator.translate` with the run's settings; chrF is computed if it is the criterion."""
    translator, references = Translator.load(learned_run, device="cpu"), [pair.target for pair in PAIRS[:2]]
    result = {}
    for offset in (1, 3, 40):
        search = SearchConfig(beam_size=3, max_length_ratio=0.0, max_length_offset=offset)
        validate = validator(learned_run, tmp_path, search=search, criterion=Criterion.chrf)
        texts = [translator.translate(pair.source, search=search.beam(1)).text for pair in PAIRS[:2]]
        result[offset] = validate(translator.members[0].network, 1).chrf
        assert result[offset] == pytest.approx(sacrebleu.corpus_chrf(texts, [references]).score)
    assert len(set(result.values())) == 3
    assert validator(learned_run, tmp_path)(translator.members[0].network, 1).chrf is None


def test_samples_are_the_translations_of_the_same_sentences_each_time(tiny_run, tmp_path):
    """Neither they nor their pictures change the random state of training."""
    pairs = [Pair(f"{'very ' * count}old", str(count)) for count in (3, 0, 4, 1, 2)]
    translator, drawn = Translator.load(tiny_run, device="cpu"), []
    network = translator.members[0].network

    def draw(translation):
        drawn.append((translation.text, translation.attention.shape, translation.tokens, translation.source_tokens))
        return b"picture"

    validate = validator(tiny_run, tmp_path, pairs, samples=3, draw=draw, search=translator.search)
    state = torch.get_rng_state()
    outcomes = [validate(network, update) for update in (1, 2)]
    assert [(sample.source, sample.reference) for sample in validate.samples] == [pairs[1], pairs[4], pairs[2]]
    assert [sample.hypothesis for sample in validate.samples] == [
        translator.translate(sample.source, beam_size=1).text for sample in validate.samples
    ]
    assert not drawn, "only a logger that shows pictures has them drawn"
    assert [sample.picture() for sample in validate.samples] == [b"picture"] * 3
    assert [text for text, *_ in drawn] == [sample.hypothesis for sample in validate.samples]
    assert all(shape == (len(tokens) + 1, len(sources) + 1) for _, shape, tokens, sources in drawn)
    assert torch.equal(torch.get_rng_state(), state)
    without = validator(tiny_run, tmp_path, pairs, search=translator.search)
    assert [without(network, update) for update in (1, 2)] == outcomes
    assert without.samples == []


@pytest.mark.parametrize(("language", "expected"), [("de", 0.0), ("zh", 100.0), ("cmn", 100.0)])
def test_validation_bleu_uses_the_tokenizer_of_the_language(tiny_run, tmp_path, monkeypatch, language, expected):
    pairs = [Pair("We work.", "我们在厨房里工作。"), Pair("Where is my key?", "我的钥匙在哪里？")]
    texts = [pair.target for pair in pairs]  # a perfect translator
    monkeypatch.setattr("seq2seq.evaluation.validation.translate_distributed", lambda translator, sources: iter(texts))
    network = Translator.load(tiny_run, device="cpu").members[0].network
    actual = validator(tiny_run, tmp_path, pairs, target_language=language)(network, 1)
    assert actual.bleu == pytest.approx(expected)


def test_the_search_method_of_the_run_is_scored_besides_greedy(tiny_run, tmp_path):
    translator = Translator.load(tiny_run)
    search = SearchConfig(method=Method.minimum_bayes_risk, samples=4, n_best=2)
    scores = evaluate(translator, PAIRS, search, folder=tmp_path, name="test", corpus="three lines", bootstrap=10)
    assert list(scores) == ["greedy", "minimum_bayes_risk"]
    lines = (tmp_path / "hypotheses.test.minimum_bayes_risk.txt").read_text().split("\n")[:-1]
    expected = replace(search, n_best=1)
    assert lines == [
        str(translation) for translation in translator.translate([pair.source for pair in PAIRS], search=expected)
    ]
    written = json.loads((tmp_path / "scores.json").read_text())["test"]["minimum_bayes_risk"]
    assert written["search"] == asdict(expected)
    assert list(searches(SearchConfig(beam_size=1))) == ["greedy"]


@pytest.mark.parametrize("damaged", [b"{half", b"[]", b"\xff"])
def test_damaged_scores_are_one_line_and_stay(tmp_path, damaged):
    path = tmp_path / "scores.json"
    path.write_bytes(damaged)
    with pytest.raises(RunError, match=r"scores\.json is damaged .*: delete it") as raised:
        write_scores(path, "test", {"a": 1})
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == damaged


def test_evaluation_reports_blank_and_suspicious_outputs(tiny_run, tmp_path, caplog):
    """The network is almost untrained, so that its translations end at the maximum length."""
    translator = Translator.load(tiny_run)
    pairs = [Pair("We work.", "Wir arbeiten."), Pair("She works.", " "), Pair("", "")]
    evaluate(translator, pairs, translator.search.beam(1), folder=tmp_path, name="test", corpus="c", bootstrap=10)
    blank, suspicious = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert blank == "greedy: blank: 2 of 3 references, 1 output"
    assert suspicious.startswith("greedy: suspicious translations of 2 sentences: ")
    assert "2 cut off at the maximum length" in suspicious

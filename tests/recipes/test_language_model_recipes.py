"""Train, score and query a language model; fuse it with a translator of the same vocabulary."""

import io
import json
import sys
from pathlib import Path

import pytest
from conftest import TINY

from seq2seq import LanguageModel, Translator
from seq2seq.errors import RunError
from seq2seq.recipes import train
from seq2seq.run.folder import RunFolder, load_run
from seq2seq.tokenizer.tokenizer import load_tokenizers

TINY_LM = [
    "model=language_model",
    *(setting for setting in TINY if not any(name in setting for name in ("encoder", "search", "samples"))),
]
LINES = ["Wir arbeiten.", "Wo ist mein Schlüssel?", "Sie schläft.", "Der Mann arbeitet."] * 5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A language model of the built-in corpus; tests must not change it."""
    folder = tmp_path_factory.mktemp("runs") / "lm"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["train.py", f"run={folder}", *TINY_LM])
        train.main()
    return folder


def metrics(folder: Path, kind: str) -> list[dict[str, float]]:
    records = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [record for record in records if record["kind"] == kind]


def test_training_on_the_target_side_lowers_perplexity(run):
    validations = metrics(run, "validation")
    vocabulary = load_tokenizers(run).target.size
    assert validations[-1]["perplexity"] < validations[0]["perplexity"] < vocabulary
    assert all("bleu" not in record for record in validations)
    assert load_run(run).network.encoder is None
    assert not (run / "shortlist.safetensors").exists()
    assert not list(run.glob("hypotheses*"))
    assert (run / "learning_curve.png").stat().st_size > 1000


def test_the_test_set_is_evaluated_by_perplexity(run):
    scores = json.loads((run / "scores.json").read_text())["test"]
    assert "target side" in scores["corpus"]
    assert 1 < scores["perplexity"]["per_piece"] < scores["perplexity"]["per_word"]
    assert scores["perplexity"]["sentences"] == 8


def test_the_vocabulary_excludes_the_source_language(run):
    pieces = {piece.strip("\u2581") for piece in load_tokenizers(run).target.tokens(range(4, 400))}
    assert "nicht" in pieces
    assert not {"the", "not", "who", "The"} & pieces


def test_one_file_is_sufficient_and_evaluate_scores_another(recipe, tmp_path):
    (tmp_path / "mono.de").write_text("\n".join([*LINES, ""]) + "\n", encoding="utf-8")
    named = [f"data.{split}.target={tmp_path / 'mono.de'}" for split in ("train", "validation")]
    outcome = recipe("train", f"run={tmp_path / 'lm'}", *named, *TINY_LM, "tokenizer.joint=false")
    assert outcome.code == 0, outcome.err
    assert "kept 20 of 21 pairs; dropped 1 blank" in outcome.out
    assert f"suggest.py run={tmp_path / 'lm'}" in outcome.out
    assert (tmp_path / "lm" / "tokenizer.model").exists()
    outcome = recipe("evaluate", f"run={tmp_path / 'lm'}", f"data.test.target={tmp_path / 'mono.de'}")
    assert outcome.code == 0, outcome.err
    assert "20 sentences" in outcome.out
    assert "blank: 1 of 21 sentences, which are not scored" in outcome.err
    scores = json.loads((tmp_path / "lm" / "scores.json").read_text())["test"]["perplexity"]
    assert scores["per_piece"] == LanguageModel.load(tmp_path / "lm").perplexity(LINES).per_token


def test_several_texts_are_mixed_by_weight(recipe, tmp_path):
    """Targets only: a text file, and a file with columns, of which the first is ignored."""
    (tmp_path / "mono.de").write_text("".join(f"{line}\n" for line in LINES), encoding="utf-8")
    (tmp_path / "more.tsv").write_text("We run.\tWir laufen.\n" * 7)
    named = [f"data.{split}.target={tmp_path / 'mono.de'}" for split in ("train", "validation")]
    more = [f"{{target: {tmp_path}/mono.de, weight: 0.5}}", f"{{file: {tmp_path}/more.tsv, weight: 3}}"]
    overrides = [f"run={tmp_path / 'lm'}", *named, *TINY_LM, f"data.more=[{', '.join(more)}]", "training.updates=2"]
    overrides += ["tokenizer=word", "tokenizer.size=30"]
    outcome = recipe("train", *overrides)
    assert outcome.code == 0, outcome.err
    report = outcome.out.splitlines()[1]  # the first line says that own text takes data=files
    assert f"{tmp_path}/mono.de (target side), weight 0.5: kept 20 of 20 pairs" in report
    assert f"{tmp_path}/more.tsv (target side), weight 3: kept 7 of 7 pairs" in report
    assert RunFolder.open(tmp_path / "lm").settings["data"]["more"][1]["weight"] == 3
    assert {"laufen.", "run."} & load_tokenizers(tmp_path / "lm").target.words().keys() == {"laufen."}
    assert recipe("train", *overrides).code == 0, "the same command resumes"


def test_evaluate_uses_the_corpus_of_the_run(recipe, run):
    before = json.loads((run / "scores.json").read_text())["test"]
    outcome = recipe("evaluate", f"run={run}")
    assert outcome.code == 0, outcome.err
    assert "perplexity per word" in outcome.out
    assert json.loads((run / "scores.json").read_text())["test"] == before


@pytest.mark.parametrize(
    "setting", ["model.attention=general", "model.decoder.feed_context=true", "training.criterion=bleu"]
)
def test_settings_that_need_a_source_are_refused_before_any_work(recipe, tmp_path, setting):
    outcome = recipe("train", f"run={tmp_path / 'lm'}", *TINY_LM, setting)
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    assert "language model" in outcome.err
    assert not (tmp_path / "lm").exists()


def test_suggest_continues_a_prefix_from_the_command_line(recipe, run):
    outcome = recipe("suggest", f"run={run}", "prefix='Wo ist '", "count=3")
    assert outcome.code == 0, outcome.err
    expected = LanguageModel.load(run).suggest("Wo ist ", 3)
    assert outcome.out == "\t".join(f"{one.word or '</s>'} {one.probability:.1%}" for one in expected) + "\n"
    completions = recipe("suggest", f"run={run}", "prefix=Wo is").out.split("\t")
    assert all(word.startswith("is") for word in completions)


def test_suggest_writes_one_line_per_line(recipe, run, tmp_path, monkeypatch):
    lines = ["Wo ", "", "Der Ma", "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace") + "x"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(lines).encode())))
    outcome = recipe("suggest", f"run={run}", "json=true", "count=2")
    assert outcome.code == 0, outcome.err
    records = [json.loads(line) for line in outcome.out.split("\n")[:-1]]
    assert [record["prefix"] for record in records] == lines
    assert all(word["word"].startswith("Ma") for word in records[2]["words"])
    (tmp_path / "in.txt").write_text("\n".join(lines), encoding="utf-8")
    assert recipe("suggest", f"run={run}", "json=true", "count=2", f"input={tmp_path / 'in.txt'}").out == outcome.out


def test_translators_and_language_models_are_refused_by_the_recipes_of_the_other(recipe, run, tiny_run):
    for name, folder in (("suggest", tiny_run), ("translate", run)):
        outcome = recipe(name, f"run={folder}")
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1
        assert "language model" in outcome.err
    with pytest.raises(RunError, match=r"recipes/suggest\.py"):
        Translator.load(run)


def test_a_language_model_with_the_translators_vocabulary_can_be_fused(recipe, tiny_run, tmp_path):
    """One setting, the translator's run folder, makes the vocabularies the same, as shallow fusion needs."""
    folder = tmp_path / "lm"
    outcome = recipe("train", f"run={folder}", *TINY_LM, f"tokenizer.target_model={tiny_run}", "training.updates=2")
    assert outcome.code == 0, outcome.err
    assert (folder / "tokenizer.model").read_bytes() == (tiny_run / "tokenizer.model").read_bytes()
    alone = Translator.load(tiny_run).translate("We work.", beam_size=2)
    together = Translator.load(tiny_run, language_model=folder, language_model_weight=5)
    joined = together.translate("We work.", beam_size=2)
    assert joined.log_probability < alone.log_probability

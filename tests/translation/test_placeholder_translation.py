"""A small model trained on made-up software strings copies placeholders that it has never seen, however it is used."""

import json
import random
from dataclasses import replace

import pytest
import yaml
from conftest import LEARNED
from safetensors.torch import load_file, save_file

from seq2seq import LanguageModel, Request, Run, SearchConfig, Translator, train
from seq2seq.analysis.ablation import Ablator
from seq2seq.analysis.replay import teacher_forced_batches
from seq2seq.corpora.corpus import Pair
from seq2seq.errors import ConfigError, RunError
from seq2seq.portable.placeholders import SYMBOLS
from seq2seq.search import Method
from seq2seq.translation.documents import translate_document
from seq2seq.translation.synthetic_text import back_translate, distill

NAMES = ["%s", "%d", "%(user)s", "{name}", "{count}", "{0}", "<b>", "</b>", "%(a)s", "{x}"]
TEMPLATES = [
    ("Open the file {}.", "Öffnen Sie die Datei {}."),
    ("{} of {} done", "{1} insgesamt, {0} fertig"),
    ("Click {} now", "Jetzt {} klicken"),
    ("The user {} is gone", "Der Nutzer {} ist weg"),
]
UNSEEN = [
    ("Open the file %(never_seen)s.", "Öffnen Sie die Datei %(never_seen)s."),
    ("{one} of %(two)s done", "%(two)s insgesamt, {one} fertig"),
    ("Click <a href='x y'> now", "Jetzt <a href='x y'> klicken"),
    ("Click ⟨ph1⟩ now", "Jetzt ⟨ph1⟩ klicken"),
    ("The user ${someone.else} is gone", "Der Nutzer ${someone.else} ist weg"),
]
SEARCHES = [
    SearchConfig(beam_size=1),
    SearchConfig(beam_size=3, n_best=3),
    SearchConfig(method=Method.diverse_beam, beam_size=4, groups=2),
    SearchConfig(method=Method.sampling, temperature=0.05),
    SearchConfig(method=Method.minimum_bayes_risk, samples=4, temperature=0.05),
]
SETTINGS = [
    *LEARNED,
    "tokenizer.placeholders=[printf,braces,tags]",
    "tokenizer.algorithm=bpe",
    "tokenizer.size=420",
    "training.updates=80",
    "training.validate_every=80",
    "training.samples=0",
]


def made_up_pairs(count: int) -> list[tuple[str, str]]:
    generator = random.Random(1)
    chosen = [(generator.choice(TEMPLATES), generator.sample(NAMES, 2)) for _ in range(count)]
    return [(source.format(*names), target.format(*names)) for (source, target), names in chosen]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("software") / "run"
    return train(made_up_pairs(300), folder, overrides=[*SETTINGS, "model=attention", f"data.cache={folder.parent}"])


@pytest.fixture(scope="module")
def translator(run) -> Translator:
    return run.translator("cpu")


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: f"{search.method}{search.beam_size}")
def test_unseen_placeholders_are_kept_by_every_search(translator, search):
    sources, expected = zip(*UNSEEN, strict=True)
    translations = translator.translate(list(sources), search=search)
    assert [each.text for each in translations] == list(expected)
    assert not any(each.lost_placeholders or each.added_placeholders for each in translations)
    assert [each.source for each in translations] == list(sources)
    assert [translator.translate(source, search=search).text for source in sources] == list(expected)


@pytest.mark.parametrize(("source", "expected"), UNSEEN)
def test_streams_scores_and_traces_have_the_placeholders(translator, source, expected):
    *partial, last = translator.stream(source, search=SEARCHES[0])
    assert last.text == expected
    assert all(expected.startswith(each.text) for each in partial)
    translation = translator.translate(source, search=SEARCHES[0])
    scored = translator.score(source, expected)
    assert scored.text == expected
    assert scored.log_probability == pytest.approx(translation.log_probability, abs=1e-4)
    trace = translator.trace(source, beam_size=1)
    assert (trace.source, trace.text) == (source, expected)


def test_prefixes_phrases_and_suggestions_have_the_placeholders(translator):
    source = "{one} of %(two)s done"
    assert translator.translate(source, prefix="{one} ins").text.startswith("{one} ins")
    assert "done {one}" in translator.translate(Request(source, phrases=("done {one}",))).text
    assert translator.suggest("Click %(two)s now", "Jetzt ", count=1)[0].word == "%(two)s"
    assert translator.suggest(source, "%(two)s insgesamt, ", count=1)[0].word == "{one}"


def test_lost_and_added_placeholders_are_named(translator):
    names = [f"{{n{number}}}" for number in range(12)]
    translation = translator.translate(f"Click {' '.join(names)} now", beam_size=1)
    kept = [name for name in names if name in translation.text]
    assert 0 < len(kept) < len(names)
    assert translation.lost_placeholders == tuple(name for name in names if name not in kept)
    assert set(translation.added_placeholders) <= set(names)
    assert not any(symbol in translation.text for symbol in SYMBOLS)


def test_recipes_report_lost_placeholders(recipe, run, tmp_path):
    names = " ".join(f"{{n{number}}}" for number in range(12))
    lines = tmp_path / "in.txt"
    lines.write_text(f"Click {{y}} now\nClick {names} now\n", "utf-8")
    outcome = recipe("translate", f"run='{run.folder}'", f"input='{lines}'", "json=true")
    first, second = map(json.loads, outcome.out.splitlines())
    assert first["translation"] == "Jetzt {y} klicken"
    assert "lost_placeholders" not in first
    lost = len(second["lost_placeholders"])
    assert f"placeholders in 2 sentences: {lost} lost (the first: {second['lost_placeholders'][0]})" in outcome.err


def test_synthetic_text_has_the_placeholders(translator):
    source, expected = UNSEEN[0]
    (group,) = back_translate(translator, [source], SEARCHES[0])
    assert group.pairs[0].source == expected
    (group,) = distill(translator, [group.pairs[0]._replace(source=source)], search=SEARCHES[0])
    assert group.pairs[0].target == expected


def test_ensembles_need_the_same_placeholders_and_old_folders_have_none(translator, run, tmp_path):
    member = translator.members[0]
    with pytest.raises(RunError, match=r"protects other placeholders than .*: train it with the same tokenizer.placeh"):
        Translator([member, replace(member, placeholders=None)], translator.search)
    both = Translator([member, member], translator.search)
    assert both.translate(UNSEEN[1][0]).text == UNSEEN[1][1]
    old = tmp_path / "old"
    old.mkdir()
    for file in run.folder.glob("*.model"):
        (old / file.name).write_bytes(file.read_bytes())
    weights = load_file(run.folder / "model.safetensors")
    save_file(weights, old / "model.safetensors")  # without metadata
    settings = yaml.safe_load((run.folder / "config.yaml").read_text("utf-8"))
    del settings["tokenizer"]["placeholders"]
    (old / "config.yaml").write_text(yaml.safe_dump(settings), "utf-8")
    assert Translator.load(old, "cpu").members[0].placeholders is None


def test_a_run_that_starts_from_another_needs_the_same_placeholders(run, tmp_path):
    settings = [each for each in SETTINGS if not each.startswith("tokenizer.placeholders")]
    start = [*settings, "model=attention", f"training.start='{run.folder}'"]
    with pytest.raises(ConfigError, match=r"trained with tokenizer.placeholders=\[printf,braces,tags\], and a run"):
        train(made_up_pairs(50), tmp_path / "next", overrides=start)


def test_analyses_read_symbols(translator):
    pairs = [Pair(*UNSEEN[0])]
    (batch,) = teacher_forced_batches(translator.members[0], pairs)
    assert SYMBOLS[0] in batch.source_tokens[0]
    assert Ablator(translator.members[0], [batch]).bleu(pairs) > 99


def test_documents_keep_placeholders_and_report_lost_ones(translator, caplog):
    translated = translate_document(translator, "Click {a} now\n\n  Click <i> now\n")
    assert translated == "Jetzt {a} klicken\n\n  Jetzt <i> klicken\n"
    names = " ".join(f"{{n{number}}}" for number in range(12))
    translate_document(translator, f"Click {names} now")
    assert "placeholders in 1 sentence: " in caplog.text


def test_placeholders_with_the_end_of_a_sentence_inside_stay_whole(translator):
    document = "Click {{ a. B }} now\n\n  Click <i t='Stop. Go'> now\n"
    assert translate_document(translator, document) == document.replace("Click", "Jetzt").replace("now", "klicken")
    translation = translator.translate("Click {{ a. B }} now! " * 60)
    assert translation.text.split(" klicken", 1)[0] == "Jetzt {{ a. B }}"
    assert translation.lost_placeholders == translation.added_placeholders == ()


def test_a_language_model_reads_symbols(run, tmp_path):
    others = ("encoder", "beam_size", "samples")
    settings = [setting for setting in SETTINGS if not any(name in setting for name in others)]
    settings += ["model=language_model", "training.updates=40", "training.validate_every=40", f"data.cache={tmp_path}"]
    folder = train(made_up_pairs(300), tmp_path / "lm", overrides=settings).folder
    model = LanguageModel.load(folder, "cpu")
    seen, unseen = model.log_probabilities(["Jetzt {x} klicken", "Jetzt {never_seen} klicken"])
    assert seen == pytest.approx(unseen)
    assert all("⟨" not in word.word for word in model.suggest("Der Nutzer {abc} ", 20))

"""Ensembles of runs, and fusion with a language model."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from abilities import PRECISIONS
from random_runs import random_run
from torch import Tensor

from seq2seq import Translation, Translator
from seq2seq import search as searching
from seq2seq.data.batch import source_tensors, target_input
from seq2seq.errors import ConfigError, RunError
from seq2seq.inference.config import InferencePrecision
from seq2seq.inference.member import Member, check_members, choose_precision
from seq2seq.inference.members import Members
from seq2seq.inference.shortlist import Shortlist
from seq2seq.run.folder import load_run
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import EOS, Tokenizer, Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer

CPU = torch.device("cpu")
SENTENCES = ["Where is my key?", "", "The old man who bought the house does not want to sell it.", "We work.", "Ä 中"]
CONTEXT = {"attention": "none", "encoder.direction": "forward", "decoder.layers": 2, "tying": "output"}
LANGUAGE_MODEL = {"encoder.layers": 0, "attention": "none", "bridge": "zero"}


@pytest.fixture(scope="module")
def runs(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Runs with the target vocabulary of the tiny run; one has another architecture, one another source vocabulary."""
    folder, target = tmp_path_factory.mktemp("siblings"), load_run(tiny_run).tokenizers.target
    text = ["the old man works", "where is my key", "she sleeps in the house"]
    source = train_tokenizer(text, TokenizerConfig(size=280), "three lines")
    return {
        "tiny": tiny_run,
        "twin": random_run(tiny_run, folder / "twin", 1),
        "context": random_run(tiny_run, folder / "context", 2, CONTEXT),
        "reader": random_run(tiny_run, folder / "reader", 3, tokenizers=Tokenizers(source, target)),
        "foreign": random_run(tiny_run, folder / "foreign", 4, tokenizers=Tokenizers(source, source)),
    }


@pytest.fixture(scope="module")
def language_model(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_run(tiny_run, tmp_path_factory.mktemp("language") / "model", 5, LANGUAGE_MODEL)


def short(translator: Translator, longest: int = 6) -> Translator:
    """Return the ensemble with this maximum number of tokens per translation."""
    search = replace(translator.search, max_length_ratio=0.0, max_length_offset=longest)
    return Translator(
        translator.members,
        search,
        translator.shortlist,
        translator.language_model,
        translator.language_model_weight,
    )


def forced(member: Member, text: str, target: list[int]) -> Tensor:
    """Return log-probabilities (len(target) + 1, V) of the teacher-forced pass."""
    places = torch.arange(len(target) + 1)
    sources = source_tensors([member.tokenizers.source.encode(text)])
    with torch.inference_mode():
        return member.network(*sources, target_input([target]), places).double().log_softmax(1)


def by_hand(translator: Translator, translation: Translation, longest: int) -> float:
    """Return the log-probability of a translation: mean of member probabilities plus the weighted language model."""
    target = translator.members[0].tokenizers.target
    ids = {token: number for number, token in enumerate(target.tokens(range(target.size)))}
    tokens = [ids[token] for token in translation.tokens]
    given = [forced(member, translation.source, tokens).exp() for member in translator.members]
    total_TV = torch.stack(given).mean(0).log()
    if translator.language_model is not None:
        total_TV += translator.language_model_weight * forced(translator.language_model, translation.source, tokens)
    output_tokens = tokens if len(tokens) == longest else [*tokens, EOS]
    return float(sum(total_TV[place, token] for place, token in enumerate(output_tokens)))


# Ensembles


@pytest.mark.grid
@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("names", [["twin", "context"], ["context", "twin", "reader"], ["reader", "tiny"]])
def test_ensemble_probabilities_are_the_mean_over_the_members(runs, names, beam_size):
    translator = short(Translator.load([runs[name] for name in names], "cpu"))
    for text in SENTENCES:
        translation = translator.translate(text, beam_size=beam_size, n_best=beam_size)
        for alternative in translation.n_best or [translation] if text else []:
            assert alternative.log_probability == pytest.approx(by_hand(translator, alternative, 6), abs=1e-3)


def test_an_ensemble_of_equal_members_equals_one_member(runs):
    one, three = Translator.load(runs["twin"], "cpu"), Translator.load([runs["twin"]] * 3, "cpu")
    for alone, together in zip(one.translate(SENTENCES), three.translate(SENTENCES), strict=True):
        assert (alone.text, alone.tokens) == (together.text, together.tokens)
        assert alone.score == pytest.approx(together.score, abs=1e-5)


def test_an_ensemble_is_not_its_first_member(runs):
    alone = Translator.load(runs["twin"], "cpu").translate(SENTENCES)
    together = Translator.load([runs["twin"], runs["context"]], "cpu").translate(SENTENCES)
    assert [one.score for one in alone] != pytest.approx([one.score for one in together], abs=1e-2)


@pytest.mark.grid
@pytest.mark.parametrize("shortlist", [False, True])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_an_ensembles_translation_does_not_depend_on_its_batch(runs, precision, shortlist):
    members = [runs["tiny"], runs["context"], runs["reader"]]
    translator = short(Translator.load(members, "cpu", precision, shortlist))
    assert {member.precision for member in translator.members} == {precision}
    together = translator.translate(SENTENCES, beam_size=3)
    turned = translator.translate(SENTENCES[::-1], beam_size=3)[::-1]
    for text, one, other in zip(SENTENCES, together, turned, strict=True):
        alone = translator.translate(text, beam_size=3)
        assert one.tokens == other.tokens == alone.tokens
        assert one.score == pytest.approx(other.score, abs=1e-2)
        assert one.score == pytest.approx(alone.score, abs=1e-2)


def test_the_shortlist_of_the_first_run_applies_to_all(runs):
    loaded = [load_run(runs[name]) for name in ("twin", "reader")]
    target, source = loaded[0].tokenizers.target, loaded[0].tokenizers.source
    translations_VK = torch.full((source.size, 2), -1, dtype=torch.int32)
    translations_VK[source.encode("We work.")[0]] = torch.tensor([20, 21], dtype=torch.int32)
    shortlist = Shortlist(translations_VK, torch.tensor([EOS], dtype=torch.int32), target.size)
    members = [Member.prepare(one.network, one.tokenizers, CPU) for one in loaded]
    translation = Translator(members, loaded[0].search, shortlist).translate("We work.", beam_size=4, n_best=4)
    written = {token for alternative in translation.n_best for token in alternative.tokens}
    assert written
    assert written <= {*target.tokens([20, 21, *source.encode("We work.")])}


def test_attention_is_the_mean_over_members_with_attention_and_the_same_tokens(runs):
    def weights(*names: str) -> Tensor | None:
        members = [load_run(runs[name]).member(CPU, "float32") for name in names]
        translator = Translator(members, load_run(runs["twin"]).search)
        # Each member has its own translation; the one that always predicts EOS first has only the row of EOS.
        for member in members:
            with torch.no_grad():
                member.decoder.vocabulary.output.bias_O[EOS] += 1e4
        return translator.translate("Where is my key?", attention=True).attention

    twin, tiny = weights("twin"), weights("tiny")
    assert twin is not None
    assert tiny is not None
    assert twin.shape == tiny.shape == (1, len(load_run(runs["tiny"]).tokenizers.source.encode("Where is my key?")) + 1)
    torch.testing.assert_close(weights("twin", "tiny"), (twin + tiny) / 2)
    torch.testing.assert_close(weights("context", "twin", "reader"), twin)
    assert weights("context") is None


def test_a_text_is_encoded_once_for_all_members_with_the_same_vocabulary(runs, monkeypatch):
    names = ["twin", "reader", "tiny", "context", "reader"]
    translator = short(Translator.load([runs[name] for name in names], "cpu"))
    encoded: list[Tokenizer] = []
    encode_all = Tokenizer.encode_all
    monkeypatch.setattr(Tokenizer, "encode_all", lambda *all: (encoded.append(all[0]), encode_all(*all))[1])
    searched: list[list[list[list[int]]]] = []
    bind = Members.bind
    monkeypatch.setattr(Members, "bind", lambda own, tokens, **others: (searched.append(tokens), bind(own, tokens))[1])
    translator.translate(["We work."])
    assert len(encoded) == 2
    expected = [[member.tokenizers.source.encode("We work.")] for member in translator.members]
    assert searched == [expected], "each member receives tokens of its own vocabulary"
    assert expected[0] != expected[1]


def test_runs_with_another_target_vocabulary_are_refused_by_name(runs):
    with pytest.raises(RunError) as caught:
        Translator.load([runs["twin"], runs["reader"], runs["foreign"]], "cpu")
    assert str(caught.value).startswith(f"{runs['foreign']} has another target vocabulary than {runs['twin']}")
    assert "\n" not in str(caught.value)


def test_an_empty_list_of_runs_gives_one_line():
    with pytest.raises(ConfigError, match=r"^there is no model to translate with: name a run folder$"):
        Translator.load([])


# Fusion with a language model


@pytest.mark.parametrize("names", [["twin"], ["context", "reader"]])
@pytest.mark.parametrize("beam_size", [1, 3])
def test_fusion_adds_the_weighted_log_probability(runs, language_model, names, beam_size):
    members = [runs[name] for name in names]
    how = {"language_model": language_model, "language_model_weight": 0.4}
    translator = short(Translator.load(members, "cpu", **how))
    for text in filter(None, SENTENCES):
        translation = translator.translate(text, beam_size=beam_size)
        assert translation.log_probability == pytest.approx(by_hand(translator, translation, 6), abs=1e-3)


def test_a_language_model_of_weight_zero_changes_nothing(runs, language_model):
    alone = Translator.load(runs["twin"], "cpu")
    fused = Translator.load(runs["twin"], "cpu", language_model=language_model, language_model_weight=0.0)
    assert fused.translate(SENTENCES) == alone.translate(SENTENCES)


@pytest.mark.parametrize("weight", [-0.1, math.nan])
def test_an_invalid_weight_is_refused(runs, language_model, weight):
    with pytest.raises(ConfigError, match=r"^language_model_weight must be at least 0, got"):
        Translator.load(runs["twin"], "cpu", language_model=language_model, language_model_weight=weight)


@pytest.mark.parametrize("shortlist", [False, True])
def test_a_fused_translation_does_not_depend_on_its_batch(runs, language_model, shortlist):
    members = [runs["tiny"], runs["reader"]]
    translator = short(Translator.load(members, "cpu", "float32", shortlist, language_model=language_model))
    together = translator.translate(SENTENCES, beam_size=3)
    for text, one in zip(SENTENCES, together, strict=True):
        alone = translator.translate(text, beam_size=3)
        assert one.tokens == alone.tokens
        assert one.score == pytest.approx(alone.score, abs=1e-4)
        assert math.isfinite(one.score)


def test_language_model_probabilities_are_not_renormalized_over_the_shortlist(runs, language_model):
    """Renormalized over the shortlist, it would be nats per sentence higher."""
    loaded, other = load_run(runs["twin"]), load_run(language_model)
    target, own = loaded.tokenizers.target, Member.prepare(loaded.network, loaded.tokenizers, CPU)
    beside = Member.prepare(other.network, other.tokenizers, CPU)
    lists = Shortlist(
        torch.full((loaded.tokenizers.source.size, 1), -1, dtype=torch.int32),
        torch.tensor([EOS, *range(20, 40)], dtype=torch.int32),
        target.size,
    )
    search = replace(loaded.search, max_length_ratio=0.0, max_length_offset=6)
    alone = Members((own,), lists, None, 0.0)
    for text in ("We work.", "Where is my key?"):
        translations = Translator([own], search, lists, beside, 0.3).translate(text, beam_size=3, n_best=3)
        for alternative in translations.n_best:
            ids = [target.tokens(range(target.size)).index(token) for token in alternative.tokens]
            bound = alone.bind(alone.encoded([text])[0])
            [parts] = searching.forced_decoding(
                bound.stepper, [[bound.first.shortlist.index(number) for number in ids]]
            )
            logits = other.network(*beside.sources([[]]), target_input([ids]), torch.arange(len(ids) + 1))
            theirs = logits.log_softmax(1)[range(len(ids) + 1), [*ids, EOS]].tolist()
            count = len(ids) + alternative.finished
            expected = sum(parts[:count]) + 0.3 * sum(theirs[:count])
            assert alternative.log_probability == pytest.approx(expected, abs=1e-3)


def test_translators_and_language_models_are_not_interchangeable(runs, language_model):
    with pytest.raises(RunError, match=r"^.*twin is not a language model: name a run with model\.encoder\.layers=0$"):
        Translator.load(runs["tiny"], "cpu", language_model=runs["twin"])
    for members in ([language_model], [runs["tiny"], language_model]):
        with pytest.raises(RunError) as caught:
            Translator.load(members, "cpu")
        assert str(caught.value).startswith(f"{language_model} is a language model and cannot translate")


# A single member


@pytest.mark.parametrize("faster", [True, False])
def test_auto_chooses_the_precision(monkeypatch, faster):
    monkeypatch.setattr("seq2seq.inference.member.prefers_int8", lambda device: faster)
    assert choose_precision("auto", CPU, quantized=False) is InferencePrecision.float32
    expected = InferencePrecision.int8 if faster else InferencePrecision.float32
    assert choose_precision("auto", CPU, quantized=True) is expected


def test_a_named_precision_is_used_or_refused(monkeypatch):
    monkeypatch.setattr("seq2seq.inference.member.runs_int8", lambda device: True)
    monkeypatch.setattr("seq2seq.system.device.runs_bfloat16", lambda device: True)
    for name in ("float32", "bfloat16", "int8"):
        assert choose_precision(name, CPU, quantized=True) == name
    monkeypatch.setattr("seq2seq.inference.member.runs_int8", lambda device: False)
    monkeypatch.setattr("seq2seq.system.device.runs_bfloat16", lambda device: False)
    for name in ("bfloat16", "int8"):
        with pytest.raises(ConfigError, match=f"{name} does not run on this .*float32"):
            choose_precision(name, CPU, quantized=True)


def test_a_manually_prepared_network_has_the_same_form(tiny_run, monkeypatch):
    loaded = load_run(tiny_run)
    member = Member.prepare(loaded.network, loaded.tokenizers, CPU, InferencePrecision.auto)
    assert member.precision is InferencePrecision.float32
    check_members([member], None)
    monkeypatch.setattr("seq2seq.inference.member.runs_int8", lambda device: False)
    with pytest.raises(ConfigError, match=r"^precision=int8 does not run on this device \(cpu\): use"):
        Member.prepare(loaded.network, loaded.tokenizers, CPU, "int8")

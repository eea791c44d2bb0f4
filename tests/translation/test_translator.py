"""The translator."""

import multiprocessing
import pickle
import shutil
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from copy import copy, deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from abilities import needs_bfloat16, needs_int8
from conftest import KNOWN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq import Request, SearchConfig, Translation, Translator
from seq2seq.errors import ConfigError, DataError, RunError
from seq2seq.inference.member import Member
from seq2seq.inference.products import FloatProduct, IntegerProduct, Product, RoundedProduct
from seq2seq.inference.shortlist import Shortlist
from seq2seq.model.weights import save_quantized
from seq2seq.portable.normalization import is_blank
from seq2seq.run.folder import load_run
from seq2seq.search import Method, SearchOverrides
from seq2seq.tokenizer.config import TokenizerConfig
from seq2seq.tokenizer.tokenizer import BOS, EOS, PAD, Tokenizers
from seq2seq.tokenizer.vocabulary import train_tokenizer
from seq2seq.translation.batching import CHUNK

SENTENCES = [
    "Where is my key?",
    "The old man who bought the house yesterday does not want to sell it.",
    "",
    "   \t ",
    "Ärger & 中文 😀 \u2028 x",
    "a b c " * 30,
    "\ud800 lone",
    "We work.",
]


CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def translator(tiny_run):
    return Translator.load(tiny_run, device="cpu")


def test_string_gives_a_translation_and_list_a_list_and_translate_all_a_stream(translator):
    one = translator.translate("We work.")
    assert isinstance(one, Translation)
    assert one.source == "We work."
    many = translator.translate(["We work.", "We sleep."])
    assert isinstance(many, list)
    assert many[0] == one
    stream = translator.translate_all(line for line in ["We work.", "We sleep."])
    assert not isinstance(stream, list)
    assert list(stream) == many
    with pytest.raises(ConfigError, match="use translate_all"):
        translator.translate(iter(["We work."]))
    with pytest.raises(ConfigError, match="n_best"):
        translator.translate_all(iter(["We work."]), beam_size=1, n_best=2)


def test_translate_all_reads_lazily(translator):
    read = 0

    def lines():
        nonlocal read
        while True:
            read += 1
            yield ""

    stream = translator.translate_all(lines())
    for _ in range(3):
        next(stream)
    assert read == CHUNK


@pytest.mark.parametrize("beam_size", [1, 3])
def test_translation_does_not_depend_on_the_batch(translator, beam_size):
    alone = [translator.translate(text, beam_size=beam_size) for text in SENTENCES]
    together = translator.translate(SENTENCES, beam_size=beam_size)
    turned = translator.translate(SENTENCES[::-1], beam_size=beam_size)[::-1]
    for one, other, third in zip(alone, together, turned, strict=True):
        assert one.tokens == other.tokens == third.tokens
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.score == pytest.approx(third.score, abs=1e-4)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_list_of_texts_gives_as_many_translations(translator, texts):
    translations = translator.translate(texts, beam_size=1)
    assert [translation.source for translation in translations] == texts
    for text, translation in zip(texts, translations, strict=True):
        assert "\n" not in str(translation)
        assert bool(translation.source_tokens) != is_blank(text)


def test_blank_text_gives_empty_text(translator):
    assert [str(blank) for blank in translator.translate(["", " \n "])] == ["", ""]
    assert translator.translate("").score == 0


def test_n_best_is_sorted_and_starts_with_the_translation(translator):
    translation = translator.translate("Where is my key?", beam_size=4, n_best=3)
    assert 1 <= len({other.text for other in translation.n_best}) == len(translation.n_best) <= 3
    scores = [other.score for other in translation.n_best]
    assert scores == sorted(scores, reverse=True)
    assert translation.n_best[0].text == translation.text == str(translation)
    assert translator.translate("Where is my key?", beam_size=4).n_best == ()


def test_attention_has_a_row_per_token_that_sums_to_one(translator):
    plain = translator.translate("Where is my key?", attention=False)
    assert plain.attention is None
    translations = translator.translate(["Where is my key?", "We work."], attention=True)
    for translation in translations:
        rows, columns = translation.attention.shape
        assert rows == len(translation.tokens) + 1
        assert columns == len(translation.source_tokens) + 1
        torch.testing.assert_close(translation.attention.sum(1), torch.ones(rows))


@pytest.mark.parametrize(("beam_size", "n_best"), [(0, 1), (2, 3), (2, 0), (10**6, 1), (True, 1)])
def test_invalid_search_settings_raise(translator, beam_size, n_best):
    with pytest.raises(ConfigError, match=r"beam_size|n_best"):
        translator.translate("We work.", beam_size=beam_size, n_best=n_best)


def test_threads_may_share_a_translator(translator):
    expected = [str(translation) for translation in translator.translate(SENTENCES)]
    barrier = threading.Barrier(4)

    def work(_: int) -> list[str]:
        barrier.wait()
        return [str(translator.translate(text)) for text in SENTENCES]

    with ThreadPoolExecutor(4) as pool:
        assert all(actual == expected for actual in pool.map(work, range(4)))


def test_loading_errors_name_the_problem(tiny_run, tmp_path):
    with pytest.raises(RunError, match="not a run folder"):
        Translator.load(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"^precision must be one of auto, float32, bfloat16, int8, tf32, got int4$"):
        Translator.load(tiny_run, precision="int4")
    with pytest.raises(ConfigError, match="device"):
        Translator.load(tiny_run, device="tpu")


def test_model_folder_needs_three_files(tiny_run, tmp_path):
    for name in ("config.yaml", "tokenizer.model", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_run / name).read_bytes())
    original, quantized = Translator.load(tiny_run), Translator.load(tmp_path)
    assert str(original.translate("We work.")) == str(quantized.translate("We work."))


# Lower precision and shortlists


@pytest.fixture(scope="module")
def quantized_run(tiny_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run with 8-bit matrices and without a shortlist."""
    folder = tmp_path_factory.mktemp("quantized")
    for name in ("config.yaml", "tokenizer.model"):
        shutil.copy(tiny_run / name, folder)
    save_quantized(load_run(tiny_run).network, folder / "model.safetensors")
    return folder


def output_layer(translator: Translator) -> Product:
    return translator.members[0].decoder.vocabulary.output


@needs_int8
def test_quantized_folder_uses_integer_products_by_default(tiny_run, quantized_run, monkeypatch):
    monkeypatch.setattr("seq2seq.inference.member.prefers_int8", lambda device: True)
    assert isinstance(output_layer(Translator.load(quantized_run, "cpu")), IntegerProduct)
    assert isinstance(output_layer(Translator.load(quantized_run, "cpu", "float32")), FloatProduct)
    assert isinstance(output_layer(Translator.load(tiny_run, "cpu")), FloatProduct)
    assert isinstance(output_layer(Translator.load(tiny_run, "cpu", "int8")), IntegerProduct)


def test_quantized_folder_translates_without_integer_products(tiny_run, quantized_run, monkeypatch, caplog):
    for question in ("runs_int8", "prefers_int8"):
        monkeypatch.setattr(f"seq2seq.inference.member.{question}", lambda device: False)
    translator = Translator.load(quantized_run, "cpu")
    [line] = caplog.messages
    assert line == f"{quantized_run} has 8-bit weights, and int8 does not run on this device (cpu): using float32"
    product = output_layer(translator)
    assert isinstance(product, FloatProduct)
    assert product.weight_OI.dtype is torch.float32
    assert translator.translate("We work.").tokens
    for run in (quantized_run, tiny_run):
        with pytest.raises(ConfigError, match=r"^precision=int8 does not run on this device .* precision=float32$"):
            Translator.load(run, "cpu", "int8")


@needs_bfloat16
def test_bfloat16_reaches_the_decoder(tiny_run):
    product = output_layer(Translator.load(tiny_run, "cpu", "bfloat16"))
    assert isinstance(product, RoundedProduct)


@pytest.mark.grid
@pytest.mark.parametrize("shortlist", [False, True])
@pytest.mark.parametrize(
    "precision",
    ["float32", pytest.param("bfloat16", marks=needs_bfloat16), pytest.param("int8", marks=needs_int8)],
)
@pytest.mark.parametrize("beam_size", [1, 3])
def test_translation_does_not_depend_on_the_batch_in_any_precision(learned_run, precision, shortlist, beam_size):
    """With a trained network: an untrained one may give all word orders equal scores."""
    translator = Translator.load(learned_run, "cpu", precision, shortlist)
    sentences = [*SENTENCES, *KNOWN]
    together = translator.translate(sentences, beam_size=beam_size)
    turned = translator.translate(sentences[::-1], beam_size=beam_size)[::-1]
    if beam_size == 1:  # beam search stops with K finished hypotheses, although an unfinished one may be better
        assert [one.text for one in together[-len(KNOWN) :]] == [*KNOWN.values()]
    for text, one, other in zip(sentences, together, turned, strict=True):
        alone = translator.translate(text, beam_size=beam_size)
        assert one.tokens == other.tokens == alone.tokens
        assert one.score == pytest.approx(other.score, abs=1e-2)
        assert one.score == pytest.approx(alone.score, abs=1e-2)


@pytest.mark.parametrize("beam_size", [1, 4])
def test_full_shortlist_changes_nothing(tiny_run, beam_size):
    loaded = load_run(tiny_run)
    with torch.no_grad():  # shortlists exclude BOS, so its probability must be negligible
        loaded.network.output.bias[BOS] = -1e4
    member = Member.prepare(loaded.network, loaded.tokenizers, CPU)
    source_size, size = loaded.tokenizers.source.size, loaded.tokenizers.target.size
    everything = torch.tensor([token for token in range(size) if token != BOS], dtype=torch.int32)
    listing = Shortlist(torch.full((source_size, 1), -1, dtype=torch.int32), everything, size)
    actual, expected = (
        Translator([member], loaded.search, shortlist).translate(SENTENCES, beam_size=beam_size)
        for shortlist in (listing, None)
    )
    for one, other in zip(actual, expected, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, rel=1e-4)
        if beam_size == 1:  # in a beam, different word orders can tie to the last bit
            assert (one.text, one.tokens) == (other.text, other.tokens)


def test_shortlist_restricts_translations(tiny_run):
    loaded = load_run(tiny_run)
    size, source = loaded.tokenizers.target.size, loaded.tokenizers.source
    translations_VK = torch.full((source.size, 2), -1, dtype=torch.int32)
    words = ["We work.", "Where is my key?"]
    allowed = [[20, 21], [30, 31]]
    for text, ids in zip(words, allowed, strict=True):
        translations_VK[source.encode(text)[0]] = torch.tensor(ids, dtype=torch.int32)
    shortlist = Shortlist(translations_VK, torch.tensor([EOS], dtype=torch.int32), size)
    translator = Translator([Member.prepare(loaded.network, loaded.tokenizers, CPU)], loaded.search, shortlist)
    translations = translator.translate(words, beam_size=4, n_best=4)
    for text, translation, ids in zip(words, translations, allowed, strict=True):
        assert {*translation.tokens} <= {*loaded.tokenizers.target.tokens([*ids, *source.encode(text)])}
        assert any(other.tokens for other in translation.n_best)


@torch.no_grad()
def test_shortlist_allows_copying_unseen_names_and_numbers(tiny_run):
    """Words without training pairs may still be copied, each in its own sentence only."""
    loaded = load_run(tiny_run)
    source, target = loaded.tokenizers
    lists = Shortlist(
        torch.full((source.size, 1), -1, dtype=torch.int32), torch.tensor([EOS], dtype=torch.int32), target.size
    )
    members = Translator([Member.prepare(loaded.network, loaded.tokenizers, CPU)], loaded.search, lists).ensemble
    texts = ["1990", "Žižek", "東京"]
    encoded, _ = members.encoded(texts)
    assert any(byte is not None for byte in [members.single_bytes[number] for number in encoded[0][2]])
    for row, own in enumerate(encoded[0]):
        stepper = members.bind([[own]]).first
        assert set(stepper.shortlist) == {BOS, EOS, *own}
        together = members.bind(encoded)
        log_probability, _ = together.stepper.step(torch.zeros(3, dtype=torch.int64), together.stepper.start(1))
        possible = log_probability[row].isfinite().nonzero().flatten().tolist()
        assert set(together.ids(possible)) == {EOS, *own}
    other = train_tokenizer(["1990 Žižek 東京"] * 3, TokenizerConfig(size=300), "lines")
    apart = replace(members, translators=(replace(members.translators[0], tokenizers=Tokenizers(other, target)),))
    copies = apart.copies.tolist()
    for number, token in enumerate(other.tokens(range(other.size))):
        shared = token in target.tokens(range(target.size)) and number > PAD
        assert target.tokens([copies[number]]) == [token] if shared else copies[number] == -1


def test_missing_shortlist_raises_one_line(quantized_run):
    with pytest.raises(RunError) as caught:
        Translator.load(quantized_run, "cpu", shortlist=True)
    assert str(quantized_run / "shortlist.safetensors") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [None, b"We work.", 5, float("nan")])
def test_what_is_not_text_is_refused_in_one_line(translator, text):
    advice = r"decode it: text\.decode\('utf-8'\)" if isinstance(text, bytes) else "pass a string"
    message = rf"^texts?(\[\d\])? must be a string, got {type(text).__name__}: {advice}$"
    calls = [
        lambda: translator.translate(text),
        lambda: translator.translate(["We work.", text]),
        lambda: list(translator.translate_all(iter([text]))),
        lambda: translator.batches([text]),
        lambda: next(translator.stream(text)),
        lambda: translator.suggest(text),
        lambda: translator.trace(text),
        lambda: translator.score(text, "Wir arbeiten."),
        lambda: translator.score("We work.", text),
        lambda: Request(text),
    ]
    for call in calls:
        with pytest.raises(DataError, match=message):
            call()


def test_constraints_that_are_not_text_are_refused(translator):
    with pytest.raises(DataError, match="prefix must be a string, got NoneType"):
        translator.translate("We work.", prefix=None)
    with pytest.raises(DataError, match="phrases must be a list of strings, got 'Wir': pass a list"):
        translator.translate("We work.", phrases="Wir")  # not the letters W, i, r
    with pytest.raises(DataError, match="phrase must be a string, got int"):
        translator.translate("We work.", phrases=[5])


@pytest.mark.parametrize("run", [None, 5, b"runs/demo", [None]])
def test_a_run_that_is_not_a_path_is_refused(run):
    with pytest.raises(ConfigError, match="a run folder is a path, got"):
        Translator.load(run)


@pytest.mark.parametrize("method", list(Method))
def test_the_name_of_a_method_stands_for_the_search_with_the_other_settings_of_the_run(translator, method):
    config = SearchOverrides(method=method).apply_to(translator.search)
    expected = translator.translate("We work.", search=config)
    for name in (method, str(method)):
        assert translator.translate("We work.", search=name) == expected
        assert next(translator.translate_all(["We work."], search=name)) == expected
    assert Translator(translator.members, str(method)).search == SearchConfig(method=method)


@pytest.mark.parametrize("search", ["samplin", {"method": "beam"}, 5])
def test_other_searches_are_refused_in_one_line(translator, search):
    message = "search must be a SearchConfig or one of greedy, beam, diverse_beam, sampling, minimum_bayes_risk, got"
    with pytest.raises(ConfigError, match=message):
        translator.translate("We work.", search=search)


COPIES = {"deepcopy": deepcopy, "copy": copy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("precision", ["float32", pytest.param("int8", marks=needs_int8)])
def test_translators_are_pickled_and_copied(tiny_run, copied, precision):
    original = Translator.load([tiny_run, tiny_run], "cpu", precision, shortlist=True)
    again = copied(original)
    assert again.search == original.search
    assert [member.precision for member in again.members] == [precision] * 2
    assert again.translate(SENTENCES[:3]) == original.translate(SENTENCES[:3])


@pytest.mark.slow
def test_translators_are_sent_to_processes(tiny_run, translator):
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(translator.translate, "We work.").result() == translator.translate("We work.")


def test_a_list_names_the_text_that_is_none(translator):
    with pytest.raises(DataError, match=r"^texts\[1\] must be a string, got NoneType"):
        translator.translate(["We work.", None])
    with pytest.raises(ConfigError, match="texts is one text"):
        translator.translate_all("We work.")


def test_greedy_names_a_search(translator):
    text = "We work."
    greedy = replace(translator.search, beam_size=1)
    assert translator.translate(text, search="greedy") == translator.translate(text, search=greedy)


def test_a_translator_names_its_model_in_a_log(tiny_run):
    assert repr(Translator.load(tiny_run, "cpu")) == f"Translator({tiny_run}, cpu, float32)"

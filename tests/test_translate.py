"""Text in, text out."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seq2seq import Translation, Translator
from seq2seq.errors import ConfigError, RunError
from seq2seq.translate import BATCH_PIECES, CHUNK, batches_by_length

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


@pytest.fixture(scope="module")
def translator(tiny_run):
    return Translator.load(tiny_run, device="cpu")


def test_a_string_gives_a_translation_a_list_a_list_and_a_stream_a_stream(translator):
    one = translator.translate("We work.")
    assert isinstance(one, Translation)
    assert one.source == "We work."
    many = translator.translate(["We work.", "We sleep."])
    assert isinstance(many, list)
    assert many[0] == one
    stream = translator.translate(line for line in ["We work.", "We sleep."])
    assert not isinstance(stream, list)
    assert list(stream) == many


def test_a_stream_is_read_as_it_is_needed(translator):
    read = 0

    def lines():
        nonlocal read
        while True:
            read += 1
            yield ""

    stream = translator.translate(lines())
    for _ in range(3):
        next(stream)
    assert read == CHUNK


@pytest.mark.parametrize("beam_size", [1, 3])
def test_a_translation_does_not_depend_on_its_batch(translator, beam_size):
    alone = [translator.translate(text, beam_size=beam_size) for text in SENTENCES]
    together = translator.translate(SENTENCES, beam_size=beam_size)
    turned = translator.translate(SENTENCES[::-1], beam_size=beam_size)[::-1]
    for one, other, third in zip(alone, together, turned, strict=True):
        assert one.pieces == other.pieces == third.pieces
        assert one.score == pytest.approx(other.score, abs=1e-4)
        assert one.score == pytest.approx(third.score, abs=1e-4)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=30), max_size=6))
def test_any_text_in_as_many_texts_out(translator, texts):
    translations = translator.translate(texts, beam_size=1)
    assert [translation.source for translation in translations] == texts
    for text, translation in zip(texts, translations, strict=True):
        assert "\n" not in str(translation)
        assert bool(translation.source_pieces) == bool(text.replace("\u2581", " ").split())


def test_blank_text_is_translated_by_nothing(translator):
    assert [str(blank) for blank in translator.translate(["", " \n "])] == ["", ""]
    assert translator.translate("").score == 0


def test_n_best_is_sorted_and_begins_with_the_translation(translator):
    translation = translator.translate("Where is my key?", beam_size=4, n_best=3)
    assert len(translation.n_best) == 3
    scores = [other.score for other in translation.n_best]
    assert scores == sorted(scores, reverse=True)
    assert translation.n_best[0].text == translation.text == str(translation)
    assert translator.translate("Where is my key?", beam_size=4).n_best == ()


def test_attention_has_a_row_a_piece_and_each_row_sums_to_one(translator):
    plain = translator.translate("Where is my key?", attention=False)
    assert plain.attention is None
    translations = translator.translate(["Where is my key?", "We work."], attention=True)
    for translation in translations:
        rows, columns = translation.attention.shape
        assert rows == len(translation.pieces) + 1
        assert columns == len(translation.source_pieces) + 1
        torch.testing.assert_close(translation.attention.sum(1), torch.ones(rows))


@pytest.mark.parametrize(("beam_size", "n_best"), [(0, 1), (2, 3), (2, 0)])
def test_impossible_searches_are_refused(translator, beam_size, n_best):
    with pytest.raises(ConfigError, match=r"beam_size|n_best"):
        translator.translate("We work.", beam_size=beam_size, n_best=n_best)


def test_threads_may_share_a_translator(translator):
    expected = [str(translation) for translation in translator.translate(SENTENCES)]
    barrier = threading.Barrier(4)

    def work(_: int) -> list[str]:
        barrier.wait()
        return [str(translator.translate(text)) for text in SENTENCES]

    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(work, range(4)))


def test_loading_says_what_is_wrong(tiny_run, tmp_path):
    with pytest.raises(RunError, match="no run folder"):
        Translator.load(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"precision must be one of auto, float32, bfloat16"):
        Translator.load(tiny_run, precision="int8")
    with pytest.raises(ConfigError, match="device"):
        Translator.load(tiny_run, device="tpu")


def test_a_model_is_three_files(tiny_run, tmp_path):
    for name in ("config.yaml", "tokenizer.model", "model.safetensors"):
        (tmp_path / name).write_bytes((tiny_run / name).read_bytes())
    there, here = Translator.load(tiny_run), Translator.load(tmp_path)
    assert str(there.translate("We work.")) == str(here.translate("We work."))


def test_batches_hold_every_row_once_within_the_budget():
    sources = [[5] * length for length in (3, 0, 900, 2, 3000, 1, 40)]
    batches = list(batches_by_length(sources))
    assert sorted(row for rows in batches for row in rows) == [0, 2, 3, 4, 5, 6]
    for rows in batches:
        assert len(rows) == 1 or len(rows) * (max(len(sources[row]) for row in rows) + 1) <= BATCH_PIECES

"""Distributed translation equals that of one process, byte for byte."""

from pathlib import Path
from unittest.mock import patch

import pytest
from together import results, together

from seq2seq import Translator
from seq2seq.errors import ConfigError
from seq2seq.system.processes import rank
from seq2seq.translation import batching, distributed
from seq2seq.translation.distributed import split_work, translate_distributed

SENTENCES = ["We work.", "", "Where is my key?", "She sleeps.", "  ", "The man works in the house."]


def lines(number: int) -> list[str]:
    return [SENTENCES[place * place % 6] for place in range(number)]


def shared(run: Path, chunk: int, number: int) -> tuple[list[str], list[float], int]:
    """Return texts and scores that the process gets, and how many sentences it translated."""
    batching.CHUNK = distributed.CHUNK = chunk
    batching.BATCH_TOKENS = 40
    translator, own, translate = Translator.load(run), [0], batching.translate_batch

    def counted(members, requests, *rest):
        own[0] += len(requests)
        return translate(members, requests, *rest)

    text = lines(number) if rank() == 0 else []  # only the first reads
    with patch.object(batching, "translate_batch", counted):
        translations = list(translate_distributed(translator, text, beam_size=2, n_best=2))
    return (
        [translation.text for translation in translations],
        [other.score for translation in translations for other in translation.n_best],
        own[0],
    )


@pytest.mark.parametrize("chunk", [8, 100])
def test_two_processes_give_the_results_of_one(tiny_run, tmp_path, monkeypatch, chunk):
    """Two rounds of whole chunks and the rest by batches; or all of it by batches."""
    for module in (batching, distributed):
        monkeypatch.setattr(module, "CHUNK", chunk)
    monkeypatch.setattr(batching, "BATCH_TOKENS", 40)
    texts, scores, all_of_them = shared(tiny_run, chunk, 37)
    assert len(texts) == 37
    first, second = results(together(tmp_path, shared, tiny_run, chunk, 37))
    assert first[:2] == (texts, scores), "to the last bit: in the same batches"
    assert second[:2] == ([], [])
    assert first[2] + second[2] == all_of_them
    assert abs(first[2] - second[2]) <= all_of_them / 3


def test_single_process_equals_translate(tiny_run):
    translator = Translator.load(tiny_run)
    stream = translate_distributed(translator, iter(SENTENCES), beam_size=2)
    assert next(stream) == translator.translate(SENTENCES, beam_size=2)[0]
    with pytest.raises(ConfigError, match="n_best"):
        translate_distributed(translator, SENTENCES, beam_size=1, n_best=2)


def test_work_covers_every_line_once_in_the_batches_of_translate(tiny_run, monkeypatch):
    translator, units, translate = Translator.load(tiny_run), [], batching.translate_batch

    def noted(members, requests, *rest):
        units.append([request.text for request in requests])
        return translate(members, requests, *rest)

    monkeypatch.setattr(batching, "translate_batch", noted)
    monkeypatch.setattr(batching, "CHUNK", 8)
    monkeypatch.setattr(batching, "BATCH_TOKENS", 40)
    texts = lines(20)
    translator.translate(texts, beam_size=1)
    *batches, blank = split_work(translator, texts)
    assert [[texts[row] for row in rows] for rows in batches] == units
    assert all(not texts[row].strip() for row in blank)
    assert sorted(row for rows in [*batches, blank] for row in rows) == list(range(20))

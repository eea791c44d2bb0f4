"""recipes/microscope.py as a user runs it."""

import json

from seq2seq.analysis.trace import Trace


def test_a_sentence(recipe, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.analysis.trace_page._draw", lambda figure, *of: b"a picture")
    output = tmp_path / "out"
    outcome = recipe("microscope", f"run={tiny_run}", "text='We <b>work</b>.'", f"output={output}", "alternatives=2")
    assert outcome.code == 0, outcome.err
    assert str(output / "sentence.html") in outcome.out
    page = (output / "sentence.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    trace = Trace.load(output / "sentence.safetensors")
    assert trace.source == "We <b>work</b>."
    assert trace.text in outcome.out
    assert trace.alternative_ids.size(1) == 2
    pictures = {path.name for path in output.glob("*.png")}
    assert pictures >= {"sentence.tree.png", "sentence.attention.png", "sentence.encoder.1.forward.png"}
    assert page.count("<img ") == len(pictures)


def test_a_corpus(recipe, tiny_run, tmp_path):
    output = tmp_path / "out"
    small = ["corpus.sentences=6", "corpus.ablated=2", "corpus.translated=1", "corpus.positions=2"]
    outcome = recipe("microscope", f"run={tiny_run}", f"output={output}", *small)
    assert outcome.code == 0, outcome.err
    result = json.loads((output / "corpus.json").read_text(encoding="utf-8"))
    assert result["pairs"] == 6
    assert len(result["ablated"]) == 2
    assert (output / "corpus.html").read_text(encoding="utf-8").count("<img ") == len(list(output.glob("*.png"))) == 4


def test_a_mistake_is_one_line(recipe, tiny_run):
    for override in ("target=x", "text=' '", "split=train data.train.source=none.en data.train.target=none.de"):
        outcome = recipe("microscope", f"run={tiny_run}", *override.split(" ") if "=" in override[6:] else [override])
        assert outcome.code == 1
        assert outcome.err.count("error: ") == 1
        assert len(outcome.err.strip().splitlines()) == 1

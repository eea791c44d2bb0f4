"""The JSON API as a client sees it."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from server_tools import SMALL, serving, translators
from translators import SENTENCES

from seq2seq.serving.config import ServeConfig

OWN = translators()


@pytest.fixture(scope="module")
def served():
    with serving(OWN) as one:
        yield one


def test_it_tells_what_translates_and_how_much_it_takes(served):
    found = served.get("/api/runs").json
    assert [(run["name"], run["attends"], run["beam_size"]) for run in found["runs"]] == [
        ("attends", True, 3),
        ("context", False, 3),
    ]
    assert found["limits"] == {"characters": 60, "inspected": 40, "sentences": 8, "beam_size": 6}


def test_translations_are_those_of_the_translator(served):
    for run, own in OWN.items():
        sentences = [*SENTENCES, " "]
        reply = served.ask("/api/translate", run=run, sentences=sentences, n_best=2, attention=True)
        assert reply.status == 200, reply.body
        assert reply.json["run"] == run
        for found, wanted in zip(
            reply.json["translations"], own.translate(sentences, n_best=2, attention=True), strict=True
        ):
            assert (found["source"], found["text"], tuple(found["pieces"])) == (
                wanted.source,
                wanted.text,
                wanted.pieces,
            )
            assert found["score"] == pytest.approx(wanted.score, abs=1e-5)
            assert [one["text"] for one in found["n_best"]] == [one.text for one in wanted.n_best]
            if wanted.attention is None:
                assert found["attention"] is None
            else:
                assert len(found["attention"]) == len(wanted.pieces) + 1
                assert found["attention"][0][0] == pytest.approx(float(wanted.attention[0, 0]), abs=1e-3)


def test_without_a_name_the_first_run_answers_and_conditions_hold(served):
    asked = [{"text": "Wir.", "prefix": "Die F"}, {"text": "Wir.", "phrases": ["Haus"]}, "Wir."]
    reply = served.ask("/api/translate", sentences=asked, beam_size=4)
    begun, forced, free = (one["text"] for one in reply.json["translations"])
    assert reply.json["run"] == "attends"
    assert begun.startswith("Die F")
    assert "Haus" in forced.split()
    assert free == OWN["attends"].translate("Wir.", beam_size=4).text


def test_answers_belong_to_their_questions_under_32_clients(served):
    texts = [f"{text} {number}" for number in range(8) for text in SENTENCES]
    alone = {text: OWN["attends"].translate(text).text for text in texts}

    def client(number):
        own = [texts[(number * 7 + turn) % len(texts)] for turn in range(2)]
        return [(text, served.ask("/api/translate", sentences=[text])) for text in own]

    with ThreadPoolExecutor(32) as clients:
        found = [one for answers in clients.map(client, range(32)) for one in answers]
    assert len(found) == 64
    for text, reply in found:
        assert reply.status == 200, reply.body
        (answer,) = reply.json["translations"]
        assert (answer["source"], answer["text"]) == (text, alone[text])


def test_a_stream_grows_into_the_translation(served):
    for beam_size in (1, 3):
        *growing, (name, done) = served.events(text=SENTENCES[0], beam_size=beam_size, prefix="Da")
        wanted = OWN["attends"].translate(SENTENCES[0], beam_size=beam_size, prefix="Da")
        assert (name, done["text"], tuple(done["pieces"])) == ("done", wanted.text, wanted.pieces)
        assert done["score"] == pytest.approx(wanted.score, abs=1e-5)
        assert {name for name, _ in growing} <= {"growing"}
        for (_, one), (_, longer) in zip(growing, [*growing[1:], (name, done)], strict=True):
            assert longer["text"].startswith(one["text"])
    assert [name for name, _ in served.events(text=" ")] == ["done"]
    ((name, problem),) = served.events(text="Wir.", prefix="x" * 60)[-1:]
    assert (name, list(problem)) == ("done", list(done)) or "prefix" in problem["detail"]


def test_streams_side_by_side_are_their_own(served):
    with ThreadPoolExecutor(8) as clients:
        found = list(clients.map(lambda text: served.events(text=text), SENTENCES * 2))
    for text, events in zip(SENTENCES * 2, found, strict=True):
        assert events[-1][1]["text"] == OWN["attends"].translate(text).text


def test_a_sentence_is_seen_from_inside(served):
    found = served.ask("/api/trace", text="Wir.").json
    wanted = OWN["attends"].trace("Wir.")
    assert found["text"] == wanted.text
    assert [step["predicted"] for step in found["steps"]] == list(wanted.target_tokens)
    assert len(found["attention"]) == len(found["steps"])
    assert {"tree", "attention", "encoder.1.forward", "decoder.1.forward"} <= set(found["pictures"])
    other = served.ask("/api/trace", run="context", text="Wir.", target="Das Haus").json
    assert (other["text"], other["attention"]) == ("Das Haus", None)
    picture = served.get("/api/picture?text=Wir.&run=context&target=Das&name=decoder.1.forward.states")
    assert picture.headers["content-type"] == "image/png"
    assert picture.body.startswith(b"\x89PNG")
    missing = served.get("/api/picture?text=Wir.&name=../../etc/passwd")
    assert (missing.status, missing.detail.startswith("there is no picture")) == (422, True)


@pytest.mark.parametrize(
    ("path", "question", "status", "words"),
    [
        ("translate", {"sentences": ["a" * 61]}, 413, "61 characters"),
        ("translate", {"sentences": [{"text": "a", "prefix": "b" * 61}]}, 413, "61 characters"),
        ("translate", {"sentences": ["a"] * 9}, 413, "number of sentences is 9"),
        ("translate", {"sentences": [{"text": "a", "phrases": ["b"] * 9}]}, 413, "number of phrases"),
        ("translate", {"sentences": ["a"], "beam_size": 7}, 413, "beam_size is 7"),
        ("translate", {"sentences": ["a"], "n_best": 7}, 413, "n_best is 7"),
        ("translate", {"sentences": ["a"], "n_best": 6, "beam_size": 2}, 422, "search.n_best"),
        ("translate", {"sentences": []}, 422, "sentences"),
        ("translate", {"sentences": ["a"], "beem_size": 2}, 422, "beem_size"),
        ("translate", {"sentences": ["a"], "beam_size": 0}, 422, "beam_size"),
        ("translate", {"sentences": ["a"], "run": "other"}, 404, "attends, context"),
        ("translate", {}, 422, "sentences"),
        ("stream", {"text": "a" * 61}, 413, "61 characters"),
        ("stream", {"text": 7}, 422, "text"),
        ("alternatives", {"text": "a", "count": 7}, 413, "count is 7"),
        ("trace", {"text": "a" * 41}, 413, "at most 40"),
        ("trace", {"text": " "}, 422, "nothing to trace"),
    ],
)
def test_a_mistake_is_one_line(served, path, question, status, words):
    reply = served.ask(f"/api/{path}", **question)
    assert reply.status == status, reply.body
    assert words in reply.detail
    assert "\n" not in reply.detail


def test_what_is_no_text_is_no_question(served):
    for body in (
        b"",
        b"{",
        b"\xff\xfe",
        b'{"sentences": ["\\ud800"]}',
        b"[1]",
        b"null",
        b'{"sentences": ["a"], "beam_size": 1e99}',
    ):
        reply = served.send("POST", "/api/translate", body, {"Content-Type": "application/json"})
        assert reply.status == 422, (body, reply.body)
        assert "\n" not in reply.detail


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"&lt;\u2028\0'])
def test_markup_is_text_and_stays_it(served, text):
    reply = served.ask("/api/translate", sentences=[text])
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["translations"][0]["source"] == text
    events = served.events(text=text, prefix="<b>")
    assert events[-1][1]["source"] == text
    assert served.ask("/api/translate", run=text, sentences=["a"]).headers["content-type"] == "application/json"


def test_there_is_a_description_of_every_path(served):
    described = served.get("/openapi.json").json
    assert set(described["paths"]) == {
        f"/api/{name}" for name in ("runs", "translate", "stream", "alternatives", "trace", "picture")
    }
    for path in described["paths"].values():
        for operation in path.values():
            assert operation["description"]
            assert {"404", "413", "422", "503"} <= set(operation["responses"])
    assert "HTTPValidationError" not in json.dumps(described["paths"])
    assert served.get("/docs").status == 404


def test_a_queue_that_is_full_is_503():
    limits = replace(SMALL, waiting=1, sentences=2)
    with serving(OWN, ServeConfig(port=0, limits=limits)) as full:
        reply = full.ask("/api/translate", sentences=["a", "b"])
        assert reply.status == 503
        assert reply.headers["retry-after"] == "1"
        assert "waiting" in reply.detail

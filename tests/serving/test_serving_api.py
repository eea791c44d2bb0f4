"""The JSON API: results, streams, errors, and its description."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pydantic import ValidationError
from server_tools import SMALL, serving, translators
from translators import SENTENCES

from seq2seq.serving.config import ServeConfig
from seq2seq.serving.schemas import StreamRequest, TranslateRequest

TRANSLATORS = translators()


@pytest.fixture(scope="module")
def client():
    with serving(TRANSLATORS) as client:
        yield client


def test_runs_and_limits_are_described(client):
    info = client.get("/api/runs").json
    assert [(run["name"], run["attends"], run["beam_size"]) for run in info["runs"]] == [
        ("attends", True, 3),
        ("context", False, 3),
    ]
    assert info["limits"] == {"characters": 60, "segment": 1000, "inspected": 40, "sentences": 8, "beam_size": 6}
    assert info["program"] == "python recipes/serve.py"


def test_translations_equal_those_of_the_translator(client):
    for run, translator in TRANSLATORS.items():
        sentences = [*SENTENCES, " "]
        reply = client.post("/api/translate", run=run, sentences=sentences, n_best=2, attention=True)
        assert reply.status == 200, reply.body
        assert reply.json["run"] == run
        for message, expected in zip(
            reply.json["translations"], translator.translate(sentences, n_best=2, attention=True), strict=True
        ):
            assert (message["source"], message["text"], tuple(message["tokens"])) == (
                expected.source,
                expected.text,
                expected.tokens,
            )
            assert message["score"] == pytest.approx(expected.score, abs=1e-5)
            assert [each["text"] for each in message["n_best"]] == [each.text for each in expected.n_best]
            if expected.attention is None:
                assert message["attention"] is None
            else:
                assert len(message["attention"]) == len(expected.tokens) + 1
                assert message["attention"][0][0] == pytest.approx(float(expected.attention[0, 0]), abs=1e-3)


def test_the_first_run_is_the_default_and_constraints_hold(client):
    sentences = [{"text": "Wir.", "prefix": "Die F"}, {"text": "Wir.", "phrases": ["Haus"]}, "Wir."]
    reply = client.post("/api/translate", sentences=sentences, beam_size=4)
    prefixed, forced, free = (translation["text"] for translation in reply.json["translations"])
    assert reply.json["run"] == "attends"
    assert prefixed.startswith("Die F")
    assert "Haus" in forced.split()
    assert free == TRANSLATORS["attends"].translate("Wir.", beam_size=4).text


def test_32_clients_receive_the_results_of_their_own_requests(client):
    texts = [f"{text} {number}" for number in range(8) for text in SENTENCES]
    alone = {text: TRANSLATORS["attends"].translate(text).text for text in texts}

    def send(number):
        mine = [texts[(number * 7 + turn) % len(texts)] for turn in range(2)]
        return [(text, client.post("/api/translate", sentences=[text])) for text in mine]

    with ThreadPoolExecutor(32) as clients:
        results = [result for each in clients.map(send, range(32)) for result in each]
    assert len(results) == 64
    for text, reply in results:
        assert reply.status == 200, reply.body
        (translation,) = reply.json["translations"]
        assert (translation["source"], translation["text"]) == (text, alone[text])


def test_a_stream_grows_into_the_translation(client):
    for beam_size in (1, 3):
        *growing, (name, done) = client.events(text=SENTENCES[0], beam_size=beam_size, prefix="Da")
        expected = TRANSLATORS["attends"].translate(SENTENCES[0], beam_size=beam_size, prefix="Da")
        assert (name, done["text"], tuple(done["tokens"])) == ("done", expected.text, expected.tokens)
        assert done["score"] == pytest.approx(expected.score, abs=1e-5)
        assert {name for name, _ in growing} <= {"growing"}
        for (_, part), (_, longer) in zip(growing, [*growing[1:], (name, done)], strict=True):
            assert longer["text"].startswith(part["text"])
    assert [name for name, _ in client.events(text=" ")] == ["done"]
    ((name, message),) = client.events(text="Wir.", prefix="x" * 60)[-1:]
    assert (name, list(message)) == ("done", list(done)) or "prefix" in message["detail"]


def test_concurrent_streams_do_not_mix(client):
    with ThreadPoolExecutor(8) as clients:
        streams = list(clients.map(lambda text: client.events(text=text), SENTENCES * 2))
    for text, events in zip(SENTENCES * 2, streams, strict=True):
        assert events[-1][1]["text"] == TRANSLATORS["attends"].translate(text).text


def test_a_trace_has_steps_attention_and_pictures(client):
    trace = client.post("/api/trace", text="Wir.").json
    expected = TRANSLATORS["attends"].trace("Wir.")
    assert trace["text"] == expected.text
    assert [step["predicted"] for step in trace["steps"]] == list(expected.target_tokens)
    assert len(trace["attention"]) == len(trace["steps"])
    assert {"tree", "attention", "encoder.1.forward", "decoder.1.forward"} <= set(trace["pictures"])
    other = client.post("/api/trace", run="context", text="Wir.", target="Das Haus").json
    assert (other["text"], other["attention"]) == ("Das Haus", None)
    picture = client.get("/api/picture?text=Wir.&run=context&target=Das&name=decoder.1.forward.states")
    assert picture.headers["content-type"] == "image/png"
    assert picture.body.startswith(b"\x89PNG")
    missing = client.get("/api/picture?text=Wir.&name=../../etc/passwd")
    assert (missing.status, missing.detail.startswith("there is no picture")) == (422, True)


@pytest.mark.parametrize(
    ("path", "fields", "status", "words"),
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
        ("trace", {"text": "a" * 41}, 413, "the limit is 40"),
        ("trace", {"text": " "}, 422, "is blank"),
    ],
)
def test_an_error_is_one_line(client, path, fields, status, words):
    reply = client.post(f"/api/{path}", **fields)
    assert reply.status == status, reply.body
    assert words in reply.detail
    assert "\n" not in reply.detail


def test_an_invalid_body_is_an_error(client):
    for body in (
        b"",
        b"{",
        b"\xff\xfe",
        b'{"sentences": ["\\ud800"]}',
        b"[1]",
        b"null",
        b'{"sentences": ["a"], "beam_size": 1e99}',
    ):
        reply = client.send("POST", "/api/translate", body, {"Content-Type": "application/json"})
        assert reply.status == 422, (body, reply.body)
        assert "\n" not in reply.detail


@pytest.mark.parametrize("body", ['{"sentences": ["é"]}'.encode("latin-1"), b"[" * 3999])
def test_a_body_that_cannot_be_parsed_is_422_and_says_what_to_send(client, body):
    reply = client.send("POST", "/api/translate", body, {"Content-Type": "application/json"})
    assert (reply.status, "send JSON in UTF-8" in reply.detail) == (422, True), reply.body


def test_an_invalid_parameter_is_named(client):
    for query, field in {
        "text=Wir.&name=tree&beam_size=0": "beam_size",
        "text=Wir.&name=tree&beam_size=many": "beam_size",
        "name=tree": "text",
        "text=Wir.": "name",
    }.items():
        reply = client.get(f"/api/picture?{query}")
        assert (reply.status, reply.detail.partition(":")[0]) == (422, field)
        assert client.get(f"/api/picture?{query}", **{"Content-Type": "text/plain"}).body == reply.body


@pytest.mark.parametrize("kind", [{}, {"Content-Type": "text/plain"}])
def test_a_body_of_another_type_is_told_its_header(client, kind):
    reply = client.send("POST", "/api/translate", b'{"sentences": ["Wir."]}', kind)
    assert (reply.status, "send the header Content-Type: application/json" in reply.detail) == (422, True)


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"&lt;\u2028\0'])
def test_markup_is_treated_as_text(client, text):
    reply = client.post("/api/translate", sentences=[text])
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["translations"][0]["source"] == text
    events = client.events(text=text, prefix="<b>")
    assert events[-1][1]["source"] == text
    assert client.post("/api/translate", run=text, sentences=["a"]).headers["content-type"] == "application/json"


def test_every_path_is_described(client):
    description = client.get("/openapi.json").json
    assert set(description["paths"]) == {
        f"/api/{name}" for name in ("runs", "translate", "stream", "segments", "alternatives", "trace", "picture")
    }
    for path in description["paths"].values():
        for operation in path.values():
            assert operation["description"]
            assert {"404", "413", "422", "503"} <= set(operation["responses"])
    assert "HTTPValidationError" not in json.dumps(description["paths"])
    assert client.get("/docs").status == 404


def test_a_full_queue_is_503():
    limits = replace(SMALL, waiting=1, sentences=2)
    with serving(TRANSLATORS, ServeConfig(port=0, limits=limits)) as full:
        reply = full.post("/api/translate", sentences=["a", "b"])
        assert reply.status == 503
        assert reply.headers["retry-after"] == "1"
        assert "the queue is full" in reply.detail


def test_a_sentence_is_a_text_or_a_text_with_constraints():
    request = TranslateRequest.model_validate({"sentences": ["a", {"text": "b", "prefix": "c"}]})
    first, second = request.sentences
    assert first == "a"
    assert not isinstance(second, str)
    assert (second.text, second.prefix, second.phrases) == ("b", "c", [])


@pytest.mark.parametrize(
    "body", [{"text": "a", "prefx": "b"}, {"text": None}, {}, {"text": ["a"]}, {"text": b"a", "beam_size": True}]
)
def test_unknown_fields_and_wrong_types_are_errors(body):
    with pytest.raises(ValidationError):
        StreamRequest.model_validate_json(json.dumps(body, default=list))

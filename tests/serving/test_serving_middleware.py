"""What every request passes."""

import socket
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from server_tools import SMALL, serving

from seq2seq.serving.config import ServeConfig

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def served():
    with serving() as one:
        yield one


def test_every_answer_says_what_a_browser_may_do(served):
    for path in ("/", "/static/app.js", "/api/runs", "/api/nothing", "/openapi.json"):
        headers = {name.lower(): value for name, value in served.get(path).headers.items()}
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "data:" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in policy
        assert "access-control-allow-origin" not in headers


ELSEWHERE = ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example", "[::1", "localhost@evil"]


@pytest.mark.parametrize("host", ELSEWHERE)
def test_another_host_name_is_refused(served, host):
    """DNS rebinding: a page elsewhere whose name leads here."""
    assert served.get("/api/runs", Host=host).status in (400, 403)


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_names_of_this_machine_are_answered(served, host):
    assert served.get("/api/runs", Host=host).status == 200


def test_other_sites_may_lead_here_but_not_ask(served):
    assert served.get("/api/runs", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}).status == 403
    assert served.get("/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status == 200
    for site in ("cross-site", "same-site"):  # in a hidden frame, or from another port of this machine
        for mode in ("navigate", "no-cors", "cors"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
            assert served.get("/api/picture?text=Wir.&name=tree", **headers).status == 403
    for site in ("same-origin", "none"):
        assert served.get("/api/runs", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}).status == 200
    body = b'{"sentences": ["Wir."]}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):  # what a form of another site may send
        assert served.send("POST", "/api/translate", body, {"Content-Type": kind}).status == 422
    assert served.send("POST", "/api/translate", body, JSON).status == 200


def test_a_large_body_is_refused_before_it_is_read(served):
    body = b" " * SMALL.body + b'{"sentences": ["Wir."]}'
    reply = served.send("POST", "/api/translate", body, JSON)
    assert reply.status == 413
    assert "4,000 bytes" in reply.detail
    with socket.create_connection(urlsplit(served.url).netloc.split(":"), timeout=30) as raw:
        raw.sendall(b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_large_body_without_a_length_is_refused_too(served):
    with socket.create_connection(urlsplit(served.url).netloc.split(":"), timeout=30) as raw:
        raw.sendall(b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.sendall(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_arrive_is_not_waited_for():
    config = ServeConfig(port=0, limits=replace(SMALL, arriving=0.2))
    with (
        serving(config=config) as slow,
        socket.create_connection(urlsplit(slow.url).netloc.split(":"), timeout=30) as raw,
    ):
        raw.sendall(b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 408")

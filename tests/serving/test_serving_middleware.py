"""Security: headers, host names, origins, and sizes of requests."""

import socket
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from server_tools import SMALL, serving

from seq2seq.serving.config import ServeConfig

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def client():
    with serving() as client:
        yield client


def test_every_response_has_a_strict_security_policy(client):
    for path in ("/", "/static/app.js", "/api/runs", "/api/nothing", "/openapi.json"):
        headers = {name.lower(): value for name, value in client.get(path).headers.items()}
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "data:" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in policy
        assert "access-control-allow-origin" not in headers


FOREIGN_HOSTS = ["evil.example", "evil.example:8000", "", "127.0.0.1.evil.example", "[::1", "localhost@evil"]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_other_host_names_are_rejected(client, host):
    """DNS rebinding: the name of another site that resolves to this machine."""
    assert client.get("/api/runs", Host=host).status in (400, 403)


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:8000", "LOCALHOST"])
def test_local_host_names_are_allowed(client, host):
    assert client.get("/api/runs", Host=host).status == 200


def test_other_sites_may_link_to_the_page_but_not_use_the_api(client):
    assert client.get("/api/runs", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}).status == 403
    assert client.get("/", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}).status == 200
    for site in ("cross-site", "same-site"):  # a hidden frame, or another port of this machine
        for mode in ("navigate", "no-cors", "cors"):
            headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
            assert client.get("/api/picture?text=Wir.&name=tree", **headers).status == 403
    for site in ("same-origin", "none"):
        assert client.get("/api/runs", **{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}).status == 200
    body = b'{"sentences": ["Wir."]}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):  # types that a form of another site can send
        assert client.send("POST", "/api/translate", body, {"Content-Type": kind}).status == 422
    assert client.send("POST", "/api/translate", body, JSON).status == 200


def test_a_large_body_is_rejected_before_it_is_read(client):
    body = b" " * SMALL.body + b'{"sentences": ["Wir."]}'
    reply = client.send("POST", "/api/translate", body, JSON)
    assert reply.status == 413
    assert "4,000 bytes" in reply.detail
    with socket.create_connection(urlsplit(client.url).netloc.split(":"), timeout=30) as raw:
        raw.sendall(b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_large_body_without_a_length_is_rejected(client):
    with socket.create_connection(urlsplit(client.url).netloc.split(":"), timeout=30) as raw:
        raw.sendall(b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.sendall(b"1000\r\n" + b" " * 0x1000 + b"\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 413")


def test_a_missing_body_is_a_timeout():
    config = ServeConfig(port=0, limits=replace(SMALL, arriving=0.2))
    with (
        serving(config=config) as server,
        socket.create_connection(urlsplit(server.url).netloc.split(":"), timeout=30) as raw,
    ):
        raw.sendall(b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        assert raw.recv(100).startswith(b"HTTP/1.1 408")

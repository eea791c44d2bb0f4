"""Load on a server: many clients, each of which sends one sentence at a time."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

TIMEOUT = 120.0
"""Seconds until a request counts as lost."""


@dataclass(frozen=True)
class Reply:
    """The response to one request."""

    source: str
    """The sentence that was sent."""
    answered: str | None
    """The source sentence in the response; None: there was no translation."""
    text: str | None
    """The translation, likewise."""
    seconds: float
    detail: str = ""
    """Why there was no translation."""


@dataclass(frozen=True)
class Load:
    """All responses."""

    replies: list[Reply]
    seconds: float
    """From the first request to the last response."""


def load(url: str, sentences: Sequence[str], clients: int, requests: int) -> Load:
    """Send requests from many threads. Client c sends sentence c first, then c + clients, and so on.

    Args:
        url: address of the server, such as ``http://127.0.0.1:8000``.
        sentences: repeated if there are too few.
        clients: connections at a time.
        requests: requests per connection.
    """
    replies: list[list[Reply]] = [[] for _ in range(clients)]
    ready = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
        ready.wait()
        for turn in range(requests):
            text = sentences[(number + turn * clients) % len(sentences)]
            replies[number].append(request_translation(connection, text))
        connection.close()

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    ready.wait()
    start = time.perf_counter()
    for thread in threads:
        thread.join()
    return Load([reply for own in replies for reply in own], time.perf_counter() - start)


def request_translation(connection: HTTPConnection, text: str) -> Reply:
    """Translate one sentence over an open connection."""
    start = time.perf_counter()
    try:
        body = json.dumps({"sentences": [text]}).encode()
        connection.request("POST", "/api/translate", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        message = json.loads(response.read())
        seconds = time.perf_counter() - start
        if response.status != 200:
            return Reply(text, None, None, seconds, f"{response.status}: {message['detail']}")
        (translation,) = message["translations"]
        return Reply(text, translation["source"], translation["text"], seconds)
    except (OSError, HTTPException, ValueError, KeyError) as error:
        connection.close()
        return Reply(text, None, None, time.perf_counter() - start, str(error) or type(error).__name__)

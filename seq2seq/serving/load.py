"""Load: many clients at once that ask a server one sentence at a time, each as soon as it has its answer."""

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

TIMEOUT = 120.0
"""Seconds after which an answer counts as lost."""


@dataclass(frozen=True)
class Reply:
    """What came back."""

    source: str
    """What was asked."""
    answered: str | None
    """The sentence that the answer is about; None where there was none."""
    text: str | None
    """The translation; likewise."""
    seconds: float
    detail: str = ""
    """Why there was none."""


@dataclass(frozen=True)
class Load:
    """All that came back."""

    replies: list[Reply]
    seconds: float
    """From the first question to the last answer."""


def load(url: str, sentences: Sequence[str], clients: int, questions: int) -> Load:
    """Have ``clients`` threads ask ``questions`` each; client c asks sentence c first, c + clients next, and so on.

    Args:
        url: of the server, such as ``http://127.0.0.1:8000``.
        sentences: begun anew where there are too few.
        clients: connections at a time.
        questions: asked over each of them.
    """
    replies: list[list[Reply]] = [[] for _ in range(clients)]
    together = threading.Barrier(clients + 1)

    def client(number: int) -> None:
        connection = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
        together.wait()
        for turn in range(questions):
            text = sentences[(number + turn * clients) % len(sentences)]
            replies[number].append(ask(connection, text))
        connection.close()

    threads = [threading.Thread(target=client, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    together.wait()
    started = time.perf_counter()
    for thread in threads:
        thread.join()
    return Load([reply for own in replies for reply in own], time.perf_counter() - started)


def ask(connection: HTTPConnection, text: str) -> Reply:
    """One question, over a connection that is kept."""
    started = time.perf_counter()
    try:
        body = json.dumps({"sentences": [text]}).encode()
        connection.request("POST", "/api/translate", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        found = json.loads(response.read())
        took = time.perf_counter() - started
        if response.status != 200:
            return Reply(text, None, None, took, f"{response.status}: {found['detail']}")
        (translation,) = found["translations"]
        return Reply(text, translation["source"], translation["text"], took)
    except (OSError, HTTPException, ValueError, KeyError) as error:
        connection.close()
        return Reply(text, None, None, time.perf_counter() - started, str(error) or type(error).__name__)

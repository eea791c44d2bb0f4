"""Attacks on a server, and their effect on another client: `python tests/hostile.py RUN SECONDS`."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from server_tools import Client

ROOT = Path(__file__).parents[1]
FACE = "\N{GRINNING FACE}"
LONG = "where is the key of the old house that my brother bought from a friend " * 13


class Effect(NamedTuple):
    megabytes: float
    """Peak memory of the server above that after its first response."""
    requests: int
    failed: int
    """Requests of the ordinary client."""
    slowest: float
    """Seconds of its slowest response."""
    median: float
    processor_seconds: float
    """Maximum processor time of the server between a request and its response; meaningful on a busy machine."""
    shutdown: float
    """Seconds from Ctrl-C under attack to the end of the process."""
    code: int
    errors: str
    """Standard error of the server."""
    replies: dict[str, int]
    """Responses by attack and status."""


def attacks():
    """Name, method, path and body of every attack by a request."""
    many = [{"text": LONG[:900], "phrases": [f"haus{number}" for number in range(8)]}] * 8
    yield "picture", "GET", f"/api/picture?name=encoder.1.forward&text={quote(FACE * 100)}", {}
    yield "drawn", "GET", f"/api/picture?name=encoder.1.forward&beam_size=16&text={quote(FACE * 20)}", {}
    yield "tree", "GET", f"/api/picture?name=tree&beam_size=16&text={quote(LONG[:250])}", {}
    yield (
        "n_best",
        "POST",
        "/api/translate",
        {
            "sentences": [{"text": LONG[:900], "prefix": "haus " * 100}],
            "n_best": 16,
            "beam_size": 16,
            "attention": True,
        },
    )
    yield "attention", "POST", "/api/translate", {"sentences": [LONG[:200]], "n_best": 3, "attention": True}
    yield "faces", "POST", "/api/translate", {"sentences": [FACE * 1000]}
    yield "long", "POST", "/api/translate", {"sentences": [FACE * 240] * 8, "beam_size": 16}
    yield (
        "phrases",
        "POST",
        "/api/translate",
        {"sentences": [{"text": LONG[:900], "phrases": [f"a{number}" for number in range(60)]}], "beam_size": 16},
    )
    yield "many", "POST", "/api/translate", {"sentences": many, "beam_size": 16}
    yield "wide", "POST", "/api/translate", {"sentences": [FACE * 100] * 8, "beam_size": 16}
    yield "stream", "POST", "/api/stream", {"text": FACE * 240, "beam_size": 16}
    yield "trace", "POST", "/api/trace", {"text": FACE * 70, "beam_size": 16}
    yield "short trace", "POST", "/api/trace", {"text": FACE * 5, "beam_size": 16}
    yield "alternatives", "POST", "/api/alternatives", {"text": LONG[:900], "before": "haus " * 100, "count": 16}


def attack(run: Path, seconds: float) -> Effect:
    """Start the recipe, attack it for some seconds beside an ordinary client, and stop it under attack."""
    command = [sys.executable, str(ROOT / "recipes" / "serve.py"), f"run={run}", "port=0", "device=cpu"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes) as process:
        client = Client(process.stdout.readline().split()[0])
        assert client.post("/api/translate", sentences=["We work."]).status == 200
        memory_before = peak_memory(process.pid)
        ended, replies = threading.Event(), dict[str, int]()
        threads = [
            threading.Thread(target=repeat_request, args=(client, *request, ended, replies))
            for request in attacks()
            for _ in "ab"
        ]
        threads += [
            threading.Thread(target=open_idle_connections, args=(client, ended)),
            threading.Thread(target=leave_responses_unread, args=(client, ended)),
        ]
        for thread in threads:
            thread.start()
        durations, processor_seconds, failed, deadline = [], [], 0, time.monotonic() + seconds
        while time.monotonic() < deadline:
            start, processor_start = time.monotonic(), processor_time(process.pid)
            try:
                outcome = f"ordinary {client.post('/api/translate', sentences=['Where is my key?']).status}"
            except OSError as error:
                outcome = f"ordinary {type(error).__name__}"
            failed += outcome != "ordinary 200"
            replies[outcome] = replies.get(outcome, 0) + 1
            durations.append(time.monotonic() - start)
            processor_seconds.append(processor_time(process.pid) - processor_start)
            time.sleep(0.2)
        memory_after, start = peak_memory(process.pid), time.monotonic()
        ended.set()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        shutdown = time.monotonic() - start
        for thread in threads:
            thread.join()
    return Effect(
        memory_after - memory_before,
        len(durations),
        failed,
        max(durations),
        sorted(durations)[len(durations) // 2],
        max(processor_seconds),
        shutdown,
        process.returncode,
        errors,
        dict(sorted(replies.items())),
    )


def peak_memory(process: int) -> float:
    """Peak memory of a process in MB."""
    (line,) = (line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def processor_time(process: int) -> float:
    """Processor seconds of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def repeat_request(client, name, method, path, fields, ended, replies):
    """Send a request repeatedly, with a different text each time, so that no cache has the response."""
    number = 0
    while not ended.is_set():
        number += 1
        if method == "GET":
            numbered, body = f"{path}{quote(' ' + str(number))}", None
        else:
            body = json.dumps(fields).replace(FACE * 2, f"{FACE}{number % 10}", 1).encode()
            numbered = path
        try:
            reply = client.send(method, numbered, body, {"Content-Type": "application/json"})
            outcome = f"{name} {reply.status}"
        except OSError as error:
            outcome = f"{name} {type(error).__name__}"
        replies[outcome] = replies.get(outcome, 0) + 1
        time.sleep(0.05)


def open_idle_connections(client, ended):
    """Open connections without a request, or with an incomplete one."""
    head = b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
    with contextlib.ExitStack() as connections:
        while not ended.is_set():
            for _ in range(130):
                with contextlib.suppress(OSError):
                    raw = connections.enter_context(
                        socket.create_connection(urlsplit(client.url).netloc.split(":"), timeout=5)
                    )
                    raw.sendall(head[: random.randrange(len(head) + 1)])
            ended.wait(2)
            connections.close()


def leave_responses_unread(client, ended):
    """Send requests without reading the responses."""
    body = json.dumps({"sentences": [LONG[:200]], "n_best": 3, "attention": True}).encode()
    head = "POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}"
    with contextlib.ExitStack() as connections:
        while not ended.is_set():
            with contextlib.suppress(OSError):
                raw = connections.enter_context(
                    socket.create_connection(urlsplit(client.url).netloc.split(":"), timeout=5)
                )
                raw.sendall(f"{head}\r\n\r\n".encode() + body)
            ended.wait(1)


if __name__ == "__main__":
    for name, value in attack(Path(sys.argv[1]), float(sys.argv[2]))._asdict().items():
        print(name, value)

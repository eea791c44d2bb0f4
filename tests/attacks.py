"""Attacks on a server of a run, and what another client notices of them: `python tests/hostile.py RUN SECONDS`."""

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

from server_tools import Served

ROOT = Path(__file__).parents[1]
FACE = "\N{GRINNING FACE}"
LONG = "where is the key of the old house that my brother bought from a friend " * 13


class Noticed(NamedTuple):
    megabytes: float
    """Peak memory of the server above that after its first answer."""
    answered: int
    refused: int
    """Questions of the client that behaves."""
    slowest: float
    """Seconds of its slowest answer."""
    median: float
    computed: float
    """Processor seconds that the server took between a question and its answer, at most: on a machine that is busy with
    something else, what counts."""
    stopping: float
    """Seconds from Ctrl-C under attack to the end of the process."""
    code: int
    complaints: str
    replies: dict[str, int]
    """What the attackers were told, by attack and status."""


def questions():
    """Path, method and body of every attack that is a question."""
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


def attacked(run: Path, seconds: float) -> Noticed:
    """Start the recipe, attack it for so long, ask it something ordinary beside, and stop it under attack."""
    command = [sys.executable, str(ROOT / "recipes" / "serve.py"), f"run={run}", "port=0", "device=cpu"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes) as process:
        served = Served(process.stdout.readline().split()[0])
        assert served.ask("/api/translate", sentences=["We work."]).status == 200
        before = peak(process.pid)
        over, replies = threading.Event(), dict[str, int]()
        attackers = [
            threading.Thread(target=ask, args=(served, *one, over, replies)) for one in questions() for _ in "ab"
        ]
        attackers += [
            threading.Thread(target=idle, args=(served, over)),
            threading.Thread(target=unread, args=(served, over)),
        ]
        for one in attackers:
            one.start()
        took, computed, refused, until = [], [], 0, time.monotonic() + seconds
        while time.monotonic() < until:
            started, spent = time.monotonic(), processor(process.pid)
            try:
                told = f"ordinary {served.ask('/api/translate', sentences=['Where is my key?']).status}"
            except OSError as error:
                told = f"ordinary {type(error).__name__}"
            refused += told != "ordinary 200"
            replies[told] = replies.get(told, 0) + 1
            took.append(time.monotonic() - started)
            computed.append(processor(process.pid) - spent)
            time.sleep(0.2)
        after, started = peak(process.pid), time.monotonic()
        over.set()
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=120)
        stopping = time.monotonic() - started
        for one in attackers:
            one.join()
    return Noticed(
        after - before,
        len(took),
        refused,
        max(took),
        sorted(took)[len(took) // 2],
        max(computed),
        stopping,
        process.returncode,
        complaints,
        dict(sorted(replies.items())),
    )


def peak(process: int) -> float:
    """The most memory that a process has had, in MB."""
    (line,) = (line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def processor(process: int) -> float:
    """Processor seconds that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def ask(served, name, method, path, question, over, replies):
    """One attack again and again; what it is about differs each time, so that nothing kept answers it."""
    number = 0
    while not over.is_set():
        number += 1
        if method == "GET":
            path_now, body = f"{path}{quote(' ' + str(number))}", None
        else:
            body = json.dumps(question).replace(FACE * 2, f"{FACE}{number % 10}", 1).encode()
            path_now = path
        try:
            reply = served.send(method, path_now, body, {"Content-Type": "application/json"})
            told = f"{name} {reply.status}"
        except OSError as error:
            told = f"{name} {type(error).__name__}"
        replies[told] = replies.get(told, 0) + 1
        time.sleep(0.05)


def idle(served, over):
    """Connections without a request, or with the beginning of one."""
    head = b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"
    with contextlib.ExitStack() as left:
        while not over.is_set():
            for _ in range(130):
                with contextlib.suppress(OSError):
                    raw = left.enter_context(
                        socket.create_connection(urlsplit(served.url).netloc.split(":"), timeout=5)
                    )
                    raw.sendall(head[: random.randrange(len(head) + 1)])
            over.wait(2)
            left.close()


def unread(served, over):
    """Answers that are asked for and not taken."""
    body = json.dumps({"sentences": [LONG[:200]], "n_best": 3, "attention": True}).encode()
    head = "POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Content-Length: {len(body)}"
    with contextlib.ExitStack() as left:
        while not over.is_set():
            with contextlib.suppress(OSError):
                raw = left.enter_context(socket.create_connection(urlsplit(served.url).netloc.split(":"), timeout=5))
                raw.sendall(f"{head}\r\n\r\n".encode() + body)
            over.wait(1)


if __name__ == "__main__":
    for name, value in attacked(Path(sys.argv[1]), float(sys.argv[2]))._asdict().items():
        print(name, value)

"""The listening socket, and the recipe."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from server_tools import Client

from seq2seq.errors import ConfigError
from seq2seq.serving.config import ServeConfig
from seq2seq.serving.server import listen, page_url

ROOT = Path(__file__).parents[2]


def test_the_default_address_is_local_and_a_used_port_is_an_error():
    with listen(ServeConfig(port=0)) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
        port = listening.getsockname()[1]
        assert page_url(ServeConfig(), listening) == f"http://127.0.0.1:{port}"
        with pytest.raises(ConfigError, match=f"port={port} .*: choose another port") as error:
            listen(ServeConfig(port=port))
        assert "\n" not in str(error.value)
    with pytest.raises(ConfigError, match=r"host=192\.0\.2\.1"):
        listen(ServeConfig(host="192.0.2.1", port=0))


def test_a_response_is_sent_without_delay():
    with listen(ServeConfig(port=0)) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_wrong_command_is_one_line(recipe, tiny_run, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        outcome = recipe("serve", f"run={tiny_run}", f"port={occupied.getsockname()[1]}")
    assert outcome.code == 1
    assert outcome.err.count("\n") == 1
    for override, words in {
        f"run={tmp_path / 'nowhere'}": "nowhere",
        f"runs=[{tiny_run}]": "named twice",
        "limits.batch=1": "limits.batch=1 is less",
        "port=70000": "port must be in [0, 65535]",
    }.items():
        outcome = recipe("serve", f"run={tiny_run}", override)
        assert (outcome.code, outcome.err.count("\n")) == (1, 1), outcome.err
        assert words in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_the_recipe_serves_until_it_is_stopped(tiny_run, stop):
    command = [sys.executable, str(ROOT / "recipes" / "serve.py"), f"run={tiny_run}", "port=0"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env=environment, **pipes) as process:
        first = process.stdout.readline()
        client = Client(first.split()[0])
        assert first.endswith("(tiny; Ctrl-C stops)\n")
        assert b"<h1>seq2seq</h1>" in client.get("/").body
        assert client.post("/api/translate", sentences=["We work."]).status == 200
        process.send_signal(stop)
        out, err = process.communicate(timeout=60)
        assert (out, err) == ("", "")
        assert process.returncode in (0, -stop)

"""Where the page is found, and what it takes."""

from dataclasses import replace

import pytest

from seq2seq.errors import ConfigError
from seq2seq.serving.config import LimitsConfig, ServeConfig


def test_by_default_this_machine_alone_is_answered():
    config = ServeConfig()
    config.check()
    assert config.host == "127.0.0.1"
    assert config.hosts == {"127.0.0.1", "::1", "localhost"}
    assert ServeConfig(names=["Mine.example"]).hosts == {"127.0.0.1", "::1", "localhost", "mine.example"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "127.1", "localhost", "LOCALHOST", "::1", "::ffff:127.0.0.1"]
)
def test_this_machine_however_it_is_written_is_asked_for_by_name(host):
    config = ServeConfig(host=host)
    assert config.local
    assert config.hosts is not None
    assert "evil.example" not in config.hosts
    assert {"localhost", host.lower()} <= config.hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "a" * 70, "\N{SNOWMAN}."])
def test_another_host_is_not_this_machine(host):
    assert not ServeConfig(host=host).local


def test_on_a_network_any_name_will_do_unless_some_are_given():
    assert ServeConfig(host="0.0.0.0").hosts is None
    assert "mine.example" in (ServeConfig(host="0.0.0.0", names=["mine.example"]).hosts or set())


@pytest.mark.parametrize("name", ["batch", "waiting"])
def test_a_request_must_fit_a_batch_and_the_queue(name):
    config = ServeConfig(limits=replace(LimitsConfig(), **{name: 5}))
    with pytest.raises(ConfigError, match=rf"limits\.{name}=5 is less than limits\.sentences=64"):
        config.check()

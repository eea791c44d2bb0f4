"""Settings of the server, and the packages that it needs."""

from dataclasses import replace

import pytest

from seq2seq.errors import ConfigError
from seq2seq.serving import config as config_module
from seq2seq.serving.config import LimitsConfig, ServeConfig, require_packages


def test_by_default_only_local_names_are_allowed():
    config = ServeConfig()
    config.check()
    assert config.host == "127.0.0.1"
    assert config.hosts == {"127.0.0.1", "::1", "localhost"}
    assert ServeConfig(names=["Mine.example"]).hosts == {"127.0.0.1", "::1", "localhost", "mine.example"}


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.2", "127.1", "localhost", "LOCALHOST", "::1", "::ffff:127.0.0.1"]
)
def test_a_local_address_is_recognized_in_any_notation(host):
    config = ServeConfig(host=host)
    assert config.local
    assert config.hosts is not None
    assert "evil.example" not in config.hosts
    assert {"localhost", host.lower()} <= config.hosts


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "", "a" * 70, "\N{SNOWMAN}."])
def test_other_addresses_are_not_local(host):
    assert not ServeConfig(host=host).local


def test_on_a_network_any_name_is_allowed_unless_some_are_listed():
    assert ServeConfig(host="0.0.0.0").hosts is None
    assert "mine.example" in (ServeConfig(host="0.0.0.0", names=["mine.example"]).hosts or set())


@pytest.mark.parametrize("name", ["batch", "waiting"])
def test_a_request_must_fit_a_batch_and_the_queue(name):
    config = ServeConfig(limits=replace(LimitsConfig(), **{name: 5}))
    with pytest.raises(ConfigError, match=rf"limits\.{name}=5 is less than limits\.sentences=64"):
        config.check()


def test_missing_packages_are_listed_with_the_command_that_installs_them(monkeypatch):
    require_packages()
    monkeypatch.setattr(config_module, "PACKAGES", ("json", "no_such_package", "nor_this"))
    with pytest.raises(ConfigError, match=r'no_such_package and nor_this: python -m pip install -e "\.\[serve\]"$'):
        require_packages()


def test_the_recipe_reports_a_missing_package_in_one_line(recipe, tiny_run, monkeypatch):
    monkeypatch.setattr(config_module, "PACKAGES", ("no_such_package",))
    outcome = recipe("serve", f"run={tiny_run}")
    assert outcome.code == 1
    assert outcome.err == 'error: recipes/serve.py needs no_such_package: python -m pip install -e ".[serve]"\n'

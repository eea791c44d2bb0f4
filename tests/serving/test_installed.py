"""What the page needs."""

import pytest

from seq2seq.errors import ConfigError
from seq2seq.serving import installed


def test_what_is_missing_is_named_with_the_command(monkeypatch):
    installed.demand_installed()
    monkeypatch.setattr(installed, "NEEDED", ("json", "no_such_package", "nor_this"))
    with pytest.raises(ConfigError, match=r'no_such_package and nor_this: pip install "seq2seq\[serve\]"$'):
        installed.demand_installed()


def test_the_recipe_says_so_in_one_line(recipe, tiny_run, monkeypatch):
    monkeypatch.setattr(installed, "NEEDED", ("no_such_package",))
    outcome = recipe("serve", f"run={tiny_run}")
    assert outcome.code == 1
    assert outcome.err == 'error: recipes/serve.py needs no_such_package: pip install "seq2seq[serve]"\n'

"""Whether what the page needs beside this library is installed."""

from importlib.util import find_spec

from seq2seq.errors import ConfigError

NEEDED = ("fastapi", "uvicorn")


def demand_installed() -> None:
    """Hold that a page can be served.

    Raises:
        ConfigError: a package is missing.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f'recipes/serve.py needs {" and ".join(missing)}: pip install "seq2seq[serve]"')

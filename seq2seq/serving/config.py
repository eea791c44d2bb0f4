"""Settings of recipes/serve.py: runs, address and limits."""

import ipaddress
import socket
from dataclasses import dataclass
from importlib.util import find_spec

from seq2seq.errors import ConfigError, install_hint, program
from seq2seq.inference.config import InferencePrecision
from seq2seq.settings import Settings, setting

LOCAL = ("127.0.0.1", "::1", "localhost")
"""Names of this machine that other machines cannot reach."""

PACKAGES = ("fastapi", "uvicorn")
"""Packages of the server in addition to the dependencies of this library."""


def require_packages() -> None:
    """Check that the packages of the server are installed.

    Raises:
        ConfigError: a package is missing.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(f"{program('serve')} needs {' and '.join(missing)}: {install_hint('serve')}")


@dataclass(kw_only=True)
class LimitsConfig:
    """Limits of a request and of the server, so that no client slows down the others for long."""

    body: int = setting(65536, "bytes of a request body; more: status 413", at_least=1)
    characters: int = setting(20000, "characters of a text; more: status 413", at_least=1)
    tokens: int = setting(1000, "tokens of a sentence, or of its prefix and phrases; more: status 413", at_least=1)
    inspected: int = setting(300, "characters, and tokens, of a traced sentence; more: status 413", at_least=1)
    picture_tokens: int = setting(60, "tokens of the longer side of a sentence with pictures", at_least=1)
    sentences: int = setting(64, "sentences of a request, after long texts are split; more: status 413", at_least=1)
    beam_size: int = setting(16, "hypotheses, and requested translations or words; more: status 413", at_least=1)
    numbers: int = setting(131072, "tokens and attention weights of a response; more: status 413", at_least=1)
    batch: int = setting(64, "sentences translated in one batch", at_least=1)
    collect: float = setting(0.005, "seconds within which requests are batched together", at_least=0)
    waiting: int = setting(256, "sentences in the queue; more: status 503", at_least=1)
    streams: int = setting(32, "translations streamed at a time; more: status 503", at_least=1)
    connections: int = setting(128, "open connections; more: idle ones are closed, else status 503", at_least=2)
    seconds: float = setting(30.0, "seconds for a response; more: status 503", above=0)
    arriving: float = setting(10.0, "seconds for receiving the head of a request, and then its body", above=0)


@dataclass(kw_only=True)
class ServeConfig(Settings):
    """Settings of recipes/serve.py."""

    run: str = setting("runs/demo", "run folder of the model")
    runs: list[str] = setting(help="more run folders, shown side by side", factory=list)
    host: str = setting("127.0.0.1", "address to listen on; 0.0.0.0 opens the server to the network")
    port: int = setting(8000, "port to listen on; 0: any free port", at_least=0, at_most=65535)
    names: list[str] = setting(
        help="more host names that requests may use; on a non-local host, an empty list allows any name",
        factory=list,
    )
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(
        InferencePrecision.auto, "float32, tf32 (GPU), bfloat16, int8, or auto: the run's precision"
    )
    limits: LimitsConfig = setting(factory=LimitsConfig)

    def check(self) -> None:
        """Check settings against each other.

        Raises:
            ConfigError: a request may have more sentences than a batch or the queue.
        """
        for name in ("batch", "waiting"):
            if getattr(self.limits, name) < self.limits.sentences:
                raise ConfigError(
                    f"limits.{name}={getattr(self.limits, name)} is less than limits.sentences="
                    f"{self.limits.sentences}, so that a full request never fits: reduce limits.sentences"
                )

    @property
    def local(self) -> bool:
        """Whether ``host`` is reachable from this machine only, in any notation: 127.0.0.2, 127.1, LOCALHOST."""
        try:
            infos = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            addresses = [ipaddress.ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in infos]
        except (OSError, UnicodeError, ValueError):
            return False
        return all((getattr(address, "ipv4_mapped", None) or address).is_loopback for address in addresses)

    @property
    def hosts(self) -> frozenset[str] | None:
        """Allowed names in the ``Host`` header of a request; None: any.

        This rejects pages of other sites whose host names resolve to this machine (DNS rebinding).
        """
        if not (self.local or self.names):
            return None
        return frozenset(name.lower() for name in (self.host, *LOCAL, *self.names))

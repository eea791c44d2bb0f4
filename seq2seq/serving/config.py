"""Settings of recipes/serve.py: which runs, where the page is found, and how much it takes."""

import ipaddress
import socket
from dataclasses import dataclass

from seq2seq.errors import ConfigError
from seq2seq.inference import InferencePrecision
from seq2seq.settings import Settings, setting

LOCAL = ("127.0.0.1", "::1", "localhost")
"""Addresses of this machine that no other machine reaches."""


@dataclass(kw_only=True)
class LimitsConfig:
    """What is refused, so that no request keeps the others waiting for long."""

    body: int = setting(65536, "bytes of a request; more is answered by 413", at_least=1)
    characters: int = setting(1000, "characters of a sentence; more is answered by 413", at_least=1)
    pieces: int = setting(
        1000, "tokens of a sentence, and of its prefix and phrases; more is answered by 413", at_least=1
    )
    inspected: int = setting(300, "characters, and tokens, of a sentence that is looked into", at_least=1)
    drawn: int = setting(60, "tokens of the longest side of a sentence of which there are pictures", at_least=1)
    sentences: int = setting(64, "sentences of a request; more is answered by 413", at_least=1)
    beam_size: int = setting(16, "hypotheses, and translations or words asked for", at_least=1)
    numbers: int = setting(131072, "tokens and attention weights of an answer; more is answered by 413", at_least=1)
    batch: int = setting(64, "sentences translated together, at most", at_least=1)
    collect: float = setting(0.005, "seconds that a request waits for others to share its batch", at_least=0)
    waiting: int = setting(256, "sentences in the queue; beyond them the answer is 503", at_least=1)
    streams: int = setting(32, "translations shown growing at a time; beyond them the answer is 503", at_least=1)
    connections: int = setting(
        128, "open connections; beyond them idle ones are closed, then the answer is 503", at_least=2
    )
    seconds: float = setting(30.0, "of an answer; after them it is 503", above=0)
    arriving: float = setting(10.0, "seconds in which a request must arrive, its head and then its body", above=0)


@dataclass(kw_only=True)
class ServeConfig(Settings):
    """Settings of recipes/serve.py."""

    run: str = setting("runs/demo", "run folder with the model")
    runs: list[str] = setting(help="further run folders, shown side by side", factory=list)
    host: str = setting("127.0.0.1", "address to listen at; 0.0.0.0 lets every machine of the network in")
    port: int = setting(8000, "port to listen at; 0: any that is free", at_least=0, at_most=65535)
    names: list[str] = setting(
        help="further host names by which a browser may ask for the page; on another host than this machine, "
        "none means any",
        factory=list,
    )
    device: str = setting("auto", "auto, cpu or cuda")
    precision: InferencePrecision = setting(
        InferencePrecision.auto, "float32, tf32 (of GPUs), bfloat16, int8, or auto: as the run's"
    )
    limits: LimitsConfig = setting(factory=LimitsConfig)

    def check(self) -> None:
        """Hold what one setting demands of another.

        Raises:
            ConfigError: a request may hold more sentences than a batch or the queue.
        """
        for name in ("batch", "waiting"):
            if getattr(self.limits, name) < self.limits.sentences:
                raise ConfigError(
                    f"limits.{name}={getattr(self.limits, name)} is less than limits.sentences="
                    f"{self.limits.sentences}, and a request is translated at once: set limits.sentences to less"
                )

    @property
    def local(self) -> bool:
        """Whether no other machine reaches the address, however it is written: 127.0.0.2, 127.1, LOCALHOST."""
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
            addresses = [ipaddress.ip_address(str(place[0]).partition("%")[0]) for *_, place in found]
        except (OSError, UnicodeError, ValueError):
            return False
        return all((getattr(one, "ipv4_mapped", None) or one).is_loopback for one in addresses)

    @property
    def hosts(self) -> frozenset[str] | None:
        """Names in the ``Host`` of a request that are answered; None: any.

        A page of another site that has its own name lead to this machine (DNS rebinding) is so kept out.
        """
        if not (self.local or self.names):
            return None
        return frozenset(name.lower() for name in (self.host, *LOCAL, *self.names))

"""Settings of batches."""

from dataclasses import dataclass

from seq2seq.settings import setting


@dataclass(kw_only=True)
class BatchConfig:
    """The size of batches."""

    tokens: int = setting(
        4096,
        "tokens per batch on either side, padding included; up to 3 times as many with tokenizer.sampling",
        at_least=1,
    )
    pool: int = setting(
        100, "batches whose sentences are sorted by length together; more batches: less padding", at_least=1
    )

"""Our training update against a bare loop: fused LSTMs (cuDNN on a GPU), an output layer and cross entropy.

    python -m tests.tools.ceiling device=cuda

The bare loop consists of an embedding, an encoder, a decoder that starts from zero, and an output layer. It has no
bridge, attention, readout, dropout, clipping or padding. Its gradients, Adam and precision are those of our update.

B sentences, S source positions, T target positions, P target positions without padding.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

import torch
from torch import Tensor, nn

from seq2seq.benchmark.arithmetic import Work, count_tokens, training_work
from seq2seq.benchmark.config import BenchmarkConfig
from seq2seq.benchmark.machine import Machine
from seq2seq.benchmark.measurement import timed
from seq2seq.benchmark.training import training_precision
from seq2seq.benchmark.update import Updater
from seq2seq.data.batch import Batch
from seq2seq.model import (
    AttentionKind,
    BridgeKind,
    DecoderConfig,
    Direction,
    EncoderConfig,
    ModelConfig,
    Network,
    Tying,
)
from seq2seq.report.aligned import aligned
from seq2seq.settings import Settings, setting
from seq2seq.system.device import autocast, choose_device
from tests.tools.random_text import random_batches
from tests.tools.settings import run_tool


class Size(StrEnum):
    """The configured model, or the model of Luong et al. 2015 or of Wu et al. 2016 (GNMT)."""

    matched = "matched"
    luong2015 = "luong2015"
    gnmt = "gnmt"


@dataclass(kw_only=True)
class CeilingConfig(Settings):
    """Measured models and the batch."""

    sizes: list[Size] = setting(help="models: matched, luong2015, gnmt", factory=lambda: list(Size))
    tokens: int = setting(4096, "target tokens per batch", at_least=1)
    length: int = setting(25, "tokens per sentence", at_least=1)


@dataclass(frozen=True)
class CeilingRow:
    """One model size: our update, the bare loop and the machine."""

    size: str
    vocabulary: int
    parameters: int
    tokens_per_second: float
    """Target tokens with EOS."""
    bare_tokens_per_second: float
    share_of_bare: float
    share_of_products: float
    """Our counted operations per second over the rate of a large matrix product."""


class BareLoop(nn.Module):
    """Embedding, fused encoder, fused decoder and output layer with the sizes of a `ModelConfig`."""

    def __init__(self, config: ModelConfig, vocabulary: int) -> None:
        super().__init__()
        encoder, decoder, width = config.encoder, config.decoder, config.embedding_size
        both = encoder.direction is Direction.bidirectional
        self.source_embedding = nn.Embedding(vocabulary, width)
        self.target_embedding = nn.Embedding(vocabulary, width)
        self.encoder = nn.LSTM(width, encoder.size, encoder.layers, batch_first=True, bidirectional=both)
        self.decoder = nn.LSTM(width, decoder.size, decoder.layers, batch_first=True)
        self.output = nn.Linear(decoder.size, vocabulary)

    def forward(self, source_BS: Tensor, target_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B·T, V), and the sum of the encoder's states, which only gives the encoder a gradient."""
        states_BSD, _ = self.encoder(self.source_embedding(source_BS))
        outputs_BTH, _ = self.decoder(self.target_embedding(target_BT))
        return self.output(outputs_BTH.flatten(0, 1)), states_BSD.sum()


def model_of(size: Size, config: BenchmarkConfig) -> tuple[ModelConfig, int]:
    """Model and vocabulary size.

    Luong et al. 2015: four forward layers of 1,000 units on both sides, global attention, 50,000 words. Wu et al. 2016
    (GNMT): eight layers of 1,024 units on both sides, attention computed from the first decoder layer and fed to all
    layers above, 32,000 tokens. Of GNMT, the bidirectional lowest encoder layer (here forward) and the residual
    connections are left out.
    """
    if size is Size.matched:
        return config.model, config.tokenizer.size
    layers, units, vocabulary = (4, 1000, 50_000) if size is Size.luong2015 else (8, 1024, 32_000)
    attention = AttentionKind.general if size is Size.luong2015 else AttentionKind.additive
    model = ModelConfig(
        embedding_size=units,
        encoder=EncoderConfig(layers=layers, size=units, direction=Direction.forward),
        bridge=BridgeKind.copy,
        decoder=DecoderConfig(layers=layers, size=units),
        attention=attention,
        tying=Tying.none,
    )
    return model, vocabulary


def measure_ceiling(ceiling: CeilingConfig, config: BenchmarkConfig, machine: Machine) -> Iterator[CeilingRow]:
    """Measure each of ``ceiling.sizes``."""
    device = choose_device(config.device)
    rate = machine.rate(training_precision(config, device))
    for size in ceiling.sizes:
        model, vocabulary = model_of(size, config)
        batches = random_batches(ceiling.tokens, ceiling.length, vocabulary, config.seed, device)
        counts = count_tokens(next(batches))
        work = sum(training_work(model, vocabulary, vocabulary, counts, logit_bytes=4).values(), Work())
        parameters, seconds = measure_ours(model, vocabulary, batches, config)
        bare = bare_update(BareLoop(model, vocabulary).to(device), next(batches), config)
        bare_seconds = seconds_per_update(bare, config, device)
        yield CeilingRow(
            size=str(size),
            vocabulary=vocabulary,
            parameters=parameters,
            tokens_per_second=counts.target / seconds,
            bare_tokens_per_second=counts.target / bare_seconds,
            share_of_bare=bare_seconds / seconds,
            share_of_products=work.operations / seconds / rate,
        )


def measure_ours(
    model: ModelConfig, vocabulary: int, batches: Iterator[Batch], config: BenchmarkConfig
) -> tuple[int, float]:
    """Parameters of our network and seconds per update. The network is freed before the bare loop starts."""
    device = choose_device(config.device)
    torch.manual_seed(config.seed)
    network = Network(model, vocabulary, vocabulary, joint=True)
    update = Updater(
        network,
        batches,
        config.optimizer,
        clip=config.clip,
        smoothing=0.0,
        precision=training_precision(config, device),
        device=device,
    )
    return sum(parameter.numel() for parameter in network.parameters()), seconds_per_update(update, config, device)


def bare_update(network: BareLoop, batch: Batch, config: BenchmarkConfig) -> Callable[[], None]:
    """One update of the bare loop."""
    device = choose_device(config.device)
    precision = training_precision(config, device)
    optimizer = torch.optim.Adam(network.parameters(), config.optimizer.learning_rate, fused=True)

    def update() -> None:
        optimizer.zero_grad(set_to_none=True)
        with autocast(precision, device):
            logits_PV, encoded = network(batch.source_BS, batch.target_BT)
            loss = nn.functional.cross_entropy(logits_PV, batch.labels_P)
        # Times zero: the encoder's backward pass runs without changing the loss.
        (loss + 0 * encoded).backward()
        optimizer.step()

    return update


def seconds_per_update(update: Callable[[], object], config: BenchmarkConfig, device: torch.device) -> float:
    """Median seconds per update; ``measure.updates`` of them are timed together."""
    measure = config.measure

    def several() -> None:
        for _ in range(measure.updates):
            update()

    measured = timed(several, device, max(1, measure.warmup), measure.repetitions)
    return median(took for took, _ in measured) / measure.updates


def ceiling_table(sizes: Sequence[CeilingRow]) -> str:
    """One line per model size."""
    rows = [("size", "parameters", "target tokens/s", "bare loop's", "of the bare loop", "of the product rate")]
    rows += [
        (
            row.size,
            f"{row.parameters:,}",
            f"{row.tokens_per_second:,.0f}",
            f"{row.bare_tokens_per_second:,.0f}",
            f"{row.share_of_bare:.0%}",
            f"{row.share_of_products:.1%}",
        )
        for row in sizes
    ]
    return f"ceiling: updates against a bare loop of fused LSTMs, output layer and cross entropy\n{aligned(rows)}"


def measure(ceiling: CeilingConfig, config: BenchmarkConfig, machine: Machine) -> tuple[list[CeilingRow], str]:
    """Figures and table of all sizes."""
    rows = list(measure_ceiling(ceiling, config, machine))
    return rows, ceiling_table(rows)


def main() -> None:
    """Run the tool."""
    run_tool("ceiling", CeilingConfig, measure, __doc__ or "")


if __name__ == "__main__":
    main()

"""Our update against a bare loop: fused LSTMs (cuDNN on a GPU), an output layer, cross entropy, and nothing else.

The bare loop embeds, runs an encoder stack and a decoder stack that starts from zero, and predicts. It has no bridge,
attention, readout, dropout or clipping, and no padding; its gradients, Adam and precision are ours.

B sentences, S source positions, T target positions, P real target positions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from seq2seq.benchmark.arithmetic import Work, counted, training_work
from seq2seq.benchmark.clock import timed
from seq2seq.benchmark.config import BenchmarkConfig, Size
from seq2seq.benchmark.machine import Machine
from seq2seq.benchmark.numerals import random_batches
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
from seq2seq.system.device import autocast, choose_device


@dataclass(frozen=True)
class CeilingRow:
    """One size: ours, the bare loop, the machine."""

    size: str
    vocabulary: int
    parameters: int
    pieces_per_second: float
    """Target pieces, end marks included."""
    bare_pieces_per_second: float
    share_of_bare: float
    share_of_products: float
    """Our counted operations a second over the rate of a large matrix product."""


class BareLoop(nn.Module):
    """Embedding, fused encoder, fused decoder, output layer: the same sizes as a `ModelConfig`'s network."""

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
        """Logits (B·T, V), and the encoder's sum, which only sends a gradient back into the encoder."""
        states_BSD, _ = self.encoder(self.source_embedding(source_BS))
        outputs_BTH, _ = self.decoder(self.target_embedding(target_BT))
        return self.output(outputs_BTH.flatten(0, 1)), states_BSD.sum()


def sized(size: Size, config: BenchmarkConfig) -> tuple[ModelConfig, int]:
    """Model and vocabulary of a size.

    Luong et al. 2015: four layers of 1,000 units on both sides, read forward, global attention, 50,000 words. Wu et
    al. 2016 (GNMT): eight and eight layers of 1,024 units, attention of the decoder's first layer fed to all above,
    32,000 pieces. What `ModelConfig` cannot say of GNMT is left out: its lowest encoder layer alone reads both ways
    (here all read forward) and its layers have residual connections.
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


def measure_ceiling(config: BenchmarkConfig, machine: Machine) -> Iterator[CeilingRow]:
    """Every size of ``ceiling.sizes``, as it is measured."""
    device, ceiling = choose_device(config.device), config.ceiling
    rate = machine.rate(training_precision(config, device))
    for size in ceiling.sizes:
        model, vocabulary = sized(size, config)
        batches = random_batches(ceiling.tokens, ceiling.pieces, vocabulary, config.seed, device)
        counts = counted(next(batches))
        work = sum(training_work(model, vocabulary, vocabulary, counts, logit_bytes=4).values(), Work())
        parameters, seconds = measure_ours(model, vocabulary, batches, config)
        bare = bare_update(BareLoop(model, vocabulary).to(device), next(batches), config)
        bare_seconds = repeated(bare, config, device)
        yield CeilingRow(
            size=str(size),
            vocabulary=vocabulary,
            parameters=parameters,
            pieces_per_second=counts.target / seconds,
            bare_pieces_per_second=counts.target / bare_seconds,
            share_of_bare=bare_seconds / seconds,
            share_of_products=work.operations / seconds / rate,
        )


def measure_ours(
    model: ModelConfig, vocabulary: int, batches: Iterator[Batch], config: BenchmarkConfig
) -> tuple[int, float]:
    """Parameters of our network and seconds of an update of it, which is gone again when the bare loop starts."""
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
    return sum(parameter.numel() for parameter in network.parameters()), repeated(update, config, device)


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
        # Times zero: the encoder's backward pass is run, and weighs nothing.
        (loss + 0 * encoded).backward()
        optimizer.step()

    return update


def repeated(update: Callable[[], object], config: BenchmarkConfig, device: torch.device) -> float:
    """Median seconds of an update: ``measure.updates`` of them between two looks at the clock."""
    measure = config.measure

    def several() -> None:
        for _ in range(measure.updates):
            update()

    found = timed(several, device, max(1, measure.warmup), measure.repetitions)
    return median(took for took, _ in found) / measure.updates

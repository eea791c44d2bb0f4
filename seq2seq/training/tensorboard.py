"""TensorBoard event files, one per start of a run.

Unlike TensorBoard's own writer, this one has no thread: events are on the disk when a training state is, and a full
disk raises an error here.
"""

import os
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter

from seq2seq.system.atomic import writing
from seq2seq.training.loggers import Ending, Flat, Logger, Record, measurements
from seq2seq.training.samples import Sample


class EventFile:
    """Appends scalars, texts, pictures and settings.

    Readers ignore what earlier files in the folder have from ``update`` on.

    Args:
        folder: created if it is missing.
        update: first update of this file.

    Raises:
        OSError: the file cannot be written (also in every method).
    """

    def __init__(self, folder: Path, update: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Readers sort files by name: by time, then by number.
        number = sum(1 for _ in folder.glob("events.out.tfevents.*"))
        self.file = (folder / f"events.out.tfevents.{int(time.time()):010d}.{number:06d}").open("xb")
        self.records = RecordWriter(self.file)
        self._write(Event(file_version="brain.Event:2"))
        self._write(Event(step=update, session_log=SessionLog(status=SessionLog.START)))

    def add(self, update: int, values: Mapping[str, float]) -> None:
        """Append the scalars of an update, by tag."""
        scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(Event(step=update, summary=Summary(value=scalars)))

    def add_text(self, update: int, tag: str, lines: Sequence[str]) -> None:
        """Append a text, which TensorBoard shows as it is."""
        code = "\n".join(f"    {line}" for line in lines)  # Markdown's form of preformatted text
        self._write(Event(step=update, summary=text_pb(tag, code)))

    def add_picture(self, update: int, tag: str, png: bytes) -> None:
        """Append a picture."""
        width, height = struct.unpack(">II", png[16:24])  # of the first chunk of every PNG file
        picture = Summary.Image(width=width, height=height, colorspace=4, encoded_image_string=png)
        self._write(Event(step=update, summary=Summary(value=[Summary.Value(tag=tag, image=picture)])))

    def add_settings(self, update: int, settings: Flat) -> None:
        """Append the hyperparameters of a run, which TensorBoard compares with those of other runs."""
        self._write(Event(step=update, summary=hparams_pb(dict(settings))))

    def sync(self) -> None:
        """Flush the file to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """Close the file."""
        with suppress(OSError):
            self.file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        try:
            self.records.write(event.SerializeToString())
            self.file.flush()
        except OSError:
            self.close()
            raise

    @property
    def failed(self) -> bool:
        """Whether an event could not be written; nothing can be appended then."""
        return self.file.closed


class TensorBoardLogger(Logger):
    """Writes event files. After an error it begins a new one, because the last event may be incomplete.

    Args:
        folder: of the event files.
        settings: the hyperparameters.
    """

    def __init__(self, folder: Path, settings: Flat) -> None:
        self.folder, self.settings = folder, settings
        self.file: EventFile | None = None

    def start(self, update: int, records: Sequence[Record]) -> None:
        """Create a file; readers ignore what earlier ones have after ``update`` updates."""
        with writing(self.folder):
            self._open(update + 1).add_settings(update, self.settings)

    def record(self, record: Record) -> None:
        """Add scalars."""
        self._open(record["update"]).add(record["update"], measurements(record))

    def samples(self, update: int, samples: Sequence[Sample]) -> None:
        """Add texts, and pictures of attention."""
        for number, sample in enumerate(samples, 1):
            self._open(update).add_text(update, f"samples/{number}", list(sample.rows()))
            if sample.picture is not None and (picture := sample.picture()) is not None:
                self._open(update).add_picture(update, f"attention/{number}", picture)

    def sync(self) -> None:
        """Flush the file to the disk."""
        if self.file is not None:
            self.file.sync()

    def best(self, update: int, scores: Mapping[str, float]) -> None:
        """Add scalars, one step after the last update: a run that is extended replaces them."""
        self._open(update + 1).add(update + 1, {f"best/{name}": score for name, score in scores.items()})

    def close(self, ending: Ending) -> None:
        """Close the file."""
        if self.file is not None:
            self.file.close()

    def _open(self, update: int) -> EventFile:
        """The file; a new one that begins with this update if the last one failed."""
        if self.file is None or self.file.failed:
            self.file = EventFile(self.folder, update)
        return self.file

"""TensorBoard event files, one per start of a run.

Unlike TensorBoard's own writer, this one has no thread: events are on the disk when a training state is, and a full
disk raises an error here.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class EventFile:
    """Appends scalars. Readers ignore what earlier files in the folder have from ``update`` on.

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
        try:
            self._write(Event(file_version="brain.Event:2"))
            self._write(Event(step=update, session_log=SessionLog(status=SessionLog.START)))
        except OSError:
            self.close()
            raise

    def add(self, update: int, values: dict[str, float]) -> None:
        """Append the scalars of an update, by tag."""
        scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(Event(step=update, summary=Summary(value=scalars)))

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
        self.records.write(event.SerializeToString())
        self.file.flush()

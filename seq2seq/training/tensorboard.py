"""What TensorBoard reads: a file of events for each time that a run is started.

Written at once, without the thread that TensorBoard's own writer has: what is saved is on the disk with the state that
it belongs to, and a full disk is an error here and not in another thread.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class EventFile:
    """Appends scalars; what earlier files of the folder have from an update on is taken back.

    Args:
        folder: made where it is missing.
        update: the first that this file tells of; readers forget what others tell of it and of later ones.

    Raises:
        OSError: the file cannot be written; so does every method.
    """

    def __init__(self, folder: Path, update: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        # Readers take the files by their names: by time, and by number where the time is the same.
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
        """The scalars of an update, by tag."""
        scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        self._write(Event(step=update, summary=Summary(value=scalars)))

    def sync(self) -> None:
        """Force what was added to the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def close(self) -> None:
        """End the file; all that could be written has been."""
        with suppress(OSError):
            self.file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self.records.write(event.SerializeToString())
        self.file.flush()

"""Cold start and memory, where alone they can be seen: in a process of its own."""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seq2seq.errors import RunError
from seq2seq.system.workers import python

PROGRAM = """
import json, sys, time
import torch
def resident(entry):
    try:
        lines = open("/proc/self/status").read().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(entry))
    except OSError:  # no Linux: the highest so far stands in for both
        try:
            import resource
        except ImportError:  # Windows
            return 0
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
imported, base = time.time(), resident("VmRSS:")
asked = json.load(sys.stdin)
from seq2seq.translation.translator import Translator
translator = Translator.load(*asked["load"])
first = translator.translate(asked["sentences"][0], beam_size=asked["beam"])
translated = time.time()
translator.translate(asked["sentences"], beam_size=asked["beam"])
print(json.dumps({"imported": imported, "translated": translated, "memory": resident("VmHWM:") - base}))
"""
"""Nothing of ours is imported before torch's own memory has been noted."""


@dataclass(frozen=True)
class Fresh:
    """What a new process needs."""

    import_seconds: float
    """From its start until torch is imported: nothing that uses torch starts faster."""
    cold_start_seconds: float
    """From its start until the first translation."""
    memory_bytes: int
    """Resident at most while it loads and translates, beyond what importing torch takes."""


def measure_fresh(load: tuple[Path, str, str, bool], sentences: Sequence[str], beam: int) -> Fresh:
    """Start a process that imports torch, loads a model (`Translator.load`'s arguments) and translates.

    Raises:
        RunError: the process failed; with the last line it printed.
    """
    run, *how = load
    asked = json.dumps({"load": [str(run), *how], "sentences": list(sentences), "beam": beam})
    started = time.time()
    done = subprocess.run(python(PROGRAM), input=asked, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise RunError(f"a new process could not translate with {run}: {last}; try recipes/translate.py run={run}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Fresh(found["imported"] - started, found["translated"] - started, found["memory"])

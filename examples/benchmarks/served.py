"""Work that is timed in a process of its own, so that its settings reach no other's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

READY, DONE = "READY ", "DONE"


class Served:
    """A script that was started with ``--serve WAY`` and calls `serve`; `run` is the work, once."""

    def __init__(self, script: str, way: str, arguments: Sequence[str]) -> None:
        """Raises SystemExit with what the script said, where it ends before its time."""
        self._process: subprocess.Popen[str] = subprocess.Popen(
            [sys.executable, str(Path(script)), *arguments, "--serve", way],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.about = self._wait(READY)
        """What it says of itself"""

    def run(self) -> None:
        """Have the work done."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        self._wait(DONE)

    def _wait(self, word: str) -> str:
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            if line.startswith(word):
                return line.removeprefix(word).strip()
            said.append(line)
        raise SystemExit("".join(said))


def serve(work: Callable[[], object], about: str = "") -> None:
    """Do `work` for each line that comes in."""
    _say(f"{READY}{about}")
    for _ in sys.stdin:
        work()
        _say(DONE)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

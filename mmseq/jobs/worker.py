"""The process that carries out one job: ``python -m mmseq.jobs.worker``.

It reads a line of JSON (the job) from standard input and writes a line for each event, and one for
the outcome, to standard output; epochs' events are answered by a line. Asked to probe, it writes
the estimate alone. When standard input closes, the process that started it is gone: it ends at
once, leaving its last checkpoint.
"""

from __future__ import annotations

import json
import os
import queue
import threading
from pathlib import Path
from typing import IO, Any


def main() -> None:
    """Carry out the job on standard input."""
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What a library prints must not look like an event.
    os.dup2(2, 1)
    # Nor must what it reads be taken for an answer. The thread reads to the end of the process.
    source = os.fdopen(os.dup(0), encoding="utf-8")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    job = json.loads(source.readline())
    answers: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_listen, args=(source, answers), daemon=True).start()

    def tell(event: dict[str, Any]) -> str:
        _send(channel, event)
        return answers.get() if event["kind"] == "epoch" else ""

    try:
        # Only now, since it takes seconds: a bench that ends meanwhile takes this process with it.
        from mmseq.jobs.probe import probe
        from mmseq.jobs.work import work

        if job["probe"]:
            _send(channel, probe(job["config"], job["threads"]))
            return
        status, error = work(job["config"], Path(job["folder"]), job["threads"], tell)
    except KeyboardInterrupt:
        status, error = "interrupted", ""
    _send(channel, {"kind": "outcome", "status": status, "error": error})


def _send(channel: IO[str], event: dict[str, Any]) -> None:
    channel.write(json.dumps(event) + "\n")
    channel.flush()


def _listen(source: IO[str], answers: queue.Queue[str]) -> None:
    for line in source:
        answers.put(json.loads(line))
    os._exit(3)


if __name__ == "__main__":
    main()

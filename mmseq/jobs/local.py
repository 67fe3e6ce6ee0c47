"""Jobs as processes of this machine."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

from mmseq.jobs.job import Event, Job, Listener, Outcome
from mmseq.training.interruption import CtrlC

POLL = 0.2
"""Seconds between two looks at whether Ctrl-C was pressed"""
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def divided_threads(jobs: int) -> int:
    """CPU threads for each of `jobs` runs at a time: the machine's cores shared out."""
    return max(1, _cores() // jobs)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def how_ended(code: int) -> str:
    """How a process ended that reported no outcome, from its exit code."""
    return f"its process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'}"


def start_worker(threads: int, log: IO[str], *, own_session: bool) -> subprocess.Popen[str]:
    """A process of `mmseq.jobs.worker`: it reads its job from standard input, prints to `log`.

    Standard input stays open: its end tells the worker that nobody waits any more. `own_session`:
    Ctrl-C reaches it through its starter alone, and once.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "mmseq.jobs.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        encoding="utf-8",
        env={**os.environ, **dict.fromkeys(THREADS, str(threads))},
        start_new_session=own_session,
    )


class Worker:
    """One process with its job."""

    def __init__(
        self, job: Job, threads: int, events: queue.Queue[tuple[Worker, dict[str, Any]]]
    ) -> None:
        self.job = job
        self.started = time.monotonic()
        self._interrupted = False
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("a", encoding="utf-8") as log:
            self.process = start_worker(threads, log, own_session=True)
        record = {"config": job.config, "folder": str(job.folder), "threads": threads}
        self.send({**record, "probe": False})
        threading.Thread(target=self._read, args=(events,), daemon=True).start()

    def send(self, value: Any) -> None:
        """Send a line of JSON; it is lost if the process has ended, which is noticed elsewhere."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(json.dumps(value) + "\n")
            self.process.stdin.flush()

    def _read(self, events: queue.Queue[tuple[Worker, dict[str, Any]]]) -> None:
        assert self.process.stdout is not None
        # A line cut off in the middle does not count; the end must be noticed all the same.
        with self.process.stdout as told, suppress(ValueError):
            for line in told:
                events.put((self, json.loads(line)))
        events.put((self, {"kind": "ended", "code": self.process.wait()}))

    def interrupt(self) -> None:
        """Ask it to save what it has and end."""
        self._interrupted = True
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self.process.kill()

    def outcome(self, found: dict[str, Any] | None, code: int) -> Outcome:
        """How the job ended: as it reported, or else by its exit code."""
        if self.process.stdin is not None:
            # An answer that it did not live to read is still in the buffer.
            with suppress(BrokenPipeError):
                self.process.stdin.close()
        seconds = time.monotonic() - self.started
        if found is not None:
            return Outcome(found["status"], found["error"], seconds)
        if self._interrupted:
            # Before it could even say so.
            return Outcome("interrupted", "", seconds)
        return Outcome("failed", f"{how_ended(code)}; see {self.job.log}", seconds)


class LocalPool:
    """So many jobs at a time, each in a process with its share of the machine's cores.

    The processes end with this one, however it ends.
    """

    def __init__(self, jobs: int = 1, threads: int = 0) -> None:
        self.jobs = jobs
        self.threads = threads or divided_threads(jobs)

    def run(self, jobs: Iterator[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        """As `Pool.run`."""
        events: queue.Queue[tuple[Worker, dict[str, Any]]] = queue.Queue()
        workers: list[Worker] = []
        last: dict[Worker, dict[str, Any]] = {}
        ended: deque[tuple[Job, Outcome]] = deque()

        def wait() -> None:
            try:
                worker, event = events.get(timeout=POLL)
            except queue.Empty:
                return
            if event["kind"] == "ended":
                workers.remove(worker)
                found = last.pop(worker, None)
                ended.append((worker.job, worker.outcome(found, event["code"])))
            elif event["kind"] == "outcome":
                last[worker] = event
            else:
                heard = Event(**event)
                answer = listen(worker.job, heard)
                if heard.kind == "epoch":
                    worker.send(answer)

        # Noted, not raised: in the midst of `listen` it would leave a run waiting for its answer,
        # and in the midst of what the caller does with an outcome, half of that undone.
        ctrl_c = CtrlC()
        with ctrl_c.noted():
            try:
                exhausted = False
                while not ctrl_c.pressed:
                    while not exhausted and len(workers) < self.jobs:
                        job = next(jobs, None)
                        if job is None:
                            exhausted = True
                        else:
                            workers.append(Worker(job, self.threads, events))
                    if not workers:
                        return
                    wait()
                    while ended:
                        yield ended.popleft()
                for worker in workers:
                    worker.interrupt()
                while workers:
                    wait()
                yield from ended
            finally:
                for worker in workers:
                    worker.kill()
        raise KeyboardInterrupt

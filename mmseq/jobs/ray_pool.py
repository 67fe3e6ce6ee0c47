"""Jobs as tasks of a Ray cluster, whose nodes need no disk in common with this machine."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from mmseq.drafts import draft_of
from mmseq.errors import UserError, one_line
from mmseq.jobs.job import Event, Job, Listener, Outcome
from mmseq.jobs.shipping import load_run, pack_data, pack_run, unpacked_data

POLL = 0.2
"""Seconds between two looks at the mailbox"""
WEIGHTS = "model.safetensors"


class Mailbox:
    """The actor between runs and the machine that started them: events up, answers down."""

    def __init__(self) -> None:
        self._events: list[tuple[str, dict[str, Any]]] = []
        self._answers: dict[str, str] = {}

    def tell(self, job: str, event: dict[str, Any]) -> None:
        """Leave an event of a run."""
        self._events.append((job, event))

    def take(self) -> list[tuple[str, dict[str, Any]]]:
        """All events since the last call."""
        events, self._events = self._events, []
        return events

    def answer(self, job: str, text: str) -> None:
        """Answer a run that waits at the end of an epoch."""
        self._answers[job] = text

    def answer_to(self, job: str) -> str | None:
        """The answer to a run, given once; None: not there yet."""
        return self._answers.pop(job, None)


def _keep_to_this_machine() -> None:
    """A cluster that Ray starts, where none is there, listens on the loopback alone and asks for a
    token, unless the environment says otherwise: whoever reaches a cluster runs code in it.

    Ray reads all this as it is imported.
    """
    root = os.environ.get("RAY_TMPDIR") or ("/tmp" if os.name == "posix" else tempfile.gettempdir())
    # Where Ray keeps the address of the cluster that runs on a machine.
    running = Path(root, "ray", "ray_current_cluster").exists()
    if running or os.environ.get("RAY_ADDRESS") or "ray" in sys.modules:
        return
    os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    if "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


class RayPool:
    """As many jobs at a time as the cluster has room for, each asking for its CPUs and GPUs.

    A run trains in a folder of its node's own, and comes back when it is done: text, figures and
    predictions always, weights where they are wanted. What is interrupted starts again.

    `address`: of the cluster; empty: ``RAY_ADDRESS``, the one running on this machine, or a new
    one, which only this machine reaches and which asks for a token that only this process knows.
    `jobs`: the most at a time (0: no limit). `UserError` without the package ray, and where the
    cluster cannot be reached or has no room for a single run.
    """

    def __init__(
        self, address: str = "", jobs: int = 0, threads: int = 0, gpus: float = 0.0
    ) -> None:
        # It must not report home, nor write over the progress.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        if not address:
            _keep_to_this_machine()
        try:
            import ray
        except ImportError as error:
            raise UserError(
                f"--ray needs the package ray ({error}): pip install 'mmseq[ray]'."
            ) from error
        self._ray = ray
        self.threads = threads or 1
        self._gpus = gpus
        if not ray.is_initialized():
            try:
                ray.init(address=address or None, log_to_driver=False, logging_level=logging.ERROR)
            except (ConnectionError, ValueError, RuntimeError) as error:
                reason = one_line(error).rstrip(".")
                raise UserError(
                    f"--ray {address}: cannot be reached ({reason}); check the address, and "
                    "set RAY_AUTH_MODE=token where it asks for a token."
                ) from error
        self._room = self._places()
        if jobs:
            self._room = min(self._room, jobs)

    def _places(self) -> int:
        """How many runs there is room for at a time; a run has one node."""
        known: list[dict[str, Any]] = self._ray.nodes()  # type: ignore[no-untyped-call,unused-ignore]
        nodes = [node["Resources"] for node in known if node["Alive"]]
        places = 0
        for node in nodes:
            cpus, gpus = node.get("CPU", 0.0), node.get("GPU", 0.0)
            room = int(cpus // self.threads)
            places += min(room, int(gpus / self._gpus)) if self._gpus else room
        if not places:
            sizes = ", ".join(f"{n.get('CPU', 0):g} CPUs {n.get('GPU', 0):g} GPUs" for n in nodes)
            raise UserError(
                f"--ray: no node ({sizes}) has room for a run with --threads {self.threads} "
                f"--gpus {self._gpus:g}."
            )
        return places

    def run(self, jobs: Iterator[Job], listen: Listener) -> Iterator[tuple[Job, Outcome]]:
        """As `Pool.run`."""
        ray = self._ray
        mailbox = ray.remote(num_cpus=0)(Mailbox).remote()
        task = ray.remote(num_cpus=self.threads, num_gpus=self._gpus)(carry_out)
        shipped: dict[tuple[str, str], Any] = {}
        running: dict[Any, tuple[Job, float]] = {}
        by_name: dict[str, Job] = {}
        exhausted = False
        try:
            while running or not exhausted:
                while not exhausted and len(running) < self._room:
                    job = next(jobs, None)
                    if job is None:
                        exhausted = True
                        break
                    data = job.config["data"]
                    place = (data["path"], data["image_folder"])
                    if place not in shipped:
                        shipped[place] = ray.put(pack_data(data))
                    by_name[job.name] = job
                    reference = task.remote(
                        job.name,
                        job.config,
                        self.threads,
                        WEIGHTS if job.weights else "",
                        shipped[place],
                        mailbox,
                    )
                    running[reference] = (job, time.monotonic())
                ready, _ = ray.wait(list(running), timeout=POLL) if running else ([], [])
                for name, record in ray.get(mailbox.take.remote()):
                    heard = Event(**record)
                    answer = listen(by_name[name], heard)
                    if heard.kind == "epoch":
                        mailbox.answer.remote(name, answer)
                for reference in ready:
                    job, started = running.pop(reference)
                    yield job, self._outcome(reference, job, time.monotonic() - started)
        except KeyboardInterrupt:
            for reference in running:
                ray.cancel(reference)
            for job, started in running.values():
                yield job, Outcome("interrupted", seconds=time.monotonic() - started)
            raise
        finally:
            for reference in running:
                ray.cancel(reference, force=True)
            ray.kill(mailbox)

    def _outcome(self, reference: Any, job: Job, seconds: float) -> Outcome:
        try:
            found = self._ray.get(reference)
        # What ray raises for a lost node, a killed worker and what the task raised.
        except Exception as error:
            return Outcome("failed", one_line(error), seconds)
        job.log.parent.mkdir(parents=True, exist_ok=True)
        with job.log.open("a", encoding="utf-8") as log:
            log.write(found["log"])
        if found["status"] == "done":
            load_run(found["run"], job.folder)
        return Outcome(found["status"], found["error"], seconds, {"node": found["node"]})


def carry_out(
    name: str,
    config: Mapping[str, Any],
    threads: int,
    weights: str,
    data: bytes | None,
    mailbox: Any,
) -> dict[str, Any]:
    """On a node: unpack the data unless they are there, train, and give the run folder back."""
    # The node's process is as it was started; torch must not be imported before this.
    import ray

    from mmseq.jobs.work import work

    def tell(event: dict[str, Any]) -> str:
        mailbox.tell.remote(name, event)
        if event["kind"] != "epoch":
            return ""
        while (answer := ray.get(mailbox.answer_to.remote(name))) is None:
            time.sleep(POLL / 4)
        return str(answer)

    user = os.getuid() if hasattr(os, "getuid") else 0
    # What a kill leaves of it the next run of this node removes.
    with (
        draft_of(Path(tempfile.gettempdir(), f"mmseq-run-{user}")) as place,
        unpacked_data(data) as settings,
    ):
        tables = {**config, "data": {**config["data"], **settings}}
        log = place / "log.txt"
        with log.open("w", encoding="utf-8") as file, redirect_stderr(file):
            status, error = work(tables, place / "run", threads, tell)
        return {
            "status": status,
            "error": error,
            "log": log.read_text(encoding="utf-8"),
            "run": pack_run(place / "run", weights) if status == "done" else b"",
            "node": socket.gethostname(),
        }

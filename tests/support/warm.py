"""Python processes that start at once: forked from a server that has imported the libraries.

`import torch` and its like take seconds. A test that needs a process of its own (a signal, a kill,
another environment) takes it from here, where it would else call `subprocess`. The server computes
nothing, so that no thread of a library is lost in the fork.
"""

import atexit
import importlib
import io
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from multiprocessing import connection
from multiprocessing.reduction import DupFd
from pathlib import Path

PRELOADED = (
    "accelerate",
    "mmseq.jobs.work",
    "mmseq.tagging.tagger",
    "mmseq.testing",
    "nltk.tokenize",
    "seqeval.metrics",
    "timm",
    "torch",
    "torchcrf",
    "torchvision",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
)
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(list(PRELOADED))


class Stream:
    """A file descriptor that goes with a process to the server and on to its child."""

    def __init__(self, number):
        self.number = number

    def __getstate__(self):
        return DupFd(self.number)

    def __setstate__(self, passed):
        self.number = passed.detach()


def _python(arguments, streams, settings):
    """What `python ARGUMENTS` does, in a process that has just been forked."""
    if settings["session"]:
        os.setsid()
    for number in settings["ends"]:
        os.close(number)
    for number, stream in enumerate(streams):
        os.dup2(stream.number, number)
        os.close(stream.number)
    sys.stdin = io.TextIOWrapper(open(0, "rb", closefd=False), encoding="utf-8")  # noqa: SIM115
    for name, number in (("stdout", 1), ("stderr", 2)):
        file = open(number, "wb", buffering=0, closefd=False)  # noqa: SIM115
        setattr(sys, name, io.TextIOWrapper(file, encoding="utf-8", write_through=True))
    # Whoever started the tests may ignore it, as a shell does for what it puts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(settings["env"])
    os.chdir(settings["cwd"])
    own = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:0] = [path for path in own if path not in sys.path]
    importlib.invalidate_caches()
    try:
        _carry_out(list(arguments))
    finally:
        # A forked process ends without them.
        atexit._run_exitfuncs()


def _carry_out(arguments):
    """`-m MODULE`, `-c PROGRAM` or a script, each with its own arguments."""
    first = arguments.pop(0)
    if first == "-m":
        sys.argv = list(arguments)
        runpy.run_module(arguments[0], run_name="__main__", alter_sys=True)
    elif first == "-c":
        sys.argv = ["-c", *arguments[1:]]
        exec(compile(arguments[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [first, *arguments]
        runpy.run_path(first, run_name="__main__")


class Process:
    """`subprocess.Popen` of `python ARGUMENTS`, as far as tests need it.

    Each stream is a file, `subprocess.PIPE`, or None: nothing to read, or this process's own.
    """

    def __init__(
        self, *arguments, stdin=None, stdout=None, stderr=None, env=None, cwd=None, session=False
    ):
        self.stdin = self.stdout = self.stderr = None
        theirs = []
        for number, (name, stream) in enumerate(
            {"stdin": stdin, "stdout": stdout, "stderr": stderr}.items()
        ):
            if stream == subprocess.PIPE:
                ends = os.pipe()
                own, given = reversed(ends) if number == 0 else ends
                setattr(self, name, open(own, "w" if number == 0 else "r", encoding="utf-8"))  # noqa: SIM115
            elif stream == subprocess.STDOUT:
                given = os.dup(theirs[1])
            elif stream is not None:
                given = os.dup(stream.fileno())
            else:
                given = os.dup(number) if number else os.open(os.devnull, os.O_RDONLY)
            theirs.append(given)
        settings = {
            "env": dict(os.environ if env is None else env),
            "cwd": str(cwd or Path.cwd()),
            "session": session,
            "ends": [],
        }
        context = CONTEXT
        if multiprocessing.parent_process() is not None:
            # Forked itself: its children have all that it has, also the other ends of their pipes.
            context = multiprocessing.get_context("fork")
            pipes = (self.stdin, self.stdout, self.stderr)
            settings["ends"] = [pipe.fileno() for pipe in pipes if pipe is not None]
        self._process = context.Process(
            target=_python,
            args=([str(a) for a in arguments], [Stream(n) for n in theirs], settings),
        )
        # Its end is told once, to one thread.
        self._asking = threading.Lock()
        self._process.start()
        self.pid = self._process.pid
        for number in theirs:
            os.close(number)

    def wait(self, timeout=None):
        """The exit code; negative of a signal. Raises `subprocess.TimeoutExpired`."""
        if not connection.wait([self._process.sentinel], timeout):
            raise subprocess.TimeoutExpired("python", timeout)
        with self._asking:
            self._process.join()
            return self._process.exitcode

    @property
    def returncode(self):
        """None while it runs."""
        with self._asking:
            return self._process.exitcode

    def send_signal(self, number):
        """Nothing where it has ended."""
        with self._asking:
            if self._process.exitcode is None:
                os.kill(self.pid, number)

    def kill(self):
        """As `kill -9`."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def run(*arguments, input="", timeout=600, check=False, **settings):
    """`subprocess.run` with both outputs captured."""
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile() as out:
        given.write(input)
        given.seek(0)
        with (
            tempfile.TemporaryFile() as err,
            Process(*arguments, stdin=given, stdout=out, stderr=err, **settings) as process,
        ):
            code = process.wait(timeout)
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode())
    done = subprocess.CompletedProcess(arguments, code, *texts)
    if check:
        assert code == 0, done.stderr
    return done


def start_worker(threads, log, *, own_session):
    """`mmseq.jobs.local.start_worker`, warm."""
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return Process(
        *("-m", "mmseq.jobs.worker"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, **counts},
        session=own_session,
    )

"""A command line in this process that believes to be on a terminal, or in a pipe."""

import io
import os
import pty
import sys
import threading
import tty
from contextlib import contextmanager


@contextmanager
def pseudo_terminal(encoding="utf-8"):
    """A text stream into a terminal, and the bytes that arrive there, filled when the block ends.

    The terminal changes nothing: what was written is what arrives.
    """
    master, slave = pty.openpty()
    tty.setraw(slave)
    arrived = bytearray()

    def read():
        while True:
            try:
                part = os.read(master, 65536)
            # How Linux says that the other side is closed.
            except OSError:
                break
            if not part:
                break
            arrived.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    stream = io.TextIOWrapper(os.fdopen(slave, "wb", 0), encoding=encoding, write_through=True)
    try:
        yield stream, arrived
    finally:
        stream.close()
        reader.join()
        os.close(master)


@contextmanager
def pipe(encoding="utf-8"):
    """The same into a pipe."""
    held = io.BytesIO()
    stream = io.TextIOWrapper(held, encoding=encoding, write_through=True)
    arrived = bytearray()
    try:
        yield stream, arrived
    finally:
        stream.flush()
        arrived.extend(held.getvalue())


def told(arguments, opened, monkeypatch, encoding="utf-8"):
    """Exit code, standard output and standard error, as bytes, of a command line whose streams
    `opened` opens: `pseudo_terminal` or `pipe`. An error that no user should see is raised.
    """
    from mmseq.__main__ import run
    from mmseq.streams import prepare

    with (
        opened(encoding) as (out, written),
        opened(encoding) as (err, said),
        monkeypatch.context() as patch,
    ):
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", err)
        # What `prepare` may set does not outlive the test.
        patch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        patch.setenv("TQDM_DISABLE", "1")
        prepare()
        code = run([str(argument) for argument in arguments])
    return code, bytes(written), bytes(said)

"""Who may read what is written: as the umask says, whatever a library makes of it."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def as_umask_says(path: Path) -> Iterator[None]:
    """A file that is written inside can be read by those who may read others of this user's.

    safetensors lets nobody else read its files, and asking for the umask would change it for all
    threads: so an empty file is made first, as any is, and its mode kept.
    """
    path.touch()
    mode = stat.S_IMODE(path.stat().st_mode)
    yield
    path.chmod(mode)

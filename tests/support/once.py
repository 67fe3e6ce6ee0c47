"""What is made once in a session, by whichever of its workers is first."""

import shutil
from pathlib import Path

from filelock import FileLock


def once(folder, make):
    """`folder`, filled by `make(folder)`; to be read, or copied, but not to be changed."""
    folder = Path(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        whole = folder.with_name(f"{folder.name}.whole")
        if not whole.exists():
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            whole.touch()
    return folder

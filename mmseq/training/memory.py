"""Keeps freed memory with the process."""

from __future__ import annotations

import ctypes
import os
import platform

KEPT = 1 << 30
"""Bytes: larger blocks, and what lies free at the end beyond so many, go back"""
MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""Of glibc's malloc.h"""


def keep_freed_memory() -> bool:
    """Ask glibc to keep what is freed for what is asked for next; False where that is not done.

    Every step takes and frees the same tensors. By itself glibc hands the large ones back, and the
    system clears their pages anew each time: the gradient of a vocabulary's embeddings alone has
    ten thousand. Other systems are left as they are, and so is a user's own setting (`MALLOC_…`,
    `GLIBC_TUNABLES`).
    """
    own = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if own or platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    return bool(library.mallopt(MMAP_THRESHOLD, KEPT) and library.mallopt(TRIM_THRESHOLD, KEPT))

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource
import sys

import numpy

from mmseq.training.memory import keep_freed_memory

done = keep_freed_memory() if sys.argv[1] == "keep" else None
counts = []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    numpy.ones(8 << 20)
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(done, *counts)
"""


def faults(way, **environment):
    """What `keep_freed_memory` says, and new pages of each of three equal arrays of 64 MB."""
    run = [sys.executable, "-c", FAULTS, way]
    found = subprocess.run(run, capture_output=True, text=True, check=True, env=environment)
    done, *counts = found.stdout.split()
    return done, [int(count) for count in counts]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is asked")
def test_freed_memory_is_used_again():
    """In pages of 4 or of 2048 KiB."""
    assert min(faults("leave")[1]) >= 32
    done, (first, *others) = faults("keep")
    assert done == "True"
    assert first >= 32
    assert max(others) < 16


def test_a_users_own_setting_is_left():
    assert faults("keep", MALLOC_ARENA_MAX="2")[0] == "False"

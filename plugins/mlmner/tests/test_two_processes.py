import subprocess
from pathlib import Path

import pytest
import warm

SCRIPT = Path(__file__).with_name("two_processes.py")


@pytest.mark.process
def test_losses_gradients_and_centres_are_those_of_the_global_batch(tmp_path):
    with (
        warm.Process(SCRIPT, 0, tmp_path, stderr=subprocess.PIPE) as one,
        warm.Process(SCRIPT, 1, tmp_path, stderr=subprocess.PIPE) as two,
    ):
        said = [process.stderr.read() for process in (one, two)]
        assert [process.wait(timeout=600) for process in (one, two)] == [0, 0], "\n".join(said)

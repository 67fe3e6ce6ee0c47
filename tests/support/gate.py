"""The other side of the callback `held`: knowing where a run is."""

import os
import time
from pathlib import Path


class Gate:
    """Runs with the callback `held` wait at `step` for a kill or for Ctrl-C.

    Processes meet it by `environment`, and find the callback in the folder `site`.
    """

    def __init__(self, folder, step, site):
        self.folder = Path(folder)
        self.folder.mkdir()
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        own = {"HELD": str(folder), "HELD_AT": str(step), "PYTHONPATH": path}
        self.environment = {**os.environ, **own}

    def wait(self, runs=1, seconds=600):
        """Until so many runs stand at the gate."""
        end = time.monotonic() + seconds
        while len(list(self.folder.glob("*.here"))) < runs:
            assert time.monotonic() < end, "no run has come to the gate"
            time.sleep(0.01)

"""The other side of the callback `held`: where a run is, and letting it go on."""

import os
import time
from pathlib import Path


class Gate:
    """Runs with the callback `held` wait at `step` until they are let go on, or killed.

    Processes meet it by `environment`, and find the callback in the folder `site`.
    """

    def __init__(self, folder, step, site):
        self.folder = Path(folder)
        self.folder.mkdir()
        path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
        own = {"HELD": str(folder), "HELD_AT": str(step), "PYTHONPATH": path}
        self.environment = {**os.environ, **own}

    def wait(self, runs=1, seconds=120):
        """Until so many runs stand at the gate."""
        end = time.monotonic() + seconds
        while len(list(self.folder.glob("*.here"))) < runs:
            assert time.monotonic() < end, "no run has come to the gate"
            time.sleep(0.01)

    def open(self):
        """Let them go on."""
        (self.folder / "go").touch()

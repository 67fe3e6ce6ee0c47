"""A gate in a training: a test meets the run at a step that it names, and need not hurry."""

import os
import time
from pathlib import Path

import mmseq


class Held(mmseq.Callback):
    """Writes HELD/RUN.here in step HELD_AT and waits for HELD/go. Without HELD it does nothing."""

    def on_start(self, folder, resumed_step):
        """The run's name is its folder's."""
        self.name = folder.name

    def on_step(self, event):
        """Waits, if this is the step."""
        gate = os.environ.get("HELD")
        if gate and event.step == int(os.environ["HELD_AT"]):
            Path(gate, f"{self.name}.here").touch()
            while not Path(gate, "go").exists():
                time.sleep(0.01)


@mmseq.hookimpl
def register_components(add):
    """The callback."""
    add.callback("held", Held)

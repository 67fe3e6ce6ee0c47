"""A gate in a training: a test meets the run at a step that it names, and need not hurry."""

import os
import signal
import time
from pathlib import Path

import mmseq


class Held(mmseq.Callback):
    """In step HELD_AT it writes HELD/RUN.here and waits for a kill, or until Ctrl-C has been noted.

    Without HELD it does nothing.
    """

    def on_start(self, folder, resumed_step):
        """The run's name is its folder's."""
        self.name = folder.name

    def on_step(self, event):
        """Waits, if this is the step."""
        gate = os.environ.get("HELD")
        if gate and event.step == int(os.environ["HELD_AT"]):
            # Whoever notes Ctrl-C gives the handler back to the one before.
            noting = signal.getsignal(signal.SIGINT)
            Path(gate, f"{self.name}.here").touch()
            while signal.getsignal(signal.SIGINT) is noting:
                time.sleep(0.01)


@mmseq.hookimpl
def register_components(add):
    """The callback."""
    add.callback("held", Held)

"""What a model under training predicts for a split, and how sure it is of each entity."""

from __future__ import annotations

from collections.abc import Sequence

from mmseq.errors import ComponentError
from mmseq.model.prediction import Prediction, predict
from mmseq.training.setup import Setup


class Tagging:
    """Tags the splits of a run."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._decoder_scores = True
        """False once its decoder has failed to: a run is not lost for the entities' scores"""

    def predictions(
        self, split: str, tasks: Sequence[str], *, scored: bool = True
    ) -> list[Prediction]:
        """Tags of every sentence, in order; `scored`: with the entities' probabilities, where the
        decoder can give them. `tasks`: those that may refine.
        """
        if scored and self._decoder_scores:
            try:
                return self._predict(split, tasks, scored=True)
            except ComponentError as error:
                # Raised again below where it is another component's.
                found = self._predict(split, tasks, scored=False)
                self._decoder_scores = False
                self._setup.reporter.warning(
                    f"The predicted entities are kept without their scores: {error}"
                )
                return found
        return self._predict(split, tasks, scored=False)

    def _predict(self, split: str, tasks: Sequence[str], *, scored: bool) -> list[Prediction]:
        return predict(
            self._setup.model,
            self._setup.collator,
            self._setup.prepared[split],
            device=self._setup.accelerator.device,
            span_scores=scored,
            tasks=tasks,
        )

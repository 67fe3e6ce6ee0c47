"""The model before its first step: built, with its first weights, fit for the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from accelerate.utils import set_seed

from mmseq.config.config import Config
from mmseq.contracts.example import Example
from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.model.assembly import build_model
from mmseq.model.fields import FieldReader
from mmseq.model.model import Model
from mmseq.runs import folder as runs
from mmseq.runs.weights import Weights, load_weights
from mmseq.training.rounds import rounds_of
from mmseq.training.shared_tags import by_tags, difference


def build_seeded(
    config: Config, labels: Sequence[str], examples: Sequence[Example]
) -> tuple[Model, dict[str, Any]]:
    """A new model as the run's seed draws it; all random generators are seeded by it."""
    set_seed(config.train.seed)
    return build_model(config, labels, examples=examples)


def take_initial_weights(
    model: Model, config: Config, tell: Callable[[str], None] = lambda line: None
) -> None:
    """The weights of the run that ``train.init`` names, where it names one. `tell` gets a line
    about what is not taken where that run knows other tags.
    """
    if not config.train.init:
        return
    run = Path(config.train.init)
    _, tags = runs.open_run(run)
    others = set(tags) != set(model.labels)

    def suited(own: Weights, given: Weights) -> Weights:
        # A head of another size belongs to another run than labels.json: it is refused. Where the
        # decoder reads fused states there is none.
        head = given.get("head.weight")
        whole = head is None or len(head) == len(tags)
        return by_tags(own, given, model.labels, tags) if whole else given

    # Its weighting stood at the end of a training; here another begins.
    load_weights(
        model,
        run / "model.safetensors",
        weighting=False,
        suited=suited,
        remedy=f"--init (train.init) takes a run of the same parts and sizes: see "
        f"{run / 'config.toml'}",
    )
    if others:
        tell(
            f"{run} knows other types ({difference(model.labels, tags)}): encoders and fusion are "
            "taken from it, of head and decoder what belongs to shared tags; the rest is new."
        )


def require_trainable(model: Model, config: Config, splits: Mapping[str, Split]) -> None:
    """`UserError` for a model that the run's settings or sentences do not suit, before any work is
    done.
    """
    rounds = len(rounds_of(config.train, len(splits["train"].examples)).ends)
    if model.preparation >= rounds:
        length = "steps" if config.train.steps else "epochs"
        raise UserError(
            f"train.{length} = {config.train.steps or config.train.epochs}: the preparation "
            "phase, in which the main task trains alone before the auxiliary tasks begin, takes "
            f"{model.preparation} of {rounds} epochs; give more."
        )
    _require_embeddings(model, config)
    reader = FieldReader(model.extras)
    for name, split in splits.items():
        reader.require(split.examples, training=name == "train")


def _require_embeddings(model: Model, config: Config) -> None:
    """`UserError` where `train.adversarial` has nothing to move."""
    if size := config.train.adversarial:
        matrix = model.text_encoder.embeddings()
        if matrix is None or not matrix.requires_grad:
            title = config.component("text_encoder").entry.title
            reason = "has no embeddings" if matrix is None else "keeps its embeddings as they are"
            remedy = "" if matrix is None else "let them train, or "
            raise UserError(
                f"train.adversarial = {size} moves embeddings that train, and {title} {reason}; "
                f"{remedy}give 0."
            )

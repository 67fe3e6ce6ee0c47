"""README.md of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmseq.config.config import Config
from mmseq.scoring.metrics import VARIANTS, variants

if TYPE_CHECKING:
    pass


def model_card(config: Config, metrics: Mapping[str, Any], labels: Sequence[str]) -> str:
    """README.md of a run: what it is, what it scores, how to use it."""
    parts = [
        f"| {choice.entry.kind} | {choice.name} | {choice.entry.provider} |"
        for choice in config.choices
    ]
    scores = [
        f"| {split} | {variant} ({VARIANTS[variant]}) | {row['precision']:.2f} "
        f"| {row['recall']:.2f} | {row['f1']:.2f} | {row['gold']} | {row['predicted']} "
        f"| {row['correct']} |"
        for split in ("valid", "test")
        if split in metrics
        for variant, row in variants(metrics[split]).items()
    ]
    data = [
        f"| {split} | {facts['sentences']} | {facts['entities']} | `{facts['sha256']}` "
        f"| {_code(facts['images_sha256'])} |"
        for split, facts in metrics["data"].items()
    ]
    types = ", ".join(sorted({label[2:] for label in labels if label != "O"}))
    return "\n".join(
        [
            "# A tagger made with mmseq",
            "",
            f"Labels entities of the types {types} in sentences of words, with pictures where "
            "the fusion uses them. Trained on "
            f"`{Path(config.data.path).name}`, {metrics['data']['train']['sentences']} sentences.",
            "",
            "| part | name | from |",
            "|---|---|---|",
            *parts,
            "",
            "Micro scores by exact span and type, in each reading of the tags.",
            "",
            "| split | variant | P | R | F1 | gold | predicted | correct |",
            "|---|---|---|---|---|---|---|---|",
            *scores,
            "",
            "| data | sentences | entities | SHA-256 of the file | of its pictures |",
            "|---|---|---|---|---|",
            *data,
            "",
            f"Best epoch: {metrics['best_epoch']}. Versions: `metrics.json`; every setting: "
            "`config.toml`.",
            "",
            "```python",
            "import mmseq",
            "",
            'tagger = mmseq.load("this/folder")',
            'tagger.predict(["Kevin Durant enters Oracle Arena"], images=["a.jpg"])',
            "```",
            "",
        ]
    )


def _code(text: str) -> str:
    return f"`{text}`" if text else ""

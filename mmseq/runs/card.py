"""README.md of a run: a header that the Hugging Face Hub reads, and a page for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCardData

from mmseq.config.config import Config
from mmseq.escaping import harmless, markdown, markdown_code
from mmseq.model.needs import needed_image_encoder
from mmseq.scoring.metrics import VARIANTS, variants

METRICS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
"""What the Hub calls a figure, and what people do"""


def model_card(
    config: Config, metrics: Mapping[str, Any], labels: Sequence[str], splitter: str = ""
) -> str:
    """README.md of a run: what it is, what it scores, how to use it. `splitter`: a sentence on how
    it cuts strings.
    """
    parts = [
        f"| {choice.entry.kind} | {markdown(choice.name)} | {markdown(choice.entry.provider)} |"
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
        f"| {split} | {facts['sentences']} | {facts['entities']} | {_code(facts['sha256'])} "
        f"| {_code(facts['images_sha256'])} |"
        for split, facts in metrics["data"].items()
    ]
    train = metrics["data"]["train"]
    partly = ""
    if "open_words" in train:
        partly = f"; the tags of {train['open_words']} of {train['words']} words are open"
    types = ", ".join(markdown(t) for t in sorted({label[2:] for label in labels if label != "O"}))
    return "\n".join(
        [
            "---",
            _header(config, metrics),
            "---",
            "",
            "# A tagger made with mmseq",
            "",
            f"Labels entities of the types {types} in sentences of words, with pictures where "
            "the fusion uses them. Trained on "
            f"{markdown_code(Path(config.data.path).name)}, "
            f"{train['sentences']} sentences{partly}.",
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
            *([splitter, ""] if splitter else []),
            "```python",
            "import mmseq",
            "",
            'tagger = mmseq.load("this/folder")',
            'tagger.predict(["Kevin Durant enters Oracle Arena"], images=["a.jpg"])',
            "```",
            "",
        ]
    )


def _header(config: Config, metrics: Mapping[str, Any]) -> str:
    """YAML by which the Hub finds the model and lists its scores: of each split, in each variant.

    No licence, which only the owner of data and encoders can give, and no language, which mmseq
    does not know.
    """
    task, name = "token-classification", harmless(Path(config.data.path).resolve().name)
    results = [
        EvalResult(
            task_type=task,
            task_name="Named entity recognition",
            dataset_type=name,
            dataset_name=name,
            dataset_split=split,
            metric_type=metric,
            metric_name=f"{heading} ({VARIANTS[variant]}, 0 to 100)",
            metric_value=round(float(row[metric]), 2),
            metric_args={"variant": variant},
        )
        for split in ("valid", "test")
        if split in metrics
        for variant, row in variants(metrics[split]).items()
        for metric, heading in METRICS.items()
    ]
    tags = ["mmseq", "named-entity-recognition", task]
    data = ModelCardData(
        library_name="mmseq",
        pipeline_tag=task,
        tags=[*tags, "multimodal"] if needed_image_encoder(config) else tags,
        metrics=list(METRICS),
        model_name=f"{name}-{config.component('fusion').name}",
        # Without any, the model has no index: an empty one is an error on the Hub.
        eval_results=results or None,
    )
    return data.to_yaml()


def _code(text: str) -> str:
    return markdown_code(text) if text else ""

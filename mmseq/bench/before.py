"""The key that benches had at first: with it a bench that was begun then is found and gone on with.

It was made of the whole config, defaults included, so that every new setting would have made
another experiment of what had been run. Nothing is named by it any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmseq.files import sha256_of
from mmseq.runs.identity import WEIGHTS, by_content

DATA = ("splits", "reader", "scheme", "map", "images", "image_dropout", "splitter")
TRAIN = (
    *("seed", "epochs", "batch_size", "accumulate", "learning_rate", "weight_decay", "warmup"),
    *("gradient_clip", "adversarial", "precision", "device", "checkpoint_steps", "init"),
)
"""The settings that there were, but for places and `keep_last`"""


def first_key(
    tables: Mapping[str, Any],
    checksums: Mapping[str, Mapping[str, str]],
    versions: Mapping[str, str],
) -> str:
    """As it was made of a config's tables, its data, and all `versions` but Python's."""
    own = by_content(tables)
    for section, keys in (("data", DATA), ("train", TRAIN)):
        own[section] = {key: own[section][key] for key in keys if key in own[section]}
    if own["train"].get("epochs") == "auto":
        own["train"]["epochs"] = 0
    init = Path(tables["train"]["init"]) / WEIGHTS
    if tables["train"]["init"] and init.is_file():
        own["train"]["init"] = sha256_of(init)
    content = {"config": own, "data": checksums, "versions": versions}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

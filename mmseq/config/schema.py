"""Sections [data] and [train] of a config: their keys, types, limits and defaults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from mmseq.config.places import expanded
from mmseq.errors import UserError, did_you_mean
from mmseq.files import at_home
from mmseq.registry.meant import meant, way_to_write

# What pydantic adds to the place of a value that may be of two types.
_BRANCHES = ("int", "constrained-int", "literal['auto']")

# pydantic does not read docstrings of fields unless asked to.
_STRICT = ConfigDict(
    extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
)

MOST_EPOCHS = 10**6
MOST = 10**9
"""No run has more of anything; what is reckoned with it stays a number of a computer's"""


def _device_name(name: str) -> str:
    name = name.strip().lower()
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise PydanticCustomError("device", "write auto, cpu, cuda, cuda:0, cuda:1 … or mps")
    return name


Place = Annotated[str, AfterValidator(expanded)]


class DataConfig(BaseModel):
    """Section [data]."""

    model_config = _STRICT
    path: Place = "sample"
    """Folder with train, valid and test files, or "sample"."""
    splits: list[Literal["train", "valid", "test"]] = ["train", "valid", "test"]
    """Files to read: without test, a run never sees it."""
    image_folder: Place = ""
    """Folder of the pictures; empty: `images` in the data folder."""
    reader: str = "auto"
    """A registered reader; auto: by the file's ending."""
    columns: dict[str, int | str] = Field(default_factory=dict)
    """Columns of the files, `{word = 2, tag = 3}`: from 1, -1 the last, or names of the first line;
    empty: the word is the first, the tag the last."""
    fields: dict[str, str] = Field(default_factory=dict)
    """Fields of JSON files, `{tags = "ner_tags", images = "photo"}`; empty: tokens, tags and
    images, or what others call them."""
    tag_names: list[str] = Field(default_factory=list)
    """Tags that are numbers in the files, by number from 0: `["O", "B-PER", "I-PER"]`."""
    scheme: Literal["auto", "bio", "bioes", "bmes", "iob1", "io"] = "auto"
    """Tagging scheme of the files; auto tells BIO, BIOES and BMES; io: types without prefix."""
    map: dict[str, str] = Field(default_factory=dict)
    """Types to rename, `OTHER = "MISC"`; to "O" drops a type."""
    images: Literal["lenient", "strict"] = "lenient"
    """strict: a missing or damaged picture is an error."""
    image_dropout: float = Field(0.0, ge=0, lt=1)
    """Share of sentences whose pictures are hidden in training, drawn anew each epoch."""
    features: str = "auto"
    """Folder of the feature store; auto: the user's cache; off: keep features in memory."""
    cache: str = "auto"
    """Folder for sentences of large files; auto: the user's cache, for files from 64 MB; off: keep
    all in memory."""
    splitter: str = "auto"
    """What cuts plain strings: whitespace, tweet, tweet-split, punctuation or characters, alone;
    auto: the one that suits the training words, and what they teach beside it."""

    def store(self, key: Literal["features", "cache"], default: Callable[[], Path]) -> Path | None:
        """The folder that `data.KEY` names: what `default` gives for auto, None for off.
        `UserError` where it is empty, which would mean the current folder.
        """
        value = self.features if key == "features" else self.cache
        if not value:
            raise UserError(f"data.{key} is empty: give a folder, 'auto' or 'off'.")
        if value == "off":
            return None
        return default() if value == "auto" else at_home(value)


class TrainConfig(BaseModel):
    """Section [train]."""

    model_config = _STRICT
    # numpy takes 32 bits, and each process adds its number.
    seed: int = Field(1, ge=0, lt=2**31)
    """Of everything random: equal seeds give equal weights."""
    epochs: Annotated[int, Field(ge=1, le=MOST_EPOCHS)] | Literal["auto"] = "auto"
    """Epochs in all, with those before auxiliary tasks begin; auto: `steps`, or the text encoder's
    own number, more for few sentences and fewer for very many."""
    steps: int = Field(0, ge=0, le=MOST)
    """Optimiser steps in all, in place of epochs; validated 4 to 40 times. 0: as `epochs` says."""
    batch_size: int = Field(32, ge=1, le=MOST)
    """Sentences a process and a micro-batch."""
    accumulate: int = Field(1, ge=1, le=MOST)
    """Micro-batches to an optimiser step."""
    learning_rate: float = Field(1e-3, gt=0)
    """Rate of everything but the encoders, which have their own."""
    weight_decay: float = Field(0.01, ge=0)
    """Not on biases and norms."""
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the steps in which rates rise linearly, before they fall linearly to 0."""
    gradient_clip: float = Field(1.0, ge=0)
    """Largest gradient norm; 0: no limit."""
    adversarial: float = Field(0.0, ge=0)
    """Size of the step by which word embeddings are moved to where the loss is higher, and
    learned from once more (about twice the time an epoch); 0: never. 1 suits BERT's kin."""
    precision: Literal["auto", "no", "fp16", "bf16"] = "auto"
    """auto: bf16 where a GPU has it, else full precision. fp16 is for GPUs."""
    device: Annotated[str, AfterValidator(_device_name)] = "auto"
    """auto, cpu, cuda, cuda:1 and so on, or mps; auto: the GPU where there is one."""
    checkpoint_steps: int = Field(0, ge=0, le=MOST)
    """A checkpoint every so many steps, beside the one at each epoch's end; 0: epochs only."""
    keep_last: bool = False
    """Keep the folder `last/` of a finished run."""
    init: Place = ""
    """A run whose weights to start from; where it knows other types, those of what is shared."""


def section(model: type[Any], name: str, table: Mapping[str, Any]) -> Any:
    """`table` as a `model`, values taken as people write them. `UserError` for a key that there is
    not, and a value that cannot be.
    """
    for key in table:
        if key not in model.model_fields:
            hint = did_you_mean(key, model.model_fields)
            known = ", ".join(model.model_fields)
            raise UserError(f"[{name}] has no key '{key}'.{hint} Its keys: {known}.")
    values = dict(table)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        # Once each: a value that may be of two types has two faults.
        for key in {str(fault["loc"][0]) for fault in error.errors()}:
            values[key] = meant(model.model_fields[key].annotation, values[key])
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"] if part not in _BRANCHES)
        # An entry of a list or table says itself what it should be.
        whole = first["input"] is values[str(first["loc"][0])]
        own = model.model_fields[str(first["loc"][0])].annotation
        way = way_to_write(own, first["input"]) if whole else ""
        raise UserError(f"{name}.{key}: {first['input']!r}: {first['msg']}.{way}") from error

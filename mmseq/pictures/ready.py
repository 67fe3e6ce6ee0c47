"""The pictures of some sentences, made ready for an image encoder, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import chain
from typing import get_args

import torch

from mmseq.config.config import DataConfig
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.data.picture_names import elsewhere
from mmseq.errors import UserError
from mmseq.pictures.checksums import Contents, content_of
from mmseq.pictures.features import FeatureStore, FeatureTable, compute_features, default_store_root
from mmseq.pictures.opening import Kind, summarise


def ready_pictures(
    groups: Sequence[Iterable[Example]],
    encoder: ImageEncoder,
    data: DataConfig,
    *,
    device: torch.device,
    reporter: Reporter,
    shared: bool = False,
) -> FeatureTable:
    """Features of every picture of some groups of sentences, of equal ones once.

    They come from the store where they are in it. Says how many were new and how many reused, and
    which pictures cannot be used; with ``data.images = "strict"`` one of those is a `UserError`.
    `shared`: all processes are here, and share the work out.
    """
    paths = list(dict.fromkeys(path for e in chain.from_iterable(groups) for path in e.images))
    with reporter.progress("pictures", len(paths)) as advance:
        table = compute_features(
            paths,
            encoder,
            store=_store(data, encoder, reporter),
            device=device,
            advance=advance,
            shared=shared,
        )
    for note in table.notes:
        reporter.line(note)
    for warning in table.warnings:
        reporter.warning(warning)
    if paths:
        reporter.line(
            f"Pictures: {len(paths)} files; of their contents {table.new} new, {table.reused} from "
            "the store."
        )
    if table.problems:
        if data.images == "strict":
            problem = next(iter(table.problems.values()))
            sentences = chain.from_iterable(groups)
            where = next(e.where for e in sentences if problem.path in e.images)
            raise UserError(
                f"{where}: picture {problem} "
                f"({len(table.problems)} such pictures); fix it, or set data.images = 'lenient' "
                "to do without it."
            )
        for line in summarise(table.problems.values(), len(paths)):
            reporter.warning(line)
        absent = [
            path.parent
            for path in table.problems
            if not elsewhere(path) and not path.parent.is_dir()
        ]
        if absent:
            reporter.warning(
                f"There is no folder {absent[0]}; names in the data are looked up in the data's "
                "folder images/, or in the folder that is given with --images."
            )
    return table


def pictures_to_compute(
    examples: Iterable[Example], encoder: ImageEncoder, data: DataConfig, known: Contents
) -> int:
    """How many distinct contents the encoder would have to look at, the store being as it is.

    Of an encoder that trains: all distinct pictures, which it opens again in each epoch. Files
    whose contents are `known` are not read again; the others are added.
    """
    paths = {path for example in examples for path in example.images}
    store = _store(data, encoder, Reporter(quiet=True))
    stored = None
    # One that cannot be read is left out.
    with suppress(UserError):
        stored = store.open(encoder.fingerprint) if store and encoder.fingerprint else None
    contents = {content_of(path, known) for path in paths} - set(get_args(Kind))
    return sum(1 for sha in contents if stored is None or sha not in stored)


def _store(data: DataConfig, encoder: ImageEncoder, reporter: Reporter) -> FeatureStore | None:
    """Where features are kept; None where none are, or there is no place for them."""
    if encoder.fingerprint is None:
        return None
    try:
        root = data.store("features", default_store_root)
    except UserError as error:
        if data.features != "auto":
            raise
        reporter.warning(f"{error} Features of pictures stay in memory.")
        return None
    return None if root is None else FeatureStore(root)

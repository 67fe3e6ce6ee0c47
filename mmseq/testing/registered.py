"""The checks over what is registered: a new component is checked by being registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmseq.registry.entries import Entry
from mmseq.testing.aux_task import check_aux_task
from mmseq.testing.callback import check_callback
from mmseq.testing.decoder import check_decoder
from mmseq.testing.fusion import check_fusion
from mmseq.testing.image_encoder import check_image_encoder
from mmseq.testing.reader import check_reader
from mmseq.testing.text_encoder import check_text_encoder
from mmseq.testing.toml_files import check_plan, check_preset, check_published
from mmseq.testing.weighting import check_weighting

CHECKS: dict[str, Callable[..., None]] = {
    "text_encoder": check_text_encoder,
    "image_encoder": check_image_encoder,
    "fusion": check_fusion,
    "aux_task": check_aux_task,
    "decoder": check_decoder,
    "weighting": check_weighting,
    "reader": check_reader,
    "callback": check_callback,
    "preset": check_preset,
    "plan": check_plan,
    "published": check_published,
}
"""Kind -> its check"""


def check(entry: Entry, **options: Any) -> None:
    """Check one of `mmseq.list_components`, by the check of its kind, which `options` are for.

    For tests: ``@pytest.mark.parametrize("entry", list_components(distribution="mmseq-film"))``.
    Raises `mmseq.testing.ContractError` for a broken contract.
    """
    CHECKS[entry.kind](entry.name, **options)

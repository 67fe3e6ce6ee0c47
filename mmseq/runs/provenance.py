"""What a run was made with: its data by checksum, its components and libraries by version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmseq.config.config import Config
from mmseq.data.splits import Split
from mmseq.errors import UserError
from mmseq.pictures.checksums import Contents, images_sha256
from mmseq.runs import folder as runs
from mmseq.runs import identity


def checksums_of(
    splits: Mapping[str, Split], known: Contents | None = None
) -> dict[str, dict[str, str]]:
    """Split -> ``sha256`` of its file, ``images_sha256`` of its pictures: each file is read once,
    and not at all where it is `known`.
    """
    known = {} if known is None else known
    return {
        name: {"sha256": split.sha256, "images_sha256": images_sha256(split.examples, known)}
        for name, split in splits.items()
    }


def versions_of(config: Config) -> dict[str, str]:
    """Distribution -> version of what decides figures."""
    return identity.versions(config.tables(), runs.component_versions(config))


def require_made_with(
    metrics: Mapping[str, Any],
    data: Mapping[str, Mapping[str, str]],
    installed: Mapping[str, str],
    whole: str,
    remedy: str,
) -> None:
    """`UserError` where a finished run's `metrics` name other data or versions than these.

    That can happen where data change while many runs are under way, or on another machine of a
    cluster. `whole` is what the run is part of: ``plan``; it and `remedy` are for the message.
    """
    remarks = {
        "data": data_differing(metrics["data"], data),
        "versions": versions_differing(metrics["versions"], installed),
    }
    for what, different in remarks.items():
        if different:
            raise UserError(
                f"the run was made with other {what} than the {whole} was begun with "
                f"({', '.join(different)}); {remedy}."
            )


def data_differing(facts: Mapping[str, Any], data: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Splits of which a run, by the `facts` in its metrics, saw another file or other pictures."""
    return _differing(data, _seen(facts, data))


def versions_differing(made: Mapping[str, str], installed: Mapping[str, str]) -> list[str]:
    """Distributions of `installed` with which a run was made in another version.

    A text-only run has let its image encoder go, and does not tell of it.
    """
    shared = made.keys() & installed.keys()
    return _differing({k: installed[k] for k in shared}, {k: made[k] for k in shared})


def _seen(
    facts: Mapping[str, Any], data: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, Any]]:
    """What the run saw; of a run that looked at no picture, pictures are left out."""
    return {
        split: {
            "sha256": fact["sha256"],
            "images_sha256": fact.get("images_sha256") or data.get(split, {}).get("images_sha256"),
        }
        for split, fact in facts.items()
    }


def _differing(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    keys = expected.keys() | found.keys()
    return sorted(key for key in keys if expected.get(key) != found.get(key))

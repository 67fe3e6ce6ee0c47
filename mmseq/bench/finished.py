"""Which of a plan's experiments the lines of a results file are, whenever they were written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mmseq.bench.experiment import Experiment
from mmseq.bench.results import Result
from mmseq.runs.identity import by_content, settings
from mmseq.runs.provenance import data_differing, versions_differing


class Finished:
    """Results, found by what they were made of.

    The key that a line has is not believed: it is of the day on which it was written. What decides
    is its own config, data and versions.
    """

    def __init__(self, results: Iterable[Result]) -> None:
        self._alike: dict[str, list[Result]] = {}
        for result in results:
            # Without a record of them, files are taken to be as they are now.
            own = _told(result.config, result.contents or None)
            self._alike.setdefault(own, []).append(result)

    def of(self, experiment: Experiment) -> Result | None:
        """The experiment's result; None: it has not been run."""
        own = _told(experiment.config.tables(), experiment.contents)
        found = (r for r in self._alike.get(own, ()) if _is(r, experiment))
        return next(found, None)


def _told(tables: Mapping[str, Any], contents: Mapping[str, str] | None) -> str:
    return json.dumps(settings(by_content(tables, contents), seed=True), sort_keys=True)


def _is(result: Result, experiment: Experiment) -> bool:
    """With the same settings, it was made of the same data, with the same versions and files."""
    if not result.contents and experiment.reads_files and result.key != experiment.first_key:
        # Its encoder's folder, say, has changed since, or may have.
        return False
    return not (
        data_differing(result.splits, experiment.checksums)
        or versions_differing(result.versions, experiment.versions)
    )

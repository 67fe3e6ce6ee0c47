"""The command: how often a run predicted each type."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import mmseq


@click.command("example")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--split", type=click.Choice(["valid", "test"]), default="test", help="Of the run [test]."
)
def count_types(run: Path, split: str) -> None:
    """Count the entities of each type that RUN predicted for its own validation or test split.

    \b
    For instance:
      mmseq example runs/sample-gate-1
    """
    found: Counter[str] = Counter()
    for tags in _predicted(run / "predictions" / f"{split}.jsonl"):
        found.update(entity_types(tags))
    # A reporter's lines steer no terminal, whatever names the data have.
    reporter = mmseq.Reporter()
    for kind, number in found.most_common():
        reporter.line(f"{number:6}  {kind}")
    reporter.line(f"{found.total():6}  entities")


def entity_types(tags: Sequence[str]) -> list[str]:
    """The types of the entities that BIO tags mark; an I- tag after another type opens one."""
    opens = zip(["O", *tags], tags, strict=False)
    return [t[2:] for before, t in opens if t[0] == "B" or (t[0] == "I" and before[2:] != t[2:])]


def _predicted(path: Path) -> Iterator[list[str]]:
    """The predicted tags of each sentence; `UserError` where the file is missing or damaged."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise mmseq.UserError(f"{path}: {error.strerror}; give the folder of a run.") from error
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)["tags"]
        except (ValueError, KeyError, TypeError) as error:
            raise mmseq.UserError(f"{path}:{number}: damaged; train the run again.") from error

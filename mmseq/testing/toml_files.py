"""The contracts of the TOML files that plugins register: presets, plans, published figures."""

from __future__ import annotations

from pathlib import Path

from mmseq.bench.plan import Problems, read_plan
from mmseq.config.config import Config
from mmseq.errors import UserError
from mmseq.files import read_toml
from mmseq.registry.kinds import KINDS
from mmseq.registry.plugins import registry
from mmseq.tables.published import read_published
from mmseq.testing.contract import Judge


def check_preset(preset: str | Path) -> None:
    """Check a preset, a registered name or a file.

    It parses, its first line is a comment that describes it, every component in it is registered
    and every option is one that the component has. Raises `mmseq.testing.ContractError`.
    """
    judge, path = _described("preset", preset)
    try:
        layer = read_toml(path)
        config = Config.from_file(path)
    except UserError as error:
        judge.fail("contents", str(error).rstrip("."), "a config that mmseq train --config takes")
    lost = layer.keys() - config.tables().keys()
    judge.require(not lost, "contents", f"sections {sorted(lost)}", "sections of a config")
    right = "the config of a run gives the same run"
    same = Config(config.tables()).tables() == config.tables()
    judge.require(same, "contents", "written out and read again it differs", right)


def check_plan(plan: str | Path) -> None:
    """Check a plan for `mmseq bench`, a registered name or a file, as `check_preset` does."""
    judge, path = _described("plan", plan)
    problems = Problems()
    try:
        read = read_plan(path, problems)
    except UserError as error:
        judge.fail("contents", str(error).rstrip("."), "a plan that mmseq bench takes")
    found = "; ".join(line.rstrip(".") for line in problems.lines)
    judge.require(not found, "contents", found, "a plan that mmseq bench takes")
    judge.require(read.systems, "contents", "no system", "[[systems]] or presets = […]")
    for system in read.systems:
        known = system.installed or system.optional
        right = "a registered preset, or optional = true"
        judge.require(known, "contents", f"preset '{system.preset}' is unknown", right)
    if read.published:
        check_published(read.published)


def check_published(published: str | Path) -> None:
    """Check published figures, a registered name or a file, as `check_preset` does."""
    judge, path = _described("published", published)
    try:
        read = read_published(path)
    except UserError as error:
        judge.fail("contents", str(error).rstrip("."), "figures with their data and sources")
    judge.require(read.figures, "contents", "no figure", "[[figures]] with their sources")


def _described(kind: str, given: str | Path) -> tuple[Judge, Path]:
    """The file, whose first line must be its description."""
    if isinstance(given, Path):
        judge, path = Judge(f"{KINDS[kind]} {given}"), given
        judge.require(path.is_file(), "file", "there is none", "the path of a TOML file")
    else:
        entry = registry().get(kind, given)
        judge = Judge(entry.title)
        try:
            path = entry.path
        except UserError as error:
            judge.fail("file", str(error).rstrip("."), f"the {kind} is among the package's files")
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    good = first.startswith("#") and bool(first.strip("# "))
    right = "a comment that describes it: mmseq list shows it"
    judge.require(good, "first line", repr(first), right)
    return judge, path

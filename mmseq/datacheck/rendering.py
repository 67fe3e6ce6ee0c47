"""The report of a data check on the terminal: one table, then the places of what was found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from mmseq.console import print_line
from mmseq.data.unknown_types import missed_line
from mmseq.table_width import print_table


def render(report: Mapping[str, Any], console: Console) -> None:
    """Print a report of `mmseq.datacheck.checking.check_folder`."""
    splits: Mapping[str, Any] = report["splits"]
    if splits:
        place = report.get("file", report["folder"])
        table = Table(title=f"Data in {place}", title_justify="left")
        table.add_column("")
        for name in splits:
            table.add_column(name, justify="right")
        for cells in _rows(splits):
            table.add_row(*cells)
        print_table(console, table)
    notes = [note for split in splits.values() for note in split["notes"]]
    for line in (*notes, *_findings(splits), *_shared(report["shared"]), *report["notes"]):
        print_line(console, line)
    for name, types in report["unknown"].items():
        line = missed_line(name, types, "the training split")
        print_line(console, line)
    for problem in report["problems"]:
        print_line(console, f"Problem: {problem}")


def _rows(splits: Mapping[str, Any]) -> list[list[str]]:
    """The table's rows: a heading, then a cell for each split."""

    def row(heading: str, value: Callable[[Any], Any]) -> list[str]:
        cells = [value(split) for split in splits.values()]
        return [heading, *(f"{c:,}" if isinstance(c, int) else str(c) for c in cells)]

    def entities(kind: str) -> list[str]:
        return row(f"  {kind}", lambda s: s["entities"].get(kind, 0))

    def lengths(unit: str) -> list[str]:
        heading = f"{unit}: 50/90/95/99 %/max"
        return row(heading, lambda s: "/".join(map(str, s["length"][unit].values())))

    def unusable(kind: str) -> list[str]:
        return row(f"  {kind}", lambda s: s["pictures"][kind]["count"])

    def field(name: str) -> list[list[str]]:
        """In how many sentences it is, in which form, and from what to what its numbers go."""
        forms = [f["form"] for s in splits.values() if (f := s["fields"].get(name))]

        def cell(split: Any) -> Any:
            found = split["fields"].get(name, {"sentences": 0, "form": forms[0]})
            number = found["sentences"]
            return number if found["form"] == forms[0] else f"{number:,} ({found['form']})"

        def reach(split: Any) -> str:
            found = split["fields"].get(name, {})
            low, high = found.get("low"), found.get("high")
            return "" if low is None else f"{low:g} to {high:g}"

        rows = [row(f"field {name}: {forms[0]}", cell)]
        return rows + ([row("  its numbers", reach)] if any(map(reach, splits.values())) else [])

    partly = any(s["open"]["count"] for s in splits.values())
    units = [u for u in ("words", "subwords") if all(s["length"][u] for s in splits.values())]
    return [
        row("scheme", lambda s: s["scheme"]),
        row("sentences", lambda s: s["sentences"]),
        row("  without tags", lambda s: s["untagged"]["count"]),
        row("  with words seen above", lambda s: s["duplicates"]["count"]),
        *([row("  of open words alone", lambda s: s["open"]["unannotated"])] if partly else []),
        row("words", lambda s: s["words"]),
        *([row("  open (?)", lambda s: s["open"]["count"])] if partly else []),
        row("entities (seqeval)", lambda s: s["orphans"]["gold"]["default"]),
        *(entities(kind) for kind in sorted({k for s in splits.values() for k in s["entities"]})),
        row("entities (strict IOB2)", lambda s: s["orphans"]["gold"]["strict"]),
        row("entities (orphans as B-)", lambda s: s["orphans"]["gold"]["repaired"]),
        row("orphan I- tags", lambda s: s["orphans"]["count"]),
        *(lengths(unit) for unit in units),
        row("pictures: mentions", lambda s: s["pictures"]["referenced"]),
        row("  distinct", lambda s: s["pictures"]["distinct"]),
        row("  of these there as a file", lambda s: s["pictures"]["files"]),
        *(unusable(kind) for kind in ("missing", "unreadable", "tiny")),
        *(
            [row("  pages or frames not used", lambda s: s["pictures"]["frames"]["further"])]
            if any(s["pictures"]["frames"]["count"] for s in splits.values())
            else []
        ),
        row("sentences without picture", lambda s: s["pictures"]["sentences_without"]),
        *(
            r
            for name in sorted({n for s in splits.values() for n in s["fields"]})
            for r in field(name)
        ),
    ]


def _findings(splits: Mapping[str, Any]) -> list[str]:
    """One line for each kind of finding of each split, with the first places."""
    lines = []
    for name, split in splits.items():
        pictures, words = split["pictures"], split["odd_words"]
        lines += [
            _line(f"{name}: {what}", found, show)
            for what, found, show in (
                ("sentences without tags", split["untagged"], str),
                ("open words", split["open"], str),
                ("orphan I- tags", split["orphans"], _tag_place),
                ("sentences with the same words", split["duplicates"], " = ".join),
                ("words of invisible characters alone", words["unseen"], str),
                ("words with white space at their ends", words["spaced"], str),
                ("pictures missing", pictures["missing"], _picture_place),
                ("pictures unreadable", pictures["unreadable"], _picture_place),
                ("pictures tiny", pictures["tiny"], _picture_place),
                ("files with pages or frames behind the first", pictures["frames"], _frames_place),
            )
            if found["count"]
        ]
        lines += [
            _line(f"{name}: words with {odd}", found, str) for odd, found in words["odd"].items()
        ]
        lines += [
            _line(f"{name}: {what} field '{field}'", found[kind], str)
            for field, found in split["fields"].items()
            for kind, what in (("missing", "sentences without"), ("odd", "sentences with another"))
            if found[kind]["count"]
        ]
    return lines


def _shared(shared: Mapping[str, Any]) -> list[str]:
    return [
        _line(f"{pair}: {kind} in both", found[kind], show)
        for pair, found in shared.items()
        for kind, show in (("sentences", " = ".join), ("pictures", _shared_place))
        if found[kind]["count"]
    ]


def _shared_place(found: Sequence[str]) -> str:
    return f"{found[0]} ({', '.join(found[1:])})"


def _tag_place(found: Mapping[str, str]) -> str:
    return f"{found['where']} {found['word']} {found['tag']}"


def _picture_place(found: Mapping[str, str]) -> str:
    return f"{found['where']} {found['path']} ({found['reason']})"


def _frames_place(found: Mapping[str, Any]) -> str:
    return f"{found['where']} {found['path']} ({found['further']} more)"


def _line(what: str, found: Mapping[str, Any], show: Callable[[Any], str]) -> str:
    places = "; ".join(show(place) for place in found["first"])
    more = "; …" if found["count"] > len(found["first"]) else ""
    return f"{what}: {found['count']:,}. {places}{more}"

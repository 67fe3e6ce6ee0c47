"""Pictures of a split: how many are named and are there, and what is wrong with which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mmseq.data.hearing import SHOWN
from mmseq.data.picture_names import shown
from mmseq.data.splits import Split


def open_all(paths: set[Path]) -> tuple[dict[Path, tuple[str, str]], dict[Path, int]]:
    """Kind and reason for each picture that cannot be used, and how many pages or frames of each
    file that can stand behind the first.
    """
    from mmseq.pictures.frames import further_frames
    from mmseq.pictures.opening import PictureProblem, decode_picture, read_picture

    def look(path: Path) -> tuple[str, str] | int:
        try:
            data = read_picture(path)
            decode_picture(data, path)
        except PictureProblem as error:
            return error.kind, error.reason
        return further_frames(data)

    ordered = sorted(paths)
    with ThreadPoolExecutor() as pool:
        found = dict(zip(ordered, pool.map(look, ordered), strict=True))
    problems = {path: result for path, result in found.items() if isinstance(result, tuple)}
    return problems, {
        p: result for p, result in found.items() if isinstance(result, int) and result
    }


def picture_facts(
    split: Split, problems: Mapping[Path, tuple[str, str]], frames: Mapping[Path, int]
) -> dict[str, Any]:
    """Of a split, fit for JSON; `problems` and `frames` as `open_all` gives them."""
    mentions = [(path, example) for example in split.examples for path in example.images]
    bad: dict[str, list[dict[str, str]]] = {"missing": [], "unreadable": [], "tiny": []}
    for path, example in mentions:
        if path in problems:
            kind, reason = problems[path]
            bad[kind].append({"where": example.where, "path": shown(path), "reason": reason})
    distinct = {path for path, _ in mentions}
    several = {path: e.where for path, e in reversed(mentions) if path in frames}
    return {
        "referenced": len(mentions),
        "distinct": len(distinct),
        "files": sum(problems.get(path, ("",))[0] != "missing" for path in distinct),
        "sentences_without": sum(not example.images for example in split.examples),
        **{kind: finding(found) for kind, found in bad.items()},
        "frames": {
            **finding(
                [
                    {"where": where, "path": str(path), "further": frames[path]}
                    for path, where in reversed(several.items())
                ]
            ),
            "further": sum(frames[path] for path in several),
        },
    }


def finding(found: Sequence[Any]) -> dict[str, Any]:
    """How many places, and the first of them."""
    return {"count": len(found), "first": list(found[:SHOWN])}

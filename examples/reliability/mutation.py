"""Good files made bad: bytes changed at random places, and values of JSON and TOML replaced."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from random import Random
from typing import Any

import tomli_w

SNIPPETS = (
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\t",
    b"\n\n\n",
    b"\x1b[2J\x1b]0;x\x07",
    b"\xe2\x80\xa8",
    b"\xe2\x80\xae",
    b"\xc2\x85",
    b"\xed\xa0\x80",
    b"[",
    b"]",
    b"{",
    b"}",
    b'"',
    b"'",
    b"\\",
    b"\\ud800",
    b",",
    b":",
    b"=",
    b"null",
    b"NaN",
    b"-1",
    b"1e999",
    b"9" * 30,
    b"9" * 5000,
    b"[" * 3000,
    b"B-",
    b"I-PER",
    b"../../",
    b"/dev/zero",
    b" " * 100,
    b"a" * 300,
)
"""What readers stumble over"""

TEXTS = (
    "",
    " ",
    "a",
    "auto",
    "off",
    "none",
    "O",
    "B-",
    "I-PER",
    "\x00",
    "a\x00b",
    "\n",
    "a\nb",
    "\x1b[31mred\x1b[2J",
    "\u202eback\u2066",
    "\u2028",
    "[bold]",
    "[/x]",
    "{0}%s$HOME",
    "=1+1",
    "<script>",
    "..",
    "../../etc/passwd",
    "/dev/zero",
    "~",
    "~nobody/x",
    "hf-hub:timm/none",
    "local-dir:/",
    "pkg:none",
    "http://127.0.0.1:9/x",
    "1",
    "-1",
    "1e999",
    "nan",
    "x" * 300,
    "x" * 20000,
    "\ud800",
    "e\u0301\u0302",
    "\U0001f600\u200d\U0001f525",
)
NUMBERS = (0, 1, -1, 2, 7, 255, 2**31 - 1, 2**31, 2**32, 2**53, 2**63, 10**30, -(2**63))
FRACTIONS = (0.0, -0.0, 0.5, 1.0, 1.5, -1.5, 1e-320, 1e308, float("inf"), float("nan"))


def changed_bytes(content: bytes, draw: Random) -> bytes:
    """`content` after one to eight changes of bytes, slices and ends."""
    made = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 3, 8))):
        at = draw.randrange(len(made) + 1)
        length = min(draw.choice((1, 2, 4, 8, 64, 512)), len(made) - at)
        change = draw.randrange(8)
        if change == 0 and length:
            made[at] ^= 1 << draw.randrange(8)
        elif change == 1 and length:
            made[at] = draw.randrange(256)
        elif change == 2:
            made[at : at + length] = b""
        elif change == 3:
            made[at:at] = made[at : at + length] * draw.choice((1, 2, 50))
        elif change == 4:
            del made[at:]
        elif change == 5:
            made[at:at] = draw.randbytes(draw.choice((1, 4, 32)))
        elif change == 6 and length:
            other = draw.randrange(len(made))
            piece = bytes(made[other : other + length])
            made[at : at + length] = piece
        else:
            made[at:at] = draw.choice(SNIPPETS)
    return bytes(made)


def odd_value(draw: Random, depth: int = 2) -> Any:
    """A value that is of another type, out of range, or of an odd form."""
    kind = draw.randrange(8 if depth else 6)
    if kind < 2:
        return draw.choice(TEXTS)
    if kind == 2:
        return draw.choice(NUMBERS)
    if kind == 3:
        return draw.choice(FRACTIONS)
    if kind == 4:
        return draw.choice((True, False))
    if kind == 5:
        return draw.choice((None, [], {}))
    if kind == 6:
        return [odd_value(draw, depth - 1) for _ in range(draw.choice((1, 2, 40)))]
    return {draw.choice(TEXTS[2:]): odd_value(draw, depth - 1) for _ in range(draw.choice((1, 3)))}


def changed_value(value: Any, draw: Random) -> Any:
    """A copy of a tree of lists and tables after one to three changes of its nodes."""
    root = [copy.deepcopy(value)]
    for _ in range(draw.choice((1, 1, 2, 3))):
        holder, key = draw.choice(_places(root, 0))
        _change(holder, key, draw)
    return root[0] if root else None


def _places(holder: Any, key: Any) -> list[tuple[Any, Any]]:
    """Every node below `holder`, each as what holds it and the key there."""
    try:
        inner = holder[key]
    except (IndexError, KeyError):
        return [(holder, None)]
    found = [(holder, key)]
    if isinstance(inner, dict):
        for name in inner:
            found += _places(inner, name)
    elif isinstance(inner, list):
        for index in range(len(inner)):
            found += _places(inner, index)
    return found


def _change(holder: Any, key: Any, draw: Random) -> None:
    change = draw.randrange(8)
    if key is None or change < 3:
        if key is None:
            return
        holder[key] = odd_value(draw)
    elif change == 3:
        del holder[key]
    elif change == 4:
        holder[key] = [holder[key]]
    elif change == 5 and isinstance(holder, dict):
        holder[draw.choice(TEXTS)] = holder.pop(key)
    elif change == 6 and isinstance(holder, list):
        holder[key:key] = [copy.deepcopy(holder[key])] * draw.choice((1, 1, 200))
    elif isinstance(holder[key], dict):
        holder[key][draw.choice(TEXTS)] = odd_value(draw)
    elif isinstance(holder[key], list):
        holder[key].append(odd_value(draw))
    elif isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
        holder[key] = draw.choice((-holder[key], holder[key] * 10**9, str(holder[key])))
    else:
        holder[key] = {"a": holder[key]}


def changed_json(content: bytes, draw: Random) -> bytes:
    """A JSON file with other values in it, and now and then with other bytes."""
    if draw.random() < 0.25:
        return changed_bytes(content, draw)
    try:
        value = json.loads(content)
    # It was changed before.
    except ValueError:
        return changed_bytes(content, draw)
    made = json.dumps(changed_value(value, draw)).encode()
    return changed_bytes(made, draw) if draw.random() < 0.05 else made


def changed_json_lines(content: bytes, draw: Random) -> bytes:
    """A file of JSON lines, one or two of them with other values."""
    if draw.random() < 0.25:
        return changed_bytes(content, draw)
    lines = content.splitlines()
    for _ in range(draw.choice((1, 1, 2))):
        at = draw.randrange(len(lines))
        lines[at] = changed_json(lines[at], draw)
    return b"\n".join(lines) + draw.choice((b"\n", b"\n", b""))


def changed_toml(content: bytes, draw: Random) -> bytes:
    """A TOML file with other values in it, and now and then with other bytes."""
    if draw.random() < 0.25:
        return changed_bytes(content, draw)
    for _ in range(10):
        try:
            return tomli_w.dumps(changed_value(tomllib.loads(content.decode()), draw)).encode()
        # What TOML cannot hold: null, half a character, a file that is no table.
        except (TypeError, ValueError, AttributeError):
            continue
    return changed_bytes(content, draw)


def changed_weights(content: bytes, draw: Random) -> bytes:
    """A safetensors file: its header's values changed, or its bytes, mostly the first ones."""
    size = int.from_bytes(content[:8], "little")
    if draw.random() < 0.5:
        header = changed_json(content[8 : 8 + size], draw)
        told = len(header) if draw.random() < 0.9 else draw.choice((0, 1, 2**40, 2**63))
        return told.to_bytes(8, "little") + header + content[8 + size :]
    if draw.random() < 0.5:
        return changed_bytes(content[: 8 + size], draw) + content[8 + size :]
    return changed_bytes(content, draw)


Change = Callable[[bytes, Random], bytes]

BY_ENDING: dict[str, Change] = {
    ".json": changed_json,
    ".jsonl": changed_json_lines,
    ".toml": changed_toml,
    ".safetensors": changed_weights,
}


def changed_file(name: str, content: bytes, draw: Random) -> bytes:
    """A file changed as its ending asks for."""
    ending = name[name.rfind(".") :] if "." in name else ""
    return BY_ENDING.get(ending, changed_bytes)(content, draw)

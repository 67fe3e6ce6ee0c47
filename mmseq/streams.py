"""What a stream can write, and JSON for it."""

from __future__ import annotations

import codecs
import json
import sys
from typing import Any, TextIO


def all_characters(stream: TextIO) -> bool:
    """Whether its encoding has every character."""
    try:
        return codecs.lookup(stream.encoding or "ascii").name.startswith("utf")
    except LookupError:
        return False


def json_line(value: Any) -> str:
    """`value` as JSON on one line, for standard output: what its encoding may lack is escaped, and
    read back the same.
    """
    return json.dumps(value, ensure_ascii=not all_characters(sys.stdout))

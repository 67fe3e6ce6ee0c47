"""Lines of column files that name a sentence's picture: ``IMGID:17_06_1``."""

from __future__ import annotations

import re

from mmseq.data.tags import is_tag

_UNSEEN = "\\s\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_LINE = re.compile(rf"[{_UNSEEN}]*imgid[{_UNSEEN}]*[:=\uff1a][ \t]*(.*?)[ \t]*", re.IGNORECASE)


def picture_of(line: str) -> str | None:
    """The name in a line that names a picture, empty where it is left out; None for other lines.

    In capitals or not, with blanks around it or not. A tag behind the name, as files have that give
    every line one, is dropped; with a tag, only ``IMGID:`` in capitals is no word. What cannot be
    seen at the ends of the name is left to whoever counts it.
    """
    found = _LINE.fullmatch(line)
    if found is None:
        return None
    name, _, rest = found[1].rpartition("\t")
    tagged = bool(name) and is_tag(rest.strip())
    if tagged and not line.startswith("IMGID:"):
        return None
    return name.strip() if tagged else found[1]

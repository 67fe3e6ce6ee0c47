"""All components by kind and name."""

from __future__ import annotations

from mmseq.errors import UserError, unknown
from mmseq.registry.entries import Entry
from mmseq.registry.kinds import KINDS


class Registry:
    """All components by kind and name. Two providers of one name: an error that names both."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, str], list[Entry]] = {}
        self.plugins: dict[str, str] = {}
        """Those that are loaded, name -> title"""

    def add(self, entry: Entry) -> None:
        self._entries.setdefault((entry.kind, entry.name), []).append(entry)

    def names(self, kind: str) -> list[str]:
        return sorted(name for k, name in self._entries if k == kind)

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Every entry, of one kind or of all; where two clash, both."""
        found = [e for group in self._entries.values() for e in group if kind in (None, e.kind)]
        return sorted(found, key=lambda e: (list(KINDS).index(e.kind), e.name))

    def clashes(self) -> list[str]:
        """One line for each name with more than one provider."""
        return [_clash(group) for group in self._entries.values() if len(group) > 1]

    def get(self, kind: str, name: str) -> Entry:
        """The entry of that kind and name; `UserError` if unknown or provided twice."""
        group = self._entries.get((kind, name))
        if group is None:
            error = unknown(KINDS[kind], name, self.names(kind))
            if title := self.plugins.get(name):
                what = KINDS[kind]
                raise UserError(f"{error} The {title} is installed, but registers no such {what}.")
            raise error
        if len(group) > 1:
            raise UserError(_clash(group))
        return group[0]


def _clash(group: list[Entry]) -> str:
    providers = " and ".join(f"{e.provider} ({e.target})" for e in group)
    remedy = "uninstall one, or choose with MMSEQ_LOAD_PLUGINS"
    if any(entry.distribution == "mmseq" for entry in group):
        remedy = "rename the plugin's, which is a name of mmseq's own, or uninstall it"
    return f"{group[0].title} is provided by both {providers}; {remedy}."

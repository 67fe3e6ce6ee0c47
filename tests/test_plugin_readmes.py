"""The tables of options in the plugins' READMEs are those of the components."""

import json
import re
from pathlib import Path

import pytest

from mmseq.registry.kinds import KINDS
from mmseq.registry.plugins import registry

READMES = sorted((Path(__file__).parents[1] / "plugins").glob("*/README.md"))
KIND_OF = {title.replace("aux ", "auxiliary "): kind for kind, title in KINDS.items()}
HEADING = re.compile(rf"## ({'|'.join(KIND_OF)}) `([^`]+)`", re.IGNORECASE)


def tables():
    """(kind, name, {option: default as printed}) of every section on one component."""
    for readme in READMES:
        for section in readme.read_text(encoding="utf-8").split("\n## "):
            heading = HEADING.match("## " + section)
            _, found, table = section.partition("| option | default |")
            if heading and found:
                rows = [line.split("|")[1:3] for line in table.splitlines() if line[:3] == "| `"]
                printed = {}
                for names, defaults in rows:
                    values = re.sub("[` ]", "", defaults).split(",")
                    options = re.findall(r"`(\w+)`", names)
                    printed |= dict(zip(options, values, strict=True))
                yield KIND_OF[heading[1].lower()], heading[2], printed


TABLES = list(tables())


def test_the_tables_are_found():
    names = {name for _, name, _ in TABLES}
    assert {"cross-transformer", "boundary", "contrastive", "cluster"} <= names


@pytest.mark.parametrize(("kind", "name", "printed"), TABLES, ids=[name for _, name, _ in TABLES])
def test_options_and_defaults_are_as_the_readme_prints_them(kind, name, printed):
    options = registry().get(kind, name).options()
    options.pop("weight", None)
    assert {option: json.loads(value) for option, value in printed.items()} == {
        option.name: option.default for option in options.values()
    }

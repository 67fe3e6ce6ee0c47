"""`pytest --mmseq`: a test for every component that a distribution registers.

pytest loads this file wherever mmseq is installed: it imports nothing slow until asked.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mmseq.registry.entries import Entry

OWN = "own"
"""`--mmseq` without a name"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option `--mmseq`."""
    parser.getgroup("mmseq").addoption(
        "--mmseq",
        metavar="DISTRIBUTION",
        nargs="?",
        const=OWN,
        help="Also check every mmseq component of this distribution; without a name, of the one "
        "that pyproject.toml in pytest's root folder describes.",
    )


class ComponentItem(pytest.Item):
    """One component under its contract's check."""

    entry: Entry

    def runtest(self) -> None:
        """Raises `mmseq.testing.ContractError`."""
        from mmseq.testing import check

        check(self.entry)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """A broken contract is its message; where mmseq found it says nothing more."""
        from mmseq.errors import UserError
        from mmseq.testing import ContractError

        if isinstance(excinfo.value, ContractError | UserError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """As pytest shows it."""
        return self.path, None, self.name


def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the checks to the tests found."""
    asked = config.getoption("--mmseq")
    if not asked:
        return
    # `--mmseq mmseq-film` may be meant as the option and a folder: pytest takes it for its value.
    if "--mmseq" in config.invocation_params.args and Path(asked).exists():
        raise pytest.UsageError(
            f"--mmseq took '{asked}' for a distribution: put it last, or name yours: "
            "--mmseq=mmseq-NAME."
        )
    items.extend(_items(session, _own_name(config) if asked == OWN else asked))


def _items(session: pytest.Session, distribution: str) -> Iterator[ComponentItem]:
    from mmseq.registry.plugins import list_components, load_plugins

    plugins = load_plugins().plugins
    known = sorted({plugin.distribution for plugin in plugins})
    mine = [plugin for plugin in plugins if plugin.distribution == distribution]
    if not mine:
        raise pytest.UsageError(
            f"--mmseq: no plugin of a distribution '{distribution}' is installed (pip install -e "
            f"its folder); there are {', '.join(known)}."
        )
    for plugin in mine:
        if plugin.error:
            raise pytest.UsageError(f"--mmseq: {plugin.title} cannot be loaded: {plugin.error}.")
    for entry in list_components(distribution=distribution):
        name = f"{entry.kind}-{entry.name}"
        item = ComponentItem.from_parent(session, name=name, nodeid=f"{distribution}::{name}")
        item.entry = entry
        yield item


def _own_name(config: pytest.Config) -> str:
    path = config.rootpath / "pyproject.toml"
    try:
        return str(tomllib.loads(path.read_text(encoding="utf-8"))["project"]["name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise pytest.UsageError(
            f"--mmseq: {path} names no project; give the distribution: --mmseq mmseq-NAME."
        ) from error

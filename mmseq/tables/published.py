"""Published scores and where they stand: a small TOML file, as a plugin or a user writes it.

::

    # The first comment is the description
    [data.films]
    title = "Film reviews"
    test_sha256 = "…"             # of the published test file; without it nothing is compared
    gold = { default = 1351, strict = 1351 }

    [sources.lee2020]
    citation = "Lee (2020), Reviews, Journal 3"
    url = "https://doi.org/…"

    [[figures]]
    system = "bert-crf"           # the published name in a layout or plan
    title = "BERT-CRF"
    data = "films"
    precision = 80.0              # may be absent, like recall
    recall = 82.0
    f1 = 81.0
    source = "lee2020"
    note = "Table 3"
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mmseq.errors import UserError, did_you_mean, unknown
from mmseq.files import read_toml
from mmseq.registry.plugins import registry

Points = Annotated[float, Field(ge=0, le=100)]


class PublishedData(BaseModel):
    """A data set that scores were published on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    title: str
    test_sha256: str = Field("", pattern="^([0-9a-f]{64})?$")
    """Of the test file; empty where it is not known"""
    gold: dict[str, int] = {}
    """Gold entities of the test file by reading"""


class Source(BaseModel):
    """A publication."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    citation: str
    url: str = ""

    @property
    def text(self) -> str:
        return f"{self.citation.rstrip('.')}. {self.url}".rstrip()


class Figure(BaseModel):
    """What one source prints for one system on one data set, in seqeval's default reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    system: str
    title: str = ""
    data: str
    precision: Points | None = None
    recall: Points | None = None
    f1: Points
    source: str
    note: str = ""


class Published(BaseModel):
    """All figures of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    data: dict[str, PublishedData]
    sources: dict[str, Source]
    figures: tuple[Figure, ...]

    def data_of(self, sha256: str) -> str:
        """Name of the data set whose test file this is; empty where none's is."""
        for name, data in self.data.items():
            if data.test_sha256 and data.test_sha256 == sha256:
                return name
        return ""

    def of(self, system: str, data: str) -> tuple[Figure, ...]:
        """Of a system on a data set, in the order of the file, the first one first."""
        return tuple(f for f in self.figures if (f.system, f.data) == (system, data))


def find_published(given: str) -> Path:
    """The file of published figures: a TOML file, or a registered name. `UserError` if neither."""
    names = registry().names("published")
    if given in names:
        return registry().get("published", given).path
    if Path(given).is_file():
        return Path(given)
    hint = did_you_mean(given, names)
    raise UserError(
        f"No published figures '{given}': neither a registered name nor a TOML file.{hint} "
        f"Registered: {', '.join(names) or 'none'}."
    )


def read_published(path: Path) -> Published:
    """The figures in a TOML file; `UserError` naming file and place where something is wrong."""
    try:
        published = Published.model_validate(read_toml(path))
    except ValidationError as error:
        first = error.errors()[0]
        # Figures are counted from 1, as a reader of the file does.
        place = ".".join(str(p + 1 if isinstance(p, int) else p) for p in first["loc"])
        raise UserError(f"{path}: {place}: {first['msg']}.") from error
    for number, figure in enumerate(published.figures, 1):
        for what, name, known in (
            ("data", figure.data, published.data),
            ("source", figure.source, published.sources),
        ):
            if name not in known:
                raise UserError(f"{path}: figures.{number}: {unknown(what, name, known)}")
    return published

"""Features of pictures: computed once for each content, in half precision, kept on disk or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from mmseq.console import Advance, unseen
from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.errors import UserError
from mmseq.pictures.encoding import BATCH, half_rows
from mmseq.pictures.frames import frames_line
from mmseq.pictures.opening import PictureProblem, decode_picture
from mmseq.pictures.reading import THREADS, Read, read_once
from mmseq.pictures.room import ROOM
from mmseq.pictures.store import FeatureStore, Row, StoredFeatures, default_store_root
from mmseq.pictures.table import FeatureTable
from mmseq.processes import from_all, process_count, process_index

__all__ = [
    "BATCH",
    "FeatureStore",
    "FeatureTable",
    "compute_features",
    "default_store_root",
    "half_rows",
]


def compute_features(
    paths: Sequence[Path],
    encoder: ImageEncoder,
    *,
    store: FeatureStore | None = None,
    device: torch.device | str = "cpu",
    advance: Advance = unseen,
    batch_size: int = BATCH,
    shared: bool = False,
) -> FeatureTable:
    """Run the encoder's frozen part once for each content among `paths`.

    Each file is read once: its features are those of the bytes that were hashed, and what it held
    then counts, whatever becomes of it later. Only an encoder without fingerprint, of which nothing
    is kept, opens its pictures again for every batch, and sees what they hold by then.

    What `store` holds is reused; without a store, and where it cannot be read or written (one of
    the table's `warnings` says so), features stay in memory. Both ways they are rounded to half
    precision, and have the same bits whatever else is computed with them (`half_rows`): neither
    the store nor its neighbours change a picture's features. `advance` is called with the number
    of files done. Raises `UserError` where features do not fit half precision.

    `shared`: several processes call this with the same pictures. They share the files out and tell
    each other what they have found; the features come from the store. Where features stay in
    memory, each process needs them all and computes them itself.
    """
    device = torch.device(device)
    encoder.to(device)
    fingerprint = encoder.fingerprint
    stored, left_out = None, ""
    try:
        stored = store.open(fingerprint) if store and fingerprint is not None else None
    except UserError as error:
        left_out = str(error)
    kept: dict[str, Row] = {}
    keeps = fingerprint is not None
    table = FeatureTable(encoder, stored, kept, keeps=keeps)
    look = _Look(encoder, stored, kept, device, batch_size, left_out, keeps=keeps)
    unique = list(dict.fromkeys(paths))
    # Of all processes alike, whether or not this one can read the store.
    sharing = shared and process_count() > 1 and (store is not None or not keeps)
    own = unique[process_index() :: process_count()] if sharing else unique
    found = look.at(own, advance)
    if sharing:
        found = _joined(len(unique), from_all(found))
        advance(len(unique) - len(own))
    table.contents = dict(zip(unique, found.contents, strict=True))
    if sharing and keeps:
        look.refresh()
        # Of a store on another disk, or left out, what the other processes have computed is not
        # there.
        usable = {sha: path for path, sha in table.contents.items() if path not in found.unread}
        missing = [p for s, p in usable.items() if s not in found.broken and not look.has(s)]
        late = look.at(missing, unseen)
        table.contents.update(zip(missing, late.contents, strict=True))
        found.add(late)
    _conclude(table, found)
    own_damage = stored.damaged if stored else 0
    damaged = sum(from_all(own_damage)) if sharing else own_damage
    if stored and damaged:
        table.notes.append(
            f"{damaged} stored picture features in {stored.folder} do not match their "
            "checksums and are computed again."
        )
    reasons = from_all(look.left_out) if sharing else [look.left_out]
    if reason := next(filter(None, reasons), ""):
        table.warnings.append(f"{reason} Until then features stay in memory.")
    return table


@dataclass
class _Found:
    """What reading some files has shown."""

    contents: list[str] = field(default_factory=list)
    """Of each file its hash, or the kind of problem where it could not be read"""
    unread: dict[Path, PictureProblem] = field(default_factory=dict)
    broken: dict[str, PictureProblem] = field(default_factory=dict)
    """Contents that are not a picture, by hash"""
    new: set[str] = field(default_factory=set)
    """Hashes of pictures that were decoded"""
    frames: dict[Path, int] = field(default_factory=dict)
    """Files with pages or frames behind the first, and how many"""

    def note(self, read: Read[Tensor]) -> None:
        """One more file."""
        made = read.made
        if read.frames:
            self.frames[read.path] = read.frames
        if read.sha256 is not None:
            self.contents.append(read.sha256)
            if isinstance(made, PictureProblem):
                self.broken[read.sha256] = made
            elif made is not None:
                self.new.add(read.sha256)
        elif isinstance(made, PictureProblem):
            self.contents.append(made.kind)
            self.unread[read.path] = made

    def add(self, other: _Found) -> None:
        """What was found in other files; `contents` are left out."""
        self.unread |= other.unread
        self.broken |= other.broken
        self.new |= other.new
        self.frames |= other.frames


@dataclass
class _Look:
    """Reads files, and lets the encoder look at contents that it has not seen."""

    encoder: ImageEncoder
    stored: StoredFeatures | None
    kept: dict[str, Row]
    """Rows by hash, where nothing is stored"""
    device: torch.device
    batch_size: int
    left_out: str = ""
    """Why the store cannot be used any more"""
    _: KW_ONLY
    keeps: bool
    """Else the encoder has no frozen part, and pictures are only tried"""

    def has(self, sha: str) -> bool:
        """The features of this content are there."""
        return sha in self.kept or (self.stored is not None and sha in self.stored)

    def refresh(self) -> None:
        """Take in what other processes have stored."""
        try:
            if self.stored:
                self.stored.refresh()
        except UserError as error:
            self.left_out = str(error)

    def at(self, paths: Sequence[Path], advance: Advance) -> _Found:
        """Each file once, in order."""
        found, seen = _Found(), set[str]()
        batch: dict[str, Tensor] = {}

        def wanted(sha: str) -> bool:
            if sha in seen:
                return False
            seen.add(sha)
            return not self.has(sha)

        done = 0
        for read in read_once(paths, wanted, self._pixels, self.batch_size + THREADS):
            found.note(read)
            if self.keeps and read.sha256 and isinstance(read.made, Tensor):
                batch[read.sha256] = read.made
                if len(batch) == self.batch_size:
                    self._encode(batch)
            done += 1
            if done == self.batch_size:
                advance(done)
                done = 0
        if batch:
            self._encode(batch)
        if done:
            advance(done)
        return found

    def _pixels(self, data: bytes, path: Path) -> Tensor:
        # The picture lives until it is transformed.
        with ROOM.kept():
            image = decode_picture(data, path)
            return self.encoder.transform(image) if self.keeps else torch.empty(0)

    def _encode(self, batch: dict[str, Tensor]) -> None:
        rows = half_rows(self.encoder, batch, self.device, self.batch_size)
        batch.clear()
        if self.stored and not self.left_out:
            try:
                self.stored.append(rows)
            except UserError as error:
                self.left_out = str(error)
        if not self.stored or self.left_out:
            self.kept.update(rows)


def _joined(files: int, shares: Sequence[_Found]) -> _Found:
    """What the processes have found together, each in its share of the files."""
    whole = _Found([""] * files)
    for number, share in enumerate(shares):
        whole.contents[number :: len(shares)] = share.contents
        whole.add(share)
    return whole


def _conclude(table: FeatureTable, found: _Found) -> None:
    """Counts and problems of the table: files that cannot be read come before broken ones."""
    if found.frames:
        table.notes.append(frames_line(found.frames))
    kinds = {problem.kind for problem in found.unread.values()}
    contents = set(table.contents.values()) - kinds
    table.new = len(found.new)
    table.reused = len(contents - found.new - found.broken.keys())
    bad = [p for p, sha in table.contents.items() if sha in kinds or sha in found.broken]
    for path in sorted(bad, key=lambda path: path not in found.unread):
        problem = found.unread.get(path) or found.broken[table.contents[path]]
        table.problems[path] = PictureProblem(path, problem.kind, problem.reason)

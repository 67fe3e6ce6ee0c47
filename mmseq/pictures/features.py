"""Features of pictures: computed once for each content, in half precision, kept on disk or not."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from mmseq.contracts.image_encoder import ImageEncoder
from mmseq.errors import UserError
from mmseq.pictures.opening import PictureProblem, open_picture, quiet_pillow, read_picture
from mmseq.pictures.store import FeatureStore, Row, StoredFeatures, default_store_root
from mmseq.processes import from_all, process_count, process_index

__all__ = ["FeatureStore", "FeatureTable", "compute_features", "default_store_root", "half_rows"]

THREADS = 4
"""Pictures decoded at a time, while the encoder works on the batch before"""
T = TypeVar("T")
R = TypeVar("R")
BATCH = 16
"""Pictures that the encoder takes at a time"""
LARGEST = float(np.finfo(np.float16).max)


class FeatureTable:
    """Pictures by path with what the image encoder's `precompute` gives for them.

    `new`, `reused`: pictures (by content) computed now and found in the store. `problems`: what
    cannot be used. `notes`: lines for the user.
    """

    def __init__(
        self, encoder: ImageEncoder, stored: StoredFeatures | None, *, keeps: bool = True
    ) -> None:
        self.new = 0
        self.reused = 0
        self.problems: dict[Path, PictureProblem] = {}
        self.notes: list[str] = []
        self._encoder = encoder
        self._stored = stored
        self._keeps = keeps
        self._shas: dict[Path, str] = {}
        self._kept: dict[str, Row] = {}

    def has(self, path: Path) -> bool:
        """Whether the picture can be used."""
        return path in self._shas

    def rows(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        """Name -> (len(paths), …) float32 on the CPU; {} without paths.

        Of an encoder without fingerprint, nothing is kept: the pictures are opened again, and what
        `precompute` gives is left on its device. Raises `KeyError` for a path without features and
        `PictureProblem` for a file that has changed meanwhile.
        """
        for path in paths:
            if path not in self._shas:
                raise KeyError(f"no features of {path}")
        if not paths:
            return {}
        if not self._keeps:
            return self._opened(paths)
        rows = [self._row(self._shas[path]) for path in paths]
        return {
            name: torch.from_numpy(np.stack([row[name] for row in rows])).float()
            for name in rows[0]
        }

    def _row(self, sha: str) -> Row:
        row = self._kept.get(sha) or (self._stored and self._stored.read(sha))
        if not row:
            raise UserError(
                f"The stored features in {self._stored and self._stored.folder} have been damaged "
                "or deleted while in use. Start again: what is missing will be computed."
            )
        return row

    def _opened(self, paths: Sequence[Path]) -> dict[str, Tensor]:
        pixels = torch.stack([self._encoder.transform(open_picture(path)) for path in paths])
        with torch.no_grad():
            return self._encoder.precompute(pixels.to(_device_of(self._encoder)))


def compute_features(
    paths: Sequence[Path],
    encoder: ImageEncoder,
    *,
    store: FeatureStore | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    batch_size: int = BATCH,
    shared: bool = False,
) -> FeatureTable:
    """Run the encoder's frozen part once for each content among `paths`.

    What `store` holds is reused; without a store features stay in memory. Both ways they are
    rounded to half precision, and every batch has `batch_size` pictures (the last is padded with
    zeros), so that neither the store nor its neighbours change a picture's features. `progress`
    gets (done, all) over the pictures to compute. Raises `UserError` where features do not fit half
    precision or the store cannot be written.

    `shared`: several processes call this with the same pictures, and share the work out over the
    store.
    """
    encoder.to(device)
    fingerprint = encoder.fingerprint
    if fingerprint is None:
        table = FeatureTable(encoder, None, keeps=False)
        _try_all(paths, table, progress)
        return table
    stored = store.open(fingerprint) if store else None
    table = FeatureTable(encoder, stored)
    by_content = _hash_all(paths, table)
    missing = [(sha, same) for sha, same in by_content.items() if not (stored and sha in stored)]
    table.reused = len(by_content) - len(missing)
    if stored and stored.damaged:
        table.notes.append(
            f"{stored.damaged} stored picture features in {stored.folder} do not match their "
            "checksums and are computed again."
        )
    device = torch.device(device)
    if stored and shared and process_count() > 1:
        # By content, since each may have looked when the others had written some already.
        own = [(sha, s) for sha, s in missing if int(sha, 16) % process_count() == process_index()]
        _compute(own, table, encoder, stored, device, progress, batch_size)
        table.new = sum(from_all(table.new))
        stored.refresh()
        # What is still not there: of a store on another disk, or no picture.
        missing = [(sha, s) for sha, s in missing if sha not in stored and table.has(s[0])]
        progress = None
    _compute(missing, table, encoder, stored, device, progress, batch_size)
    return table


def _hash_all(paths: Sequence[Path], table: FeatureTable) -> dict[str, list[Path]]:
    """Paths by the content of their file; problems and hashes go into the table."""
    by_content: dict[str, list[Path]] = {}
    for path in dict.fromkeys(paths):
        try:
            sha = hashlib.sha256(read_picture(path)).hexdigest()
        except PictureProblem as problem:
            table.problems[path] = problem
            continue
        table._shas[path] = sha
        by_content.setdefault(sha, []).append(path)
    return by_content


def _compute(
    missing: Sequence[tuple[str, list[Path]]],
    table: FeatureTable,
    encoder: ImageEncoder,
    stored: StoredFeatures | None,
    device: torch.device,
    progress: Callable[[int, int], None] | None,
    batch_size: int,
) -> None:
    batch: dict[str, Tensor] = {}
    done = 0

    def flush() -> None:
        nonlocal done
        rows = half_rows(encoder, batch, device, batch_size)
        if stored:
            stored.append(rows)
        else:
            table._kept.update(rows)
        table.new += len(batch)
        done += len(batch)
        batch.clear()
        if progress:
            progress(done, len(missing))

    def prepare(item: tuple[str, list[Path]]) -> Tensor | PictureProblem:
        try:
            return encoder.transform(open_picture(item[1][0]))
        except PictureProblem as problem:
            return problem

    for (sha, same), pixels in zip(missing, _ahead(prepare, missing, batch_size), strict=True):
        if isinstance(pixels, PictureProblem):
            for path in same:
                table.problems[path] = PictureProblem(path, pixels.kind, pixels.reason)
                del table._shas[path]
            done += 1
            if progress:
                progress(done, len(missing))
            continue
        batch[sha] = pixels
        if len(batch) == batch_size:
            flush()
    if batch:
        flush()


def half_rows(
    encoder: ImageEncoder,
    batch: Mapping[str, Tensor],
    device: torch.device,
    batch_size: int = BATCH,
) -> dict[str, Row]:
    """What `precompute` gives for each of up to `batch_size` pictures, in half precision.

    `batch`: name of a picture -> its pixels as the encoder's `transform` gives them. `UserError`
    where features do not fit half precision.
    """
    pixels = torch.stack(list(batch.values()))
    padded = pixels.new_zeros((batch_size, *pixels.shape[1:]))
    padded[: len(batch)] = pixels
    was_training = encoder.training
    encoder.eval()
    with torch.no_grad():
        found = encoder.precompute(padded.to(device))
    encoder.train(was_training)
    arrays = {}
    for name, tensor in found.items():
        used = tensor[: len(batch)].float()
        if not bool((used.abs() <= LARGEST).all()):  # NaN fails too
            raise UserError(
                f"Image encoder {type(encoder).__name__} gives values in '{name}' that are not "
                "finite or do not fit half precision, in which features are kept. Train all of "
                "its layers (then nothing is kept), or take another model."
            )
        arrays[name] = used.half().cpu().numpy()
    return {
        sha: {name: array[i].copy() for name, array in arrays.items()}
        for i, sha in enumerate(batch)
    }


def _try_all(
    paths: Sequence[Path], table: FeatureTable, progress: Callable[[int, int], None] | None
) -> None:
    """Decode every picture to know those that cannot be used, keeping nothing."""
    unique = list(dict.fromkeys(paths))

    def attempt(path: Path) -> PictureProblem | None:
        try:
            open_picture(path)
        except PictureProblem as problem:
            return problem
        return None

    for done, (path, problem) in enumerate(
        zip(unique, _ahead(attempt, unique, THREADS), strict=True), 1
    ):
        if problem:
            table.problems[path] = problem
        else:
            table._shas[path] = ""
            table.new += 1
        if progress:
            progress(done, len(unique))


def _ahead(work: Callable[[T], R], items: Sequence[T], ahead: int) -> Iterator[R]:
    """Results in order, worked out by threads that run at most `ahead` items and a few ahead.

    Torch computes on one core in each of them: a picture is small, and every thread would else
    bring threads of its own, which hold up the encoder's.
    """
    torch_threads = torch.get_num_threads()
    alone = ThreadPoolExecutor(THREADS, initializer=torch.set_num_threads, initargs=(1,))
    try:
        with quiet_pillow(), alone as pool:
            running: deque[Future[R]] = deque()
            for item in items:
                running.append(pool.submit(work, item))
                if len(running) > ahead + THREADS:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
    finally:
        # This thread has kept its own; threads that start later get what was set last.
        torch.set_num_threads(torch_threads)


def _device_of(encoder: ImageEncoder) -> torch.device:
    return next((weight.device for weight in encoder.parameters()), torch.device("cpu"))

"""Several processes that begin the same stores at the same moment."""

import numpy as np
import pytest
import warm

from mmseq.data.splits import load_file
from mmseq.data.store import ExampleStore, StoredExamples
from mmseq.pictures.store import FeatureStore

PROCESSES, ROUNDS, ROWS = 3, 20, 8


def rows():
    return {f"sha{i}": {"map": np.full(6, i, np.float16)} for i in range(ROWS)}


def _make(root, barrier, queue):
    for number in range(ROUNDS):
        folder = root / str(number)
        barrier.wait(60)
        try:
            store = ExampleStore(folder / "sentences", least=0)
            kept = load_file(folder / "train.txt", store=store).examples
            opened = FeatureStore(folder / "features").open("f")
            opened.append(rows())
            found = [float(opened.read(name)["map"][0]) for name in rows()]
            whole = isinstance(kept, StoredExamples) and len(list(kept)) == 30
            queue.put("" if whole and found == list(range(ROWS)) else f"{number}: not whole")
        except Exception as error:
            queue.put(f"{number}: {error!r}")


@pytest.mark.process
def test_all_find_them_whole_and_nothing_is_left_beside(tmp_path):
    for number in range(ROUNDS):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "train.txt").write_text("Anna\tB-PER\nran\tO\n\n" * 30)
    barrier, queue = warm.CONTEXT.Barrier(PROCESSES), warm.CONTEXT.Queue()
    processes = [
        warm.CONTEXT.Process(target=_make, args=(tmp_path, barrier, queue))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    told = [queue.get(timeout=120) for _ in range(PROCESSES * ROUNDS)]
    for process in processes:
        process.join(60)
    assert [line for line in told if line] == []
    for number in range(ROUNDS):
        assert len(list((tmp_path / str(number) / "sentences").iterdir())) == 1
        assert (tmp_path / str(number) / "features/f/rows.bin").stat().st_size == ROWS * 12

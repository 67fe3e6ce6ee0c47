import json
import resource
import signal

import numpy as np
import pytest
import warm

import mmseq.files
from mmseq.errors import UserError
from mmseq.pictures.store import FeatureStore, default_store_root


def row(value):
    return {
        "map": np.full((4, 3), value, dtype=np.float16),
        "vector": np.full(5, -value, dtype=np.float16),
    }


def same(found, value):
    return found is not None and all(
        (found[name] == array).all() for name, array in row(value).items()
    )


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store")


def test_rows_come_back_in_another_opening(store):
    store.open("f").append({"a": row(1), "b": row(2)})
    store.open("f").append({"c": row(3)})
    again = store.open("f")
    assert same(again.read("a"), 1)
    assert same(again.read("b"), 2)
    assert same(again.read("c"), 3)
    assert again.read("d") is None
    assert "a" in again
    assert "d" not in again
    assert again.layout == {"map": (4, 3), "vector": (5,)}


def test_a_row_is_half_precision_at_a_fixed_place(store):
    store.open("f").append({"a": row(1), "b": row(2)})
    values = np.fromfile(store.root / "f" / "rows.bin", np.float16)
    assert values.tolist() == [1.0] * 12 + [-1.0] * 5 + [2.0] * 12 + [-2.0] * 5


def test_encoders_do_not_share_rows_and_reading_writes_nothing(store):
    store.open("f").append({"a": row(1)})
    assert store.open("g").read("a") is None
    assert not (store.root / "g").exists()


def test_a_row_that_is_there_is_not_written_again(store):
    store.open("f").append({"a": row(1)})
    size = (store.root / "f" / "rows.bin").stat().st_size
    store.open("f").append({"a": row(1)})
    assert (store.root / "f" / "rows.bin").stat().st_size == size


def test_what_another_has_written_meanwhile_is_seen(store):
    one, other = store.open("f"), store.open("f")
    one.append({"a": row(1)})
    other.append({"b": row(2)})
    one.refresh()
    assert same(one.read("b"), 2)
    assert same(other.read("a"), 1)


def test_a_damaged_byte_is_noticed_and_its_row_replaced(store):
    store.open("f").append({"a": row(1), "b": row(2)})
    path = store.root / "f" / "rows.bin"
    data = bytearray(path.read_bytes())
    data[7] ^= 1
    path.write_bytes(data)
    opened = store.open("f")
    assert opened.read("a") is None
    assert same(opened.read("b"), 2)
    assert opened.damaged == 1
    opened.append({"a": row(1)})
    assert same(opened.read("a"), 1)
    again = store.open("f")
    assert same(again.read("a"), 1)
    assert again.damaged == 0


@pytest.mark.parametrize("cut", [1, 33, 34, 35, 67])
def test_rows_that_are_cut_short_are_dropped(store, cut):
    store.open("f").append({"a": row(1), "b": row(2), "c": row(3)})
    path = store.root / "f" / "rows.bin"
    with path.open("r+b") as file:
        file.truncate(3 * 34 - cut)
    opened = store.open("f")
    assert same(opened.read("a"), 1)
    assert opened.read("c") is None
    opened.append({"b": row(2), "c": row(3)})
    again = store.open("f")
    assert [same(again.read(name), value) for name, value in [("a", 1), ("b", 2), ("c", 3)]] == [
        True
    ] * 3


def test_a_half_written_index_line_is_dropped_and_written_over(store):
    store.open("f").append({"a": row(1), "b": row(2)})
    path = store.root / "f" / "index.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    opened = store.open("f")
    assert same(opened.read("a"), 1)
    assert opened.read("b") is None
    opened.append({"b": row(2)})
    assert same(store.open("f").read("b"), 2)
    assert [json.loads(line)["sha256"] for line in path.read_text().splitlines()] == ["a", "b"]


def test_a_row_without_its_line_is_never_read_and_never_in_the_way(store):
    store.open("f").append({"a": row(1)})
    with (store.root / "f" / "rows.bin").open("ab") as file:
        file.write(b"x" * 50)  # a crash: one row and a half
    store.open("f").append({"b": row(2)})
    again = store.open("f")
    assert same(again.read("a"), 1)
    assert same(again.read("b"), 2)


def test_a_damaged_index_line_loses_only_its_picture(store):
    store.open("f").append({"a": row(1), "b": row(2)})
    path = store.root / "f" / "index.jsonl"
    lines = path.read_text().splitlines()
    path.write_text(lines[0][:9] + "#" + lines[0][10:] + "\n" + lines[1] + "\n")
    again = store.open("f")
    assert again.read("a") is None
    assert same(again.read("b"), 2)


def test_a_line_that_names_another_pictures_row_never_gives_that_row(store):
    store.open("f").append({"a": row(1), "b": row(2)})
    path = store.root / "f" / "index.jsonl"
    path.write_text(path.read_text().replace('"row": 1', '"row": 0'))
    again = store.open("f")
    assert same(again.read("a"), 1)
    assert again.read("b") is None
    again.append({"b": row(2)})
    assert same(store.open("f").read("a"), 1)
    assert same(store.open("f").read("b"), 2)


def test_a_line_that_another_is_writing_is_taken_in_when_it_is_whole(store):
    store.open("f").append({"a": row(1), "b": row(2)})
    path = store.root / "f" / "index.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    opened = store.open("f")
    assert opened.read("b") is None
    path.write_bytes(data)
    opened.refresh()
    assert same(opened.read("b"), 2)


def test_a_hundred_thousand_rows_are_found_again_and_kept_once(store):
    count, step = 100_000, 5000
    values = np.random.default_rng(0).standard_normal((count, 4)).astype(np.float16)
    names = [f"{number:064x}" for number in range(count)]
    writing = store.open("f")
    for start in range(0, count, step):
        # Each part repeats a hundred rows of the one before, with values that must not be taken.
        again = {name: {"map": np.zeros(4, np.float16)} for name in names[:start][-100:]}
        part = range(start, start + step)
        writing.append(again | {names[i]: {"map": values[i]} for i in part})
    assert (store.root / "f" / "rows.bin").stat().st_size == count * 4 * 2
    assert (store.root / "f" / "index.jsonl").read_bytes().count(b"\n") == count
    opened = store.open("f")
    order = np.random.default_rng(1).permutation(count)
    assert (np.stack([opened.read(names[i])["map"] for i in order]) == values[order]).all()
    assert opened.read(f"{count:064x}") is None
    assert opened.damaged == 0


def test_rows_of_another_layout_are_an_error(store):
    store.open("f").append({"a": row(1)})
    with pytest.raises(UserError, match="delete"):
        store.open("f").append({"b": {"map": np.zeros(3, np.float16)}})


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="store off"):
        FeatureStore(tmp_path / "file").open("f").append({"a": row(1)})


def _fill(root, start, stop):
    opened = FeatureStore(root).open("f")
    for number in range(start, stop, 5):
        opened.append({f"sha{i}": row(i) for i in range(number, number + 5)})


def _fill_without_fcntl(root, start, stop):
    mmseq.files.fcntl = None
    _fill(root, start, stop)


@pytest.mark.process
@pytest.mark.parametrize("fill", [_fill, _fill_without_fcntl])
def test_two_processes_that_write_overlapping_rows_lose_none_and_double_none(tmp_path, fill):
    processes = [
        warm.CONTEXT.Process(target=fill, args=(tmp_path, start, start + 200)) for start in (0, 100)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    opened = FeatureStore(tmp_path).open("f")
    assert all(same(opened.read(f"sha{i}"), i) for i in range(300))
    assert len((tmp_path / "f" / "index.jsonl").read_text().splitlines()) == 300
    assert (tmp_path / "f" / "rows.bin").stat().st_size == 300 * 34


def _fill_a_full_disk(root, queue):
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    opened = FeatureStore(root).open("f")
    try:
        opened.append({f"sha{i}": row(i) for i in range(50)})
    except UserError as error:
        queue.put(str(error))
    else:
        queue.put("no error")


@pytest.mark.process
def test_what_a_full_disk_cuts_short_is_an_error_and_does_no_harm(tmp_path):
    store = FeatureStore(tmp_path)
    store.open("f").append({"a": row(1)})
    queue = warm.CONTEXT.Queue()
    process = warm.CONTEXT.Process(target=_fill_a_full_disk, args=(tmp_path, queue))
    process.start()
    assert "Cannot write stored picture features" in queue.get(timeout=60)
    process.join()
    opened = store.open("f")
    assert same(opened.read("a"), 1)
    assert opened.read("sha0") is None
    opened.append({"sha0": row(0)})
    assert same(store.open("f").read("sha0"), 0)


def test_the_default_place_is_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path))
    assert default_store_root() == tmp_path / "features"
    assert FeatureStore().root == tmp_path / "features"

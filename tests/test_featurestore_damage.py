"""Nothing in a feature store's files is believed before it is checked."""

import json
import os
import shutil
import tracemalloc
import zlib

import numpy as np
import pytest

from mmseq.errors import UserError
from mmseq.pictures.store import FeatureStore

ROW_BYTES = 34


def row(value):
    return {
        "map": np.full((4, 3), value, dtype=np.float16),
        "vector": np.full(5, -value, dtype=np.float16),
    }


def value_of(found):
    """The value that a row was filled with; None where there is none."""
    return None if found is None else float(found["map"][0, 0])


@pytest.fixture
def store(tmp_path):
    store = FeatureStore(tmp_path / "store")
    store.open("f").append({"a": row(1), "b": row(2)})
    return store


def index(store):
    return store.root / "f" / "index.jsonl"


def read_again(store):
    """What a and b are found to be when their rows are computed again where they are missing."""
    opened = store.open("f")
    missing = {name: row(v) for name, v in (("a", 1), ("b", 2)) if opened.read(name) is None}
    opened.append(missing)
    again = store.open("f")
    assert (value_of(again.read("a")), value_of(again.read("b"))) == (1, 2)
    return len(missing)


def test_rows_whose_names_are_exchanged_are_not_given(store):
    lines = [json.loads(line) for line in index(store).read_text().splitlines()]
    lines[0]["sha256"], lines[1]["sha256"] = lines[1]["sha256"], lines[0]["sha256"]
    index(store).write_text("".join(json.dumps(line) + "\n" for line in lines))
    opened = store.open("f")
    assert opened.read("a") is None
    assert opened.read("b") is None
    assert opened.damaged == 2
    assert read_again(store) == 2


def test_a_row_under_another_name_is_not_given(store):
    index(store).write_text(index(store).read_text().replace('"b"', '"c"'))
    assert store.open("f").read("c") is None
    assert read_again(store) == 1


def test_every_changed_character_of_the_index_gives_the_right_row_or_none(store):
    right = index(store).read_bytes()
    for place in range(len(right)):
        for change in (1, 0x80):
            index(store).write_bytes(
                right[:place] + bytes([right[place] ^ change]) + right[place + 1 :]
            )
            opened = store.open("f")
            assert value_of(opened.read("a")) in (1, None), place
            assert value_of(opened.read("b")) in (2, None), place


NO_NUMBERS = ["1e308", "Infinity", "-Infinity", "NaN", "-1", '"0"', "true", "null", "0.0", "[0]"]


@pytest.mark.parametrize("number", [*NO_NUMBERS, str(2**70), "9" * 300, "7" * 5000, "1000000000"])
@pytest.mark.parametrize("key", ["row", "sum"])
def test_numbers_that_are_none_are_passed_over_and_the_file_stays_small(store, key, number):
    line = json.loads(index(store).read_text().splitlines()[0])
    text = json.dumps({"sha256": "c"} | line | {key: "?"}).replace('"?"', number)
    with index(store).open("a") as file:
        file.write(text.replace('"a"', '"c"') + "\n")
    opened = store.open("f")
    assert opened.read("c") is None
    assert read_again(store) == 0
    opened.append({"c": row(3)})
    assert value_of(store.open("f").read("c")) == 3
    # A number of a thousand million made a sparse file of 125 GB of real maps.
    assert (store.root / "f" / "rows.bin").stat().st_size == 3 * ROW_BYTES


NO_LINES = {
    "a list": b"[]\n",
    "a number": b"7\n",
    "nothing": b"null\n\n\n",
    "no object": b'{"sha256": ["a"], "row": 0, "sum": 0}\n{"sha256": "a"}\n',
    "no name": b'{"sha256": null, "row": 0, "sum": 0}\n',
    "no UTF-8": b'{"sha256": "\xff\xfe", "row": 0, "sum": 0}\n',
    "half a character": b'{"sha256": "\\ud800", "row": 0, "sum": 0}\n',
    "brackets": b"]\n" + b"[" * 100_000 + b"\n" + b'{"a":' * 100 + b"\n",
    "half a line": b'{"sha256": "a", "row"',
    "a long line": b"x" * 700_000 + b"\n" + b"y" * 700_000,
}


@pytest.mark.parametrize("line", NO_LINES.values(), ids=NO_LINES)
def test_lines_that_are_none_are_passed_over(store, line):
    right = index(store).read_bytes()
    index(store).write_bytes(line + right if line.endswith(b"\n") else right + line)
    assert read_again(store) == 0
    store.open("f").append({"c": row(3)})
    assert value_of(store.open("f").read("c")) == 3


def test_an_index_takes_no_more_memory_than_the_disk(store):
    with index(store).open("ab") as file:
        file.write(b"x" * 20_000_000 + b"\n" + b"[" * 20_000_000)
    tracemalloc.start()
    try:
        opened = store.open("f")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert value_of(opened.read("b")) == 2
    assert peak < 2_000_000


DAMAGED = {
    "empty": b"",
    "half": b"{",
    "a list": b"[]",
    "null": b"null",
    "no UTF-8": b"\xff\xfe\x00\x01",
    "deep": b"[" * 60_000,
    "endless": b" " * (1 << 20),
    "no shapes": b'{"format": 1, "dtype": "float16", "shapes": {}}',
    "true": b'{"format": true, "dtype": "float16", "shapes": {"map": [4, 3]}}',
    "another type": b'{"format": 1, "dtype": "float64", "shapes": {"map": [4, 3]}}',
    **{
        f"a side {side[:12]}": (
            b'{"format": 1, "dtype": "float16", "shapes": {"map": [%b, 3], "vector": [5]}}'
            % side.encode()
        )
        for side in [*NO_NUMBERS, "0", str(2**70), "7" * 5000]
    },
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_description_is_written_anew_and_the_rows_are_used(store, text):
    (store.root / "f" / "meta.json").write_bytes(text)
    opened = store.open("f")
    assert opened.read("a") is None
    opened.append({"a": row(1)})
    assert value_of(opened.read("b")) == 2
    assert store.open("f").layout == {"map": (4, 3), "vector": (5,)}
    assert (store.root / "f" / "rows.bin").stat().st_size == 2 * ROW_BYTES


def test_shapes_that_do_not_fit_their_checksum_are_not_believed(store):
    """A map of 3 x 4 for one of 4 x 3 has as many bytes."""
    meta = store.root / "f" / "meta.json"
    record = json.loads(meta.read_text())
    record["shapes"]["map"] = [3, 4]
    meta.write_text(json.dumps(record))
    assert store.open("f").read("a") is None
    # Without a checksum they may be of an earlier version; the rows' own do not fit them.
    del record["sum"]
    meta.write_text(json.dumps(record))
    assert store.open("f").read("a") is None


def test_a_store_of_a_later_version_is_left_alone(store):
    text = '{"format": 2, "shapes": 7}'
    (store.root / "f" / "meta.json").write_text(text)
    with pytest.raises(UserError, match="another version"):
        store.open("f")
    assert (store.root / "f" / "meta.json").read_text() == text


def test_rows_of_the_first_versions_are_used(tmp_path):
    """Written by hand, as those versions wrote them."""
    folder = tmp_path / "f"
    folder.mkdir()
    shapes = {"map": [4, 3], "vector": [5]}
    meta = {"format": 1, "dtype": "float16", "shapes": shapes}
    (folder / "meta.json").write_text(json.dumps(meta, indent=1) + "\n")
    blocks = [b"".join(array.tobytes() for array in row(value).values()) for value in (1, 2)]
    (folder / "rows.bin").write_bytes(b"".join(blocks))
    lines = [
        json.dumps({"sha256": name, "row": number, "crc32": zlib.crc32(blocks[number])}) + "\n"
        for number, name in enumerate("ab")
    ]
    (folder / "index.jsonl").write_text("".join(lines))
    store = FeatureStore(tmp_path)
    assert read_again(store) == 0
    store.open("f").append({"c": row(3)})
    assert [value_of(store.open("f").read(name)) for name in "abc"] == [1, 2, 3]
    # A damaged byte is noticed as before.
    (folder / "rows.bin").write_bytes(b"\xff" + (folder / "rows.bin").read_bytes()[1:])
    assert store.open("f").read("a") is None


@pytest.mark.parametrize("name", ["meta.json", "index.jsonl", "rows.bin"])
@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_stands_in_a_files_place_is_told_and_not_waited_for(store, name, make):
    path = store.root / "f" / name
    path.unlink()
    make(path)
    with pytest.raises(UserError, match="Cannot (read|write) stored picture features"):
        store.open("f").append({"c": row(3)})


def test_what_was_known_of_a_deleted_store_is_forgotten(store):
    """Another process may have made it anew since, with other pictures in the same places."""
    opened = store.open("f")
    assert value_of(opened.read("a")) == 1
    shutil.rmtree(store.root)
    store.open("f").append({"z": row(7), "y": row(8), "x": row(9)})
    opened.append({"b": row(2)})
    assert [value_of(opened.read(name)) for name in "abxyz"] == [None, 2, 9, 8, 7]

"""Folders under way: what a kill leaves is swept by the next one, and never what is in use."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from mmseq.drafts import draft_of
from mmseq.durable import put_folder

HOLD = """
import sys, time
from pathlib import Path
from mmseq.drafts import draft_of
with draft_of(Path(sys.argv[1])) as place:
    (place / "half").write_text("half")
    print(place, flush=True)
    time.sleep(60)
"""


@contextmanager
def holding(path):
    """Another process is in the midst of a draft of `path`: the draft. Killed in the end."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_draft_gets_its_name_at_the_end_and_leaves_nothing(tmp_path):
    path = tmp_path / "data"
    with draft_of(path) as place:
        (place / "inner").mkdir()
        (place / "inner" / "a").write_text("a")
        put_folder(place / "inner", path)
        (place / "beside").write_text("not wanted")
    assert os.listdir(tmp_path) == ["data"]
    assert (path / "a").read_text() == "a"


def test_a_draft_that_fails_leaves_nothing(tmp_path):
    def fail():
        with draft_of(tmp_path / "data") as place:
            (place / "a").write_text("a")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == []


def test_the_next_draft_removes_what_a_kill_left_and_nothing_in_use(tmp_path):
    path = tmp_path / "data [1]"
    with holding(path) as in_use:
        with holding(path) as left:
            pass
        assert {left, in_use} == set(tmp_path.iterdir())
        with draft_of(path) as place:
            assert set(tmp_path.iterdir()) == {in_use, place}
        assert (in_use / "half").read_text() == "half"


def test_drafts_of_other_names_are_left_alone(tmp_path):
    with holding(tmp_path / "other") as left:
        pass
    with draft_of(tmp_path / "data"):
        pass
    assert list(tmp_path.iterdir()) == [left]


def test_a_name_as_long_as_names_may_be_has_drafts(tmp_path):
    with draft_of(tmp_path / ("ü" * 127)) as place:
        assert place.is_dir()


def test_many_at_once_do_not_take_each_other_s(tmp_path):
    missing = []

    def draft():
        for _ in range(50):
            with draft_of(tmp_path / "data") as place:
                try:
                    (place / "a").write_text("a")
                except FileNotFoundError:
                    missing.append(place)

    threads = [threading.Thread(target=draft) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert os.listdir(tmp_path) == []

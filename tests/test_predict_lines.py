"""Lines that `mmseq predict` is given: bad ones, and those of a pipe as they come."""

import json
import os
import subprocess
import threading
import time

import pytest
import warm

from mmseq.errors import UserError
from mmseq.tagging import piped
from mmseq.tagging.bad_lines import SHOWN
from mmseq.tagging.chunks import chunks_of
from mmseq.tagging.piped import WAIT, lines_of


def texts(result):
    return [json.loads(line)["text"] for line in result.out.splitlines()]


INPUTS = {
    "jsonl": [
        *('{"text": "one"}', "{oops", '{"tokens": ["two"]}', '{"tokens": [3]}', "", "[1]"),
        *('{"text": "\\ud800"}', '{"text": "three"}'),
    ],
    "text": ["one", b"caf\xe9", "two", b"\xff", "three"],
    "conll": [
        *("one\tO", "", "bad\tO", "line", "here\tO", "", "two\tO", "", "x\tO", b"\xe9\tO", ""),
        *("y\tno tag", "", "three\tO"),
    ],
}
BAD = {"jsonl": (2, 4, 6, 7), "text": (2, 4), "conll": (4, 10, 12)}


def written(path, lines):
    path.write_bytes(
        b"".join((one if isinstance(one, bytes) else one.encode()) + b"\n" for one in lines)
    )
    return path


@pytest.mark.parametrize("form", INPUTS)
def test_bad_lines_are_told_left_out_and_counted(text_run, tmp_path, run_cli, form):
    source = written(tmp_path / "in", INPUTS[form])
    call = ("predict", text_run, "--input", source, "--format", form)
    refused = run_cli(*call)
    assert refused.code == 2
    assert texts(refused) == ["one"]
    assert f"{source}:{BAD[form][0]}: " in refused.err
    done = run_cli(*call, "--skip-bad")
    assert done.code == 0
    assert texts(done) == ["one", "two", "three"]
    *told, last = done.err.splitlines()
    assert [line.split(": ")[0] for line in told] == [f"{source}:{n}" for n in BAD[form]]
    assert all(line.endswith("; left out.") for line in told)
    number, lines = len(BAD[form]), len(INPUTS[form])
    if form == "conll":
        assert last == (
            f"{source}: {number} of {lines} lines bad; the sentences they stand in were left out."
        )
    else:
        assert last == f"{source}: {number} of {lines} lines left out."


@pytest.mark.process
@pytest.mark.parametrize("form", ["jsonl", "text"])
def test_bad_lines_of_standard_input(text_run, tmp_path, form):
    source = written(tmp_path / "in", INPUTS[form])
    command = "import sys; from mmseq.__main__ import main; main(sys.argv[1:])"
    with source.open("rb") as file:
        process = warm.Process(
            "-c", command, "predict", text_run, "--format", form, "--skip-bad",
            stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        with process:
            out, err = process.stdout.read(), process.stderr.read()
            assert process.wait(60) == 0
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["one", "two", "three"]
    number = len(BAD[form])
    assert err.splitlines()[-1] == (
        f"standard input: {number} of {len(INPUTS[form])} lines left out."
    )


def test_of_many_bad_lines_the_first_are_told(text_run, tmp_path, run_cli):
    source = written(tmp_path / "in.jsonl", ["{oops"] * 40 + ['{"text": "one"}'])
    done = run_cli("predict", text_run, "--input", source, "--skip-bad")
    assert (done.code, texts(done)) == (0, ["one"])
    *told, last = done.err.splitlines()
    assert len(told) == SHOWN
    assert last == f"{source}: 40 of 41 lines left out; the first {SHOWN} are named above."


@pytest.mark.parametrize(
    ("name", "lines", "told"),
    [
        ("in.jsonl", ["[", '{"text": "a"},', '{"text": "b"}', "]"], "in.jsonl:1: one array, or"),
        ("in.jsonl", ["{", '"text": "a"', "}"], "in which --skip-bad cannot go on; `mmseq data"),
        ("in.jsonl", [b"PK\x03\x04 archive"], "in.jsonl: is a ZIP archive; unpack it"),
        ("in.txt", ["\ufeffone\tO".encode("utf-16"), b"\0"], "in.txt:1: not UTF-8"),
    ],
)
def test_what_is_wrong_with_a_whole_file_stays_an_error(
    text_run, tmp_path, run_cli, name, lines, told
):
    form = ("--format", "text") if name == "in.txt" else ()
    source = written(tmp_path / name, lines)
    done = run_cli("predict", text_run, "--input", source, "--skip-bad", *form)
    assert done.code == 2
    (line,) = done.err.splitlines()
    assert told in line


def test_a_file_of_another_reader_that_cannot_go_on(text_run, tmp_path, run_cli, monkeypatch):
    def read(reader, path):
        yield from ()
        raise UserError(f"{path}:3: broken.")

    monkeypatch.setattr("mmseq.builtins.conll.ConllReader.read", read)
    source = written(tmp_path / "in.conll", ["a\tO"])
    done = run_cli("predict", text_run, "--input", source, "--skip-bad")
    assert done.code == 2
    assert done.err == f"Error: {source}:3: broken; --skip-bad cannot go on behind it.\n"


def test_bad_lines_belong_to_an_input(text_run, run_cli):
    done = run_cli("predict", text_run, "--text", "a", "--skip-bad")
    assert done.code == 2
    assert "--skip-bad belongs to --input or standard input" in done.err


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    with open(reading, "rb") as reader, open(writing, "wb", buffering=0) as writer:
        yield reader, writer


def test_lines_come_with_a_mark_where_they_have_waited(pipe):
    reader, writer = pipe
    lines = lines_of(reader)
    writer.write(b"a\nb\nhal")
    started = time.monotonic()
    assert [next(lines) for _ in range(3)] == [b"a\n", b"b\n", None]
    assert WAIT * 0.9 < time.monotonic() - started < 0.2
    # Half a line is none. While none waits, there is no mark.
    timer = threading.Timer(3 * WAIT, writer.write, [b"f\nc\n"])
    timer.start()
    assert [next(lines) for _ in range(3)] == [b"half\n", b"c\n", None]
    writer.write(b"end")
    writer.close()
    assert list(lines) == [b"end"]


def test_lines_that_come_steadily_wait_no_longer(pipe):
    """The time that the first one waits counts, not that from one line to the next."""
    reader, writer = pipe
    stop = threading.Event()

    def write():
        while not stop.wait(WAIT / 10):
            writer.write(b"a\n")

    writing = threading.Thread(target=write)
    writing.start()
    lines, started, number = lines_of(reader), None, 0
    try:
        while (line := next(lines)) is not None:
            started = started or time.monotonic()
            number += 1
            assert line == b"a\n"
    finally:
        stop.set()
        writing.join()
    assert number > 2
    assert time.monotonic() - started < 0.2


def test_work_between_lines_is_no_waiting(pipe, monkeypatch):
    """The model worked on those before: what has come since gets its own time."""
    monkeypatch.setattr(piped, "_WORK", 0.05)
    reader, writer = pipe
    lines = lines_of(reader)
    writer.write(b"a\nb\n")
    assert next(lines) == b"a\n"
    time.sleep(2 * WAIT)
    assert next(lines) == b"b\n"
    threading.Timer(WAIT / 2, writer.write, [b"c\n"]).start()
    assert next(lines) == b"c\n"


def test_a_file_is_read_without_marks(tmp_path):
    path = tmp_path / "in"
    path.write_bytes(b"a\nb")
    with path.open("rb") as file:
        assert list(lines_of(file)) == [b"a\n", b"b"]


def test_chunks_end_at_a_mark_and_before_an_error():
    def given(error=None):
        yield from (1, 2, 3, 4, None, 5, None, None, 6)
        if error:
            raise error

    assert list(chunks_of(given(), 3)) == [[1, 2, 3], [4], None, [5], None, None, [6]]
    chunks, found = chunks_of(given(ValueError("broken")), 4), []
    with pytest.raises(ValueError, match="broken"):
        found.extend(chunks)
    assert found == [[1, 2, 3, 4], None, [5], None, None, [6]]
    assert list(chunks_of([], 3)) == []


@pytest.mark.process
def test_a_line_of_a_pipe_is_answered_before_the_next_one_comes(text_run):
    command = "import sys; from mmseq.__main__ import main; main(sys.argv[1:])"
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with warm.Process("-c", command, "predict", text_run, **streams) as process:
        for text in ("Jordan and friends", "", "so tired"):
            process.stdin.write(f"{text}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text
        process.stdin.close()
        assert process.wait(60) == 0
        assert process.stderr.read() == ""


@pytest.mark.process
def test_a_pipe_is_interrupted_and_closed_at_once(text_run):
    command = "import sys; from mmseq.__main__ import main; main(sys.argv[1:])"
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with warm.Process("-c", command, "predict", text_run, **streams) as process:
        process.stdin.write("Jordan\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(2)
        assert process.wait(10) == 1
        assert process.stderr.read().split() == ["Interrupted."]
    with warm.Process("-c", command, "predict", text_run, **streams) as process:
        process.stdin.write("Jordan\n")
        process.stdin.flush()
        process.stdout.readline()
        # As `head -1` does.
        process.stdout.close()
        process.stdin.write("so tired\n")
        process.stdin.flush()
        assert process.wait(10) == 1
        assert process.stderr.read() == ""


def test_what_may_not_be_read_is_not_said_to_be_kept(text_run, tmp_path, run_cli, monkeypatch):
    source = written(tmp_path / "in.jsonl", ['{"text": "one"}'])
    opened = type(source).open

    def refusing(path, *arguments, **options):
        if path == source:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(type(source), "open", refusing)
    done = run_cli("predict", text_run, "--input", source)
    assert done.code == 2
    assert done.err == f"Error: {source}: cannot be read (Permission denied); check the file.\n"
    done = run_cli("predict", text_run, "--input", source, "--output", tmp_path / "out.jsonl")
    assert done.code == 2
    assert "Permission denied" in done.err
    assert "lost" not in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.jsonl"]

"""`mmseq predict --output`: whatever ends it, what is done stays, and is gone on with."""

import hashlib
import json
import os
import resource
import shutil
import signal
from pathlib import Path

import pytest
import warm

from mmseq.tagging.part import part_of, record_of

WORDS = ["Anna", "was", "seen", "in", "Oslo", "today", "with", "friends", ",", "so", "tired"]
SENTENCES = 27
CHUNK = 4


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr("mmseq.tagging.chunks.CHUNK", CHUNK)


def sentence(number):
    words = [WORDS[(number + i) % len(WORDS)] for i in range(1 + number * 7 % 11)]
    return json.dumps({"id": f"s{number}", "tokens": words, "images": []}) + "\n"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.jsonl"
    path.write_text("".join(map(sentence, range(SENTENCES))))
    return path


@pytest.fixture
def whole(text_run, source, tmp_path, run_cli):
    """What an uninterrupted call writes, by the ending of its name."""

    def made(ending=".jsonl", *options):
        target = tmp_path / f"whole{ending}"
        done = run_cli("predict", text_run, "--input", source, "--output", target, *options)
        assert done.code == 0, done.err
        assert sorted(tmp_path.glob("whole*")) == [target]
        return target.read_bytes()

    return made


KILLED = '''
import os, signal, sys
from mmseq.__main__ import run
from mmseq.tagging import chunks

chunks.CHUNK = 4
kind, place, *arguments = sys.argv[1:]
left, write = int(place), os.write

def killing(file, data):
    """Ends the process when so many bytes are written, in the middle of a write."""
    global left
    if file > 2 and left < len(data):
        write(file, data[:left])
        os.kill(os.getpid(), signal.SIGKILL)
    left -= len(data) if file > 2 else 0
    return write(file, data)

def counting(event, details):
    """Ends it before the so many-th change of a name that has to do with the output."""
    global left
    if event in ("open", "os.rename", "os.remove", "os.truncate") and ".part" in str(details):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

if kind == "bytes":
    os.write = killing
else:
    sys.addaudithook(counting)
sys.exit(run(arguments))
'''


def killed(kind, place, text_run, source, target, *more):
    """Whether `kill -9` came before the end."""
    done = warm.run(
        "-c", KILLED, kind, place, "predict", text_run, "--input", source, "--output", target, *more
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def resumed(run_cli, text_run, source, target):
    """Go on where there is something, as the messages say."""
    flags = ["--resume"] if part_of(target).exists() else []
    done = run_cli("predict", text_run, "--input", source, "--output", target, *flags)
    assert done.code == 0, done.err
    assert not part_of(target).exists()
    assert not record_of(target).exists()
    return target.read_bytes()


@pytest.mark.process
@pytest.mark.parametrize("ending", [".jsonl", ".conll"])
def test_killed_at_any_byte_it_goes_on_to_the_same_bytes(
    text_run, source, whole, tmp_path, run_cli, ending
):
    expected = whole(ending)
    size = len(expected)
    places = [0, 1, size // 3, size - 1, *range(97, size, size // 6)]
    for place in places:
        target = tmp_path / f"out{ending}"
        assert killed("bytes", place, text_run, source, target)
        assert part_of(target).stat().st_size == place
        record = json.loads(record_of(target).read_text())
        done = record["done"]
        assert done["bytes"] <= place
        assert done["sentences"] == done["lines"] == done["read"]
        assert done["sentences"] % CHUNK == 0
        assert done["sha256"] == hashlib.sha256(expected[: done["bytes"]]).hexdigest()
        assert resumed(run_cli, text_run, source, target) == expected
        target.unlink()


@pytest.mark.process
def test_killed_at_any_change_of_a_file_it_goes_on_to_the_same_bytes(
    text_run, source, whole, tmp_path, run_cli
):
    expected, target = whole(), tmp_path / "out.jsonl"
    for place in range(100):
        if not killed("files", place, text_run, source, target):
            break
        if target.exists():
            # Between its last name and the end of its record.
            assert target.read_bytes() == expected
            assert not part_of(target).exists()
            record_of(target).unlink()
        else:
            assert resumed(run_cli, text_run, source, target) == expected
        target.unlink()
    assert place > 10
    assert target.read_bytes() == expected


@pytest.mark.process
def test_killed_again_and_again_it_comes_to_the_end(text_run, source, whole, tmp_path):
    target, flags = tmp_path / "out.jsonl", []
    for _ in range(20):
        if not killed("bytes", 2500, text_run, source, target, *flags):
            break
        flags = ["--resume"]
    assert target.read_bytes() == whole()


@pytest.mark.process
def test_a_full_disk_keeps_what_is_done(text_run, source, whole, tmp_path, run_cli):
    """A limit on the size of a file stands for the disk."""
    expected, target = whole(), tmp_path / "out.jsonl"
    lines = expected.splitlines(keepends=True)
    ends = [sum(map(len, lines[: n + 1])) for n in range(SENTENCES)]
    for room in (ends[5] + 10, ends[9], ends[13] - 1):
        held = sum(end <= room for end in ends)
        program = (
            "import resource, sys; from mmseq.__main__ import run; from mmseq.tagging import "
            f"chunks; chunks.CHUNK = {CHUNK}; resource.setrlimit(resource.RLIMIT_FSIZE, "
            f"({room}, {resource.RLIM_INFINITY})); sys.exit(run(sys.argv[1:]))"
        )
        done = warm.run(
            "-c", program, "predict", text_run, "--input", source, "--output", target
        )  # fmt: skip
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line == (
            f"Error: {target}.part: cannot be written (File too large); make room. {target}.part "
            f"holds {held} sentences: go on with --resume."
        )
        # Half a sentence is not left.
        assert part_of(target).read_bytes() == expected[: ends[held - 1]]
        assert resumed(run_cli, text_run, source, target) == expected
        target.unlink()


@pytest.mark.process
def test_ctrl_c_says_how_many_sentences_are_kept(text_run, source, whole, tmp_path, run_cli):
    target = tmp_path / "out.jsonl"
    program = KILLED.replace("os.kill(os.getpid(), signal.SIGKILL)", "raise KeyboardInterrupt")
    done = warm.run(
        "-c", program, "bytes", 3000, "predict", text_run, "--input", source, "--output", target
    )
    assert done.returncode == 1
    held = len(part_of(target).read_bytes().splitlines())
    assert done.stderr.split("\n")[0] == (
        f"{target}.part holds {held} sentences: go on with --resume."
    )
    assert resumed(run_cli, text_run, source, target) == whole()


@pytest.fixture
def begun(text_run, source, tmp_path):
    """An output of which some is done, its file and its record."""
    target = tmp_path / "out.jsonl"
    assert killed("bytes", 3000, text_run, source, target)
    kept = {path: path.read_bytes() for path in (part_of(target), record_of(target))}
    assert json.loads(kept[record_of(target)])["done"]["lines"] >= CHUNK
    yield target
    # A refusal leaves everything as it is.
    assert {path: path.read_bytes() for path in kept} == kept
    assert not target.exists()


def refused(result, *words):
    assert result.code == 2, result.err
    # Before it may stand that pictures are not used.
    line = result.err.splitlines()[-1]
    assert line.startswith("Error: ")
    for word in words:
        assert word in line


@pytest.mark.process
def test_another_run_input_or_option_is_refused_by_name(text_run, source, begun, tmp_path, run_cli):
    call = ("predict", text_run, "--input", source, "--output", begun)
    anew = f"delete {begun}.part to begin anew"
    refused(run_cli(*call), f"{begun}.part: exists", "--resume", "delete it to begin anew")
    for options, told in (
        (["--min-score", "0.5"], "without --min-score, and now it is with --min-score 0.5"),
        (["--best", "2"], "without --best, and now it is with --best 2"),
        (["--int8"], "without --int8, and now it is with --int8"),
        (["--images", tmp_path], f"and now it is with --images {tmp_path}"),
        (["--fields", "images=photo"], "and now it is with --fields images=photo"),
        (["--splitter", "whitespace"], "and now it is with --splitter whitespace"),
    ):
        refused(run_cli(*call, "--resume", *options), f"{begun}.part was begun", told, anew)
    other = tmp_path / "other.jsonl"
    shutil.copy(source, other)
    refused(
        run_cli("predict", text_run, "--input", other, "--output", begun, "--resume"),
        f"{begun}.part was begun with another input (in.jsonl)", anew,
    )  # fmt: skip
    lines = source.read_text().splitlines(keepends=True)
    source.write_text("".join([sentence(99), *lines[1:]]))
    refused(run_cli(*call, "--resume"), "another input", anew)
    source.write_text("".join(lines[:2]))
    refused(run_cli(*call, "--resume"), "another input", anew)
    source.write_text("".join(lines))
    for name in ("model.safetensors", "labels.json", "config.toml", "assets/splitter.json"):
        run = shutil.copytree(text_run, tmp_path / "run" / name.replace("/", "-"))
        with (run / name).open("rb+") as file:
            if name == "model.safetensors":
                file.seek(-1, os.SEEK_END)
                file.write(b"\x01")
            else:
                file.seek(0, os.SEEK_END)
                file.write(b"\n")
        refused(
            run_cli("predict", run, "--input", source, "--output", begun, "--resume"),
            f"{begun}.part was begun with another run, whose {name.split('/')[0]} is not", anew,
        )  # fmt: skip


@pytest.mark.process
def test_what_has_been_changed_since_is_refused(text_run, source, begun, run_cli):
    call = ("predict", text_run, "--input", source, "--output", begun, "--resume")
    part, record = part_of(begun), record_of(begun)
    before = part.read_bytes(), record.read_bytes()
    for content in (b"", before[0][:20], before[0].replace(b"s0", b"t0")):
        part.write_bytes(content)
        refused(run_cli(*call), f"{part}: has changed since it was written")
    part.write_bytes(before[0])
    for content, told in ((b"", "damaged"), (b'{"run": 3}', "damaged"), (None, "missing")):
        record.unlink()
        if content is not None:
            record.write_bytes(content)
        else:
            assert not record.exists()
        refused(run_cli(*call), f"{record}: {told}", f"delete {part} and begin anew")
        record.write_bytes(before[1])


def test_there_must_be_something_to_resume(text_run, source, tmp_path, run_cli):
    target = tmp_path / "out.jsonl"
    call = ("predict", text_run, "--resume")
    refused(
        run_cli(*call, "--input", source, "--output", target),
        f"there is no {target}.part to go on with; leave out --resume",
    )
    refused(run_cli(*call, "--input", source), "--resume belongs to --input and --output")
    refused(run_cli(*call, "--text", "a", "--output", target), "--resume belongs to --input")
    refused(run_cli(*call, "--input", "-", "--output", target), "cannot be gone back to")
    target.touch()
    refused(run_cli(*call, "--input", source, "--output", target), f"{target}: exists")


def test_a_bad_line_that_was_mended_is_gone_on_with(text_run, source, whole, tmp_path, run_cli):
    expected, target = whole(), tmp_path / "out.jsonl"
    lines = source.read_text().splitlines(keepends=True)
    call = ("predict", text_run, "--input", source, "--output", target)
    source.write_text("".join([*lines[:14], "{oops\n", *lines[15:]]))
    refused(
        run_cli(*call), f"{source}:15: broken JSON", f"{target}.part holds 14 sentences",
        "go on with --resume, or with --resume --skip-bad to leave bad lines out",
    )  # fmt: skip
    assert part_of(target).read_bytes() == b"".join(expected.splitlines(keepends=True)[:14])
    source.write_text("".join(lines))
    done = run_cli(*call, "--resume")
    assert done.code == 0
    assert done.err == (
        f"{source} has changed since {target}.part was begun, behind line 12; the 12 sentences "
        "before stay.\n"
    )
    assert target.read_bytes() == expected


def test_a_bad_line_may_be_left_out_on_resuming(text_run, source, whole, tmp_path, run_cli):
    lines = source.read_text().splitlines(keepends=True)
    lines[2], lines[14], lines[20] = "{oops\n", "[1]\n", '{"tokens": []}\n'
    source.write_text("".join(lines))
    target = tmp_path / "out.jsonl"
    call = ("predict", text_run, "--input", source, "--output", target)
    refused(run_cli(*call), f"{source}:3: broken JSON", f"{target}.part holds 2 sentences")
    done = run_cli(*call, "--resume", "--skip-bad")
    assert done.code == 0, done.err
    assert done.err.splitlines()[-1] == f"{source}: 2 of 27 lines left out."
    assert target.read_bytes() == whole(".jsonl", "--skip-bad")


def test_where_nothing_is_done_nothing_is_left(text_run, source, tmp_path, run_cli):
    source.write_text("{oops\n")
    target = tmp_path / "out.jsonl"
    result = run_cli("predict", text_run, "--input", source, "--output", target)
    refused(result, f"{source}:1: broken JSON")
    assert ".part" not in result.err
    assert sorted(Path(tmp_path).iterdir()) == [source]


def test_of_a_pipe_what_is_done_stays_too(text_run, tmp_path, run_cli):
    target = tmp_path / "out.jsonl"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    if not (child := os.fork()):
        pipe.write_bytes(b"Jordan\nso tired\ncaf\xe9\n")
        os._exit(0)
    call = ("predict", text_run, "--input", pipe, "--format", "text", "--output", target)
    refused(
        run_cli(*call), f"{pipe}:3: not UTF-8", f"{target}.part holds 2 sentences",
        "a pipe cannot be gone back to",
    )  # fmt: skip
    os.waitpid(child, 0)
    assert [json.loads(line)["text"] for line in part_of(target).read_text().splitlines()] == [
        "Jordan",
        "so tired",
    ]
    os.mkfifo(tmp_path / "other")
    refused(run_cli(*call, "--resume"), "made of a pipe")


def test_a_sentence_that_columns_cannot_hold_keeps_those_before(
    text_run, source, tmp_path, run_cli
):
    lines = source.read_text().splitlines(keepends=True)
    lines[6] = json.dumps({"id": "odd", "tokens": ["a\tb"]}) + "\n"
    source.write_text("".join(lines))
    target = tmp_path / "out.conll"
    result = run_cli("predict", text_run, "--input", source, "--output", target)
    refused(result, "sentence 'odd'", "write a .jsonl file", "holds 6 sentences")
    assert part_of(target).read_text().count("\n\n") == 6

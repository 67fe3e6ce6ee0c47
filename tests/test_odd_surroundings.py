"""Odd surroundings: a line for each, or no matter at all; and never a traceback."""

import os
import subprocess
import sys

import pytest

from mmseq.bench.plan import Problems, parse_seeds
from mmseq.config.config import Config, parse_setting
from mmseq.errors import UserError
from mmseq.files import at_home, read_toml, user_cache

MMSEQ = [sys.executable, "-m", "mmseq"]
posix = pytest.mark.skipif(os.name == "nt", reason="closes streams and changes users as POSIX does")


def started(*arguments, **more):
    return subprocess.run(
        [*MMSEQ, *map(str, arguments)], capture_output=True, text=True, timeout=120, **more
    )


@posix
@pytest.mark.parametrize(
    "closing", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"], ids=lambda text: text
)
@pytest.mark.parametrize(("command", "code"), [("list fusion", 0), ("nosuch", 2)])
def test_closed_streams_end_no_command(closing, command, code, tmp_path):
    line = f"'{sys.executable}' -m mmseq {command} {closing}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    if command == "nosuch" and "2>&-" not in closing:
        assert done.stderr == "Error: No such command 'nosuch'. See mmseq --help.\n"
    if "2>&-" in closing:
        assert "Error" not in done.stdout


@posix
def test_what_is_printed_on_closed_streams_lands_in_no_file(tmp_path):
    """The number of a closed stream would be that of the next file that is opened."""
    file = tmp_path / "table.csv"
    code = (
        "import os, sys\n"
        "from mmseq.standard_streams import open_closed\n"
        "open_closed()\n"
        f"file = open({str(file)!r}, 'w')\n"
        "os.write(1, b'of a library'), os.write(2, b'of a library')\n"
        "print('of ours'), print('of ours', file=sys.stderr)\n"
        "file.write('mine')\n"
    )
    command = f"\"$0\" -c '{code.replace(chr(39), chr(34))}' <&- >&- 2>&-"
    done = subprocess.run(["sh", "-c", command, sys.executable], timeout=60, check=False)
    assert done.returncode == 0
    assert file.read_text() == "mine"


LONG = "ü" * 150
"""300 bytes"""


@pytest.mark.parametrize(
    "command",
    [
        ("train", LONG),
        ("train", "--output", LONG),
        ("train", "--config", LONG),
        ("train", "--set", f"data.features={LONG}"),
        ("train", "--set", f"text_encoder.model={LONG}", "--dry-run"),
        ("predict", LONG),
        ("evaluate", LONG),
        ("audit", LONG),
        ("data", "check", LONG),
        ("data", "check", f"{LONG}/{LONG}"),
        ("data", "show", LONG),
        ("data", "split", LONG, "--output", "x"),
        ("bench", LONG),
        ("bench", "--presets", "quick", "--data", LONG, "--dry-run"),
        ("table", LONG),
        ("compare", LONG, LONG),
        ("score", LONG, LONG),
        ("tune", LONG),
        ("sample", LONG),
        ("new-plugin", LONG),
        ("check", LONG),
    ],
    ids=lambda command: " ".join(command).replace(LONG, "LONG"),
)
def test_a_name_that_is_too_long_is_one_line(command, run_cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = run_cli(*command)
    assert told.code == 2
    (line,) = told.err.splitlines()
    assert line.startswith("Error: ")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["a\0b", LONG, f"{LONG}/a"])
def test_a_name_that_no_file_has_is_refused_from_python(name):
    with pytest.raises(UserError):
        at_home(name)


def test_the_longest_name_is_taken(tmp_path):
    assert at_home(tmp_path / ("ü" * 127 + "a")).name == "ü" * 127 + "a"


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ("data", "path"),
        ("data", "image_folder"),
        ("data", "features"),
        ("train", "init"),
        ("text_encoder", "model"),
        ("image_encoder", "weights"),
    ],
)
def test_nul_in_a_config_names_file_and_key(section, key, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(f'[{section}]\n{key} = "a\\u0000b"\n')
    with pytest.raises(UserError) as error:
        Config.from_file(file)
    assert (
        str(error.value)
        == f"{file}: {section}.{key}: 'a\\x00b' holds the character NUL; remove it."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = " + "[" * 3000 + "]" * 3000, "lie more than 50 deep"),
        ("x = " + "[" * 51 + "]" * 51, "lie more than 50 deep"),
        ("a" + ".a" * 5000 + " = 1", "lie more than 50 deep"),
        ("[train]\nepochs = " + "9" * 5000, "a number in it has too many digits"),
    ],
    ids=["lists", "just too deep", "dots", "digits"],
)
def test_toml_that_no_computer_likes_is_one_line(text, said, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(text)
    with pytest.raises(UserError, match=said) as error:
        read_toml(file)
    assert str(error.value).startswith(f"{file}: ")


def test_toml_as_deep_as_may_be_is_read(tmp_path):
    file = tmp_path / "my.toml"
    file.write_text("x = " + "[" * 49 + "]" * 49)
    assert list(read_toml(file)) == ["x"]


@pytest.mark.parametrize(
    "setting",
    ["train.epochs=" + "9" * 5000, "a." * 400 + "b=1", "a.b=" + "[" * 3000 + "]" * 3000],
    ids=["digits", "dots", "lists"],
)
def test_a_setting_that_no_computer_likes_is_one_line(setting):
    with pytest.raises(UserError) as error:
        parse_setting(setting)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("key", ["epochs", "steps", "batch_size", "accumulate", "checkpoint_steps"])
@pytest.mark.parametrize("value", [10**9 + 1, 10**400])
def test_more_of_anything_than_any_run_has_is_refused_at_once(key, value):
    with pytest.raises(UserError, match=f"train.{key}: 10+1?: Input should be less than or equal"):
        Config.from_layers(settings={f"train.{key}": value})


def test_seeds_by_the_thousand_are_taken_at_once():
    problems = Problems()
    assert parse_seeds("0-10000", problems) == tuple(range(10001))
    assert parse_seeds("1," * 5 + "9" * 5000, problems) == (1,)
    assert len(problems.lines) == 2


@posix
def test_a_user_without_a_home_folder_is_told_what_to_name(monkeypatch, tmp_path):
    """As in a container whose user is a number: no variable names one, and no entry has one."""
    import pwd

    def no_entry(number):
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", no_entry)
    for name in ("HOME", "XDG_CACHE_HOME", "MMSEQ_CACHE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UserError, match="no home folder .* MMSEQ_CACHE"):
        user_cache()
    monkeypatch.setenv("MMSEQ_CACHE", str(tmp_path))
    assert user_cache() == tmp_path


def test_the_cache_lies_where_it_was(monkeypatch, tmp_path):
    monkeypatch.delenv("MMSEQ_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert user_cache() == tmp_path / ".cache" / "mmseq"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert user_cache() == tmp_path / "x" / "mmseq"


def damaged_distribution(folder, metadata, entry_points):
    place = folder / "bad-1.0.dist-info"
    place.mkdir()
    for name, content in (("METADATA", metadata), ("entry_points.txt", entry_points)):
        if content is not None:
            (place / name).write_bytes(content)
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}


@pytest.mark.parametrize(
    ("metadata", "entry_points", "said"),
    [
        (b"Name: caf\xe9\nVersion: 1\n", b"[mmseq]\nbad = bad_module\n", "plugin 'bad' of bad ? "),
        (
            b"Name: bad\nVersion: 1\n",
            b"[mmseq]\nb\xe9d = bad_module\n",
            "bad-1.0.dist-info: damaged",
        ),
        (b"", b"[mmseq]\nbad = bad_module\n", "plugin 'bad' of "),
        (None, b"[mmseq]\nbad = bad_module\n", "plugin 'bad' of bad ? "),
        (None, None, ""),
    ],
    ids=["metadata", "entry points", "empty", "missing", "nothing"],
)
def test_a_damaged_distribution_is_one_line_and_ends_no_command(
    metadata, entry_points, said, tmp_path
):
    done = started("list", "fusion", env=damaged_distribution(tmp_path, metadata, entry_points))
    assert done.returncode == 0, done.stderr
    assert "concat" in done.stdout
    lines = [line for line in done.stderr.splitlines() if "bad" in line]
    assert len(lines) == bool(said)
    assert all(line.startswith("mmseq: ") and said in line for line in lines)


@posix
@pytest.mark.parametrize("bytes_", [100, 4000, 20_000, 200_000])
def test_a_disk_that_is_full_anywhere_is_one_line_with_the_file(
    bytes_, tiny_data, tiny_encoder, tmp_path
):
    """A limit on the size of a file refuses a write as a full disk does, by another number."""
    run = tmp_path / "run"
    settings = {
        "data.path": tiny_data,
        "data.features": "off",
        "text_encoder.model": tiny_encoder,
        "train.epochs": 1,
        "train.device": "cpu",
    }
    code = (
        "import resource, sys\n"
        "from mmseq.__main__ import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes_}, {bytes_}))\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run(
        [
            *(sys.executable, "-c", code, "train", "--fusion", "none", "--aux", "none", "--quiet"),
            *(part for key, value in settings.items() for part in ("--set", f"{key}={value}")),
            *("--output", str(run)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.strip()]
    assert line.startswith(f"Error: {run}/")
    assert "larger than files may be here" in line or "File too large" in line
    assert not list(run.rglob("*.part"))

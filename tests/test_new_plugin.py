"""`mmseq new-plugin`: what it writes is whole, tested and its own; what it cannot write it says."""

import csv
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import warm

from mmseq import __version__
from mmseq.config.config import Config
from mmseq.registry.plugins import load_plugins, registry
from mmseq.scaffold.names import PluginName
from mmseq.scaffold.write import version_range

PARTS = (
    *("text-encoder", "image-encoder", "fusion", "aux-task"),
    *("decoder", "weighting", "callback"),
)
"""What a preset can name"""
KINDS = (*PARTS, "reader", "preset", "command")
ALWAYS = {
    *(".github/workflows/test.yml", ".gitignore", "LICENSE", "README.md", "pyproject.toml"),
    "mmseq_my_film/__init__.py",
}
TRAINED = {
    "text-encoder": "mmseq train --text-encoder my-film",
    "image-encoder": "mmseq train --image-encoder my-film",
    "fusion": "mmseq train --fusion my-film",
    "aux-task": "mmseq train --aux my-film",
    "decoder": "mmseq train --decoder my-film",
    "weighting": "mmseq train --weighting my-film",
    "reader": "mmseq train DATA --set data.reader=my-film",
    "callback": "mmseq train --set callbacks.my-film.target=90",
    "preset": "mmseq train --preset my-film",
    "command": "mmseq my-film RUN",
}


@pytest.fixture
def make(tmp_path, monkeypatch, run_cli):
    """`make("fusion")`: the folder of a new plugin my-film of those kinds."""

    def call(*kinds, name="my-film"):
        monkeypatch.chdir(tmp_path)
        done = run_cli("new-plugin", name, "--kind", ",".join(kinds))
        assert (done.code, done.err) == (0, "")
        return tmp_path / f"mmseq-{name}"

    return call


def install(folder, site):
    """Put what pip would install of the folder where this process and its children find it."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    (name, module), *more = project["entry-points"]["mmseq"].items()
    assert not more
    shutil.copytree(folder / module, site.folder / module)
    facts = site.folder / f"{module}-{project['version']}.dist-info"
    facts.mkdir()
    needs = "".join(f"Requires-Dist: {need}\n" for need in project["dependencies"])
    (facts / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n{needs}"
    )
    (facts / "entry_points.txt").write_text(f"[mmseq]\n{name} = {module}\n")
    importlib.invalidate_caches()
    load_plugins.cache_clear()


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def json_lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def ruff(*arguments, cwd):
    return subprocess.run(
        [sys.executable, "-m", "ruff", *arguments, "--no-cache"],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_plugin_of_one_kind_is_written_whole(make, site, run_cli, kind):
    folder = make(kind)
    module = kind.replace("-", "_")
    own = {f"mmseq_my_film/{module}.py", f"tests/test_{module}.py"}
    preset = {"mmseq_my_film/presets/my-film.toml", "tests/test_preset.py"}
    expected = ALWAYS | (set() if kind == "preset" else own)
    if kind in (*PARTS, "preset"):
        expected |= preset
    assert files(folder) == expected

    install(folder, site)
    mine = next(p for p in load_plugins().plugins if p.name == "my-film")
    assert mine.error == ""
    registered = {(e.kind, e.name) for e in mine.components}
    kinds = {module} - {"command"} | ({"preset"} if expected >= preset else set())
    assert registered == {(one, "my-film") for one in kinds}
    for entry in mine.components:
        assert entry.description
    if kind == "command":
        assert run_cli("my-film", "--help").out.startswith("Usage: mmseq my-film [OPTIONS] RUN")
    if kind in PARTS:
        tables = Config.from_preset("my-film").tables()
        section = {"aux-task": "aux", "callback": "callbacks"}.get(kind, module)
        named = [place for place in tables if "my-film" in str(tables[place])]
        assert named == [section]


@pytest.mark.ci
@pytest.mark.parametrize("kinds", [*((kind,) for kind in KINDS), KINDS], ids=",".join)
def test_ruff_finds_nothing_and_no_word_of_the_template_is_left(make, kinds):
    folder = make(*kinds)
    for arguments, cwd in (
        (["check", "--isolated", "."], folder),
        (["check", "."], folder),
        (["check", folder.name], folder.parent),
        (["format", "--check", "."], folder),
    ):
        done = ruff(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stdout
    for name in files(folder):
        assert "example" not in name.lower()
        text = (folder / name).read_text(encoding="utf-8")
        # Two names of mmseq's own.
        text = text.replace("mmseq.Example", "").replace("example_file", "")
        assert "example" not in text.lower(), name


@pytest.mark.parametrize("kind", KINDS)
def test_the_readme_tells_of_the_kind_alone(make, kind):
    headings = re.findall("^## (.*)$", (make(kind) / "README.md").read_text(), re.MULTILINE)
    own = kind.replace("-", " ").capitalize()
    preset = ["Preset `my-film`"] if kind in PARTS else []
    assert headings == [f"{own} `my-film`", *preset, "Publish it"]


@pytest.mark.process
def test_the_own_tests_of_a_plugin_of_all_kinds_pass(make, site):
    folder = make(*KINDS)
    install(folder, site)
    written = sum(
        len(re.findall(r"^def test_", path.read_text(), re.MULTILINE))
        for path in folder.glob("tests/test_*.py")
    )
    done = warm.run(
        # As a user runs them, but for pytest's other plugins; any warning is an error.
        *("-m", "pytest", "-W", "error", "-p", "mmseq.pytest_plugin", folder.name, "--mmseq"),
        cwd=folder.parent,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(site.folder), os.environ.get("PYTHONPATH", "")]),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
    )
    # All kinds but the command are registered.
    assert f"{written + len(KINDS) - 1} passed" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
    assert written >= 2 * len(KINDS)


@pytest.fixture
def table_data(tiny_data, tmp_path):
    """The tiny data as CSV files with the first picture of each sentence."""
    folder = tmp_path / "tables"
    folder.mkdir()
    (folder / "images").symlink_to(tiny_data / "images")
    for split in ("train", "valid", "test"):
        with (folder / f"{split}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["sentence", "tags", "picture"])
            for record in json_lines(tiny_data / f"{split}.jsonl"):
                picture = (record["images"] or [""])[0]
                rows.writerow([" ".join(record["tokens"]), " ".join(record["tags"]), picture])
    return folder


def test_its_components_train_by_their_flags(make, site, run_cli, tiny_data, tiny_encoder):
    install(make(*PARTS), site)
    single = ("image-encoder", "fusion", "decoder", "weighting")
    done = run_cli(
        "train",
        tiny_data,
        *(part for kind in single for part in (f"--{kind}", "my-film")),
        *("--aux", "my-film", "--set", "callbacks.my-film.target=0", "--output", "run"),
        *("--set", f"text_encoder.model={tiny_encoder}", "--set", "train.device=cpu"),
        # 24 sentences: two steps an epoch.
        *("--set", "train.batch_size=12", "--set", "train.epochs=2"),
    )
    assert done.code == 0, done.err
    # The callback had what it wanted after the first epoch.
    assert "validation F1 is" in done.out
    history = json_lines("run/history.jsonl")
    assert [(e["epoch"], e["step"]) for e in history if e["kind"] == "epoch"] == [(1, 2)]
    assert set(history[-1]["losses"]) == {"main", "my-film"}


def test_its_preset_reader_and_command_work_together(make, site, run_cli, table_data):
    install(make(*KINDS), site)
    done = run_cli(
        *("train", table_data, "--preset", "my-film", "--set", "data.reader=my-film"),
        *("--set", "train.device=cpu", "--set", "train.epochs=1", "--output", "run"),
    )
    assert done.code == 0, done.err
    used = tomllib.loads(Path("run/config.toml").read_text())
    assert used["text_encoder"]["name"] == used["data"]["reader"] == "my-film"
    assert len(json_lines("run/predictions/test.jsonl")) == 8
    counted = run_cli("my-film", "run")
    assert (counted.code, counted.err) == (0, "")
    assert re.fullmatch(r"( +\d+  (PER|LOC)\n)* +\d+  entities\n", counted.out)
    missing = run_cli("my-film", "nowhere")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err.startswith("Error: nowhere/predictions/test.jsonl: No such file")


@pytest.mark.parametrize("kind", KINDS)
def test_what_to_do_next_is_said(tmp_path, monkeypatch, run_cli, kind):
    monkeypatch.chdir(tmp_path)
    done = run_cli("new-plugin", "my-film", "--kind", kind)
    brought = f"{kind} my-film" + (", preset my-film" if kind in PARTS else "")
    assert done.out.splitlines() == [
        f"mmseq-my-film: {brought}. Next:",
        "  pip install -e './mmseq-my-film[dev]'",
        "  python -m pytest mmseq-my-film --mmseq",
        f"  {TRAINED[kind]}",
    ]


def test_kinds_are_given_by_commas_or_again_and_the_folder_by_a_flag(tmp_path, run_cli):
    for name, kinds in {"a": ["fusion,aux-task"], "b": ["fusion", "aux_task", "fusion"]}.items():
        flags = [part for kind in kinds for part in ("--kind", kind)]
        done = run_cli("new-plugin", "film", *flags, "--output", tmp_path / f"my {name}")
        assert done.code == 0
        assert done.out.splitlines()[1:] == [
            f"  pip install -e '{tmp_path}/my {name}[dev]'",
            f"  python -m pytest '{tmp_path}/my {name}' --mmseq",
            "  mmseq train --fusion film --aux film",
        ]
    assert files(tmp_path / "my a") == files(tmp_path / "my b")
    assert "mmseq_film/aux_task.py" in files(tmp_path / "my a")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my a", "my b"]


def test_without_a_kind_it_is_a_fusion(tmp_path, monkeypatch, run_cli):
    monkeypatch.chdir(tmp_path)
    assert run_cli("new-plugin", "film").out.endswith("mmseq train --fusion film\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ["MyFusion"],
            "'MyFusion' .*my-fusion",
        ),
        (
            ["2d", "--kind", "decoder"],
            "'2d' .* d, ",
        ),
        (
            ["../x"],
            "'../x' .* x, ",
        ),
        (
            ["", "--kind", "aux-task"],
            "'' .*my-aux-task",
        ),
        (
            ["mmseq-film"],
            "'mmseq-film': .*mmseq new-plugin film",
        ),
        (
            ["class", "--kind", "reader"],
            "'class' .*Python.*class-reader",
        ),
        (
            ["gate"],
            f"mmseq {__version__} .*fusion 'gate' .*my-gate",
        ),
        (
            # Its preset would clash.
            ["quick", "--kind", "reader,decoder"],
            f"mmseq {__version__} .*preset 'quick' .*my-quick",
        ),
        (
            ["train", "--kind", "command"],
            "'mmseq train' .*my-train",
        ),
        (
            ["none", "--kind", "aux-task"],
            "'none' .*my-none",
        ),
        (
            ["mmseq"],
            f"plugin 'mmseq' of mmseq {__version__} .*name",
        ),
        (
            ["film", "--kind", "fusion,fusin"],
            "'fusin'.*'fusion'.* aux-task, .*, weighting",
        ),
        (
            ["film", "--output", "no/such"],
            "folder .* no:",
        ),
    ],
)
def test_a_name_that_cannot_be_taken_is_one_line(tmp_path, monkeypatch, run_cli, arguments, line):
    monkeypatch.chdir(tmp_path)
    done = run_cli("new-plugin", *arguments)
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch(f"Error: .*{line}.*\n", done.err)
    assert list(tmp_path.iterdir()) == []


def test_names_of_installed_plugins_distributions_and_modules_are_refused(
    tmp_path, monkeypatch, site, run_cli
):
    site.add("film", "import mmseq\n@mmseq.hookimpl\ndef register_components(add): ...\n")
    site.add("other", "import no_such_library", distribution="mmseq-second")
    (site.folder / "mmseq_third.py").write_text("")
    monkeypatch.chdir(tmp_path)
    reasons = {
        "film": "plugin 'film' of mmseq-film 1.0",
        # Known by its distribution, and broken.
        "second": "plugin 'other' of mmseq-second 1.0",
        "other": "plugin 'other' of mmseq-second 1.0",
        "third": "module 'mmseq_third'",
    }
    for name, reason in reasons.items():
        done = run_cli("new-plugin", name, "--kind", "command")
        assert (done.code, done.out) == (2, "")
        assert reason in done.err.splitlines()[-1]
        assert not list(tmp_path.glob("mmseq-*"))


def test_a_component_of_another_kind_may_have_the_name(tmp_path, run_cli):
    assert "gate" in registry().names("fusion")
    done = run_cli("new-plugin", "gate", "--kind", "decoder", "--output", tmp_path / "gate")
    assert done.code == 0


@pytest.mark.parametrize("inside", [[], ["notes.txt"]], ids=["empty", "full"])
def test_a_folder_that_exists_is_left_as_it_is(tmp_path, monkeypatch, run_cli, inside):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mmseq-film"
    folder.mkdir()
    for name in inside:
        (folder / name).write_text("mine")
    done = run_cli("new-plugin", "film")
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch("Error: mmseq-film .*--output DIR.*\n", done.err)
    assert files(folder) == set(inside)
    assert list(tmp_path.iterdir()) == [folder]


def test_what_cannot_be_written_to_the_end_leaves_nothing(tmp_path, monkeypatch, run_cli):
    monkeypatch.chdir(tmp_path)
    # No file system takes a name of more than 255: the package's folder cannot be made, when the
    # licence and the README have been written.
    done = run_cli("new-plugin", "a" * 250, "--output", "film")
    assert (done.code, done.out) == (2, "")
    assert re.fullmatch("Error: film: .*File name too long.*\n", done.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("0.1.0", ">=0.1,<0.2"),
        ("0.9.12", ">=0.9,<0.10"),
        ("1.4.7", ">=1.4,<1.5"),
        ("2", ">=2.0,<2.1"),
        ("0.2.0.dev3", ">=0.2.0.dev3,<0.3"),
    ],
)
def test_the_range_of_versions_is_this_minor_one(version, expected):
    from packaging.specifiers import SpecifierSet

    assert version_range(version) == expected
    assert version in SpecifierSet(expected)


def test_the_version_of_mmseq_is_in_the_dependencies(make):
    project = tomllib.loads((make("fusion") / "pyproject.toml").read_text())["project"]
    assert project["dependencies"] == [f"mmseq{version_range(__version__)}"]
    assert project["entry-points"]["mmseq"] == {"my-film": "mmseq_my_film"}


def test_names_are_made_of_the_plugins():
    film = PluginName("my-film")
    assert (film.distribution, film.module) == ("mmseq-my-film", "mmseq_my_film")
    assert film.class_name("Fusion") == "MyFilmFusion"
    # Once is enough.
    assert PluginName("my-fusion").class_name("Fusion") == "MyFusion"
    text = "example mmseq-example mmseq_example.task:ExampleTask mmseq.Example example_file"
    assert film.put_into(text) == (
        "my-film mmseq-my-film mmseq_my_film.task:MyFilmTask mmseq.Example example_file"
    )

"""The plugins in examples/, each installed as a user would, and what their READMEs say."""

import importlib
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
import warm
from once import once

from mmseq.data.splits import load_file
from mmseq.registry.plugins import load_plugins

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
TINY = (
    "--set=image_encoder.model=test_vit",
    "--set=image_encoder.weights=random",
    "--set=callbacks.history.steps=1",
    "--set=train.device=cpu",
    "--set=train.epochs=1",
    "--set=train.batch_size=12",
)
"""One epoch over the 24 sentences of `tiny_data`: two steps, each logged"""


def process(*arguments, folder=None, path=""):
    """What a command of another process printed; a failed test where it fails."""
    found = os.pathsep.join(filter(None, [str(path), os.environ.get("PYTHONPATH", "")]))
    done = subprocess.run(
        [str(argument) for argument in arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": found},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(source, *, pip=(), target=()):
    """`pip install` of a folder; what it depends on is here already."""
    offline = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    process(sys.executable, "-m", "pip", *pip, "install", *offline, *target, source)


@pytest.fixture
def installed(shared):
    """`installed("film_fusion")`: the folder into which pip has installed that example."""

    def folder(source):
        return once(
            shared / "installed" / source.replace("/", "-"),
            lambda target: pip_install(EXAMPLES / source, target=("--target", target)),
        )

    return folder


@pytest.fixture
def install(installed, site):
    """`install("film_fusion")` for this process: into the folder of the fixture `site`."""

    def make(source):
        shutil.copytree(installed(source), site.folder, dirs_exist_ok=True)
        importlib.invalidate_caches()
        load_plugins.cache_clear()

    return make


def steps(run):
    """Numbers of the steps in a run's history."""
    lines = (run / "history.jsonl").read_text(encoding="utf-8").splitlines()
    return [record["step"] for record in map(json.loads, lines) if record["kind"] == "step"]


def fusion_of(run):
    """The record of the fusion that the run was trained with."""
    records = json.loads((run / "assets" / "components.json").read_text(encoding="utf-8"))
    return next(record for record in records if record["kind"] == "fusion")


@pytest.fixture
def fresh_python(tmp_path):
    """Interpreter of a new environment that has what this one has; removed afterwards."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=os.name != "nt")
    scheme = {"base": str(folder), "platbase": str(folder)}
    here = Path(sysconfig.get_path("purelib", "venv", scheme)) / "here.pth"
    here.write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    yield Path(sysconfig.get_path("scripts", "venv", scheme)) / "python"
    shutil.rmtree(folder)


@pytest.mark.ci
def test_the_plugin_in_ten_lines_trains_in_a_fresh_environment(
    fresh_python, tiny_data, tiny_encoder, tmp_path, run_cli
):
    pip_install(EXAMPLES / "hello_plugin", pip=("--python", fresh_python))
    run = tmp_path / "run"
    chosen = ("--fusion", "sum", f"--set=text_encoder.model={tiny_encoder}", *TINY)
    process(fresh_python, "-m", "mmseq", "train", tiny_data, *chosen, "--output", run)
    assert steps(run) == [1, 2]
    assert fusion_of(run) == {
        "kind": "fusion",
        "name": "sum",
        "distribution": "mmseq-sum",
        "version": "0.1.0",
    }
    # It is in that environment alone.
    assert "mmseq-sum" not in run_cli("plugins").out


def test_the_plugin_in_ten_lines_is_that_of_the_readme():
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").split("\n## A plugin in ten lines")[1]
    )
    told, code = re.search(r"```python\n# ([^\n]*)\n(.*?)```", section, re.DOTALL).groups()
    folder = EXAMPLES / "hello_plugin"
    assert code == (folder / "mmseq_sum.py").read_text(encoding="utf-8")
    (entry_point,) = re.findall(r"\w+ = \"\w+\"", told)
    project = (folder / "pyproject.toml").read_text(encoding="utf-8")
    assert f"[project.entry-points.mmseq]\n{entry_point}\n" in project


@pytest.mark.process
@pytest.mark.parametrize(
    ("source", "checked"),
    [
        ("film_fusion", ["mmseq-film::fusion-film", "mmseq-film::preset-film-bert-crf"]),
        ("own_data/reader", ["mmseq-csv::reader-csv"]),
        ("small_plugins/sentiment", ["mmseq-sentiment::aux_task-sentiment"]),
        ("small_plugins/caption", ["mmseq-caption::aux_task-caption"]),
        ("small_plugins/spans", ["mmseq-spans::decoder-spans"]),
        (
            "small_plugins/relation",
            ["mmseq-relation::fusion-relation", "mmseq-relation::aux_task-relation"],
        ),
    ],
)
def test_a_published_plugin_passes_its_own_tests_and_the_contracts(
    tmp_path, monkeypatch, installed, source, checked
):
    site, folder = installed(source), tmp_path / "source"
    shutil.copytree(EXAMPLES / source, folder)
    own = ("-p", "mmseq.pytest_plugin", "-p", "no:cacheprovider", "--verbose")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    found = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    done = warm.run(
        *("-m", "pytest", "--mmseq", *own), cwd=folder, env={**os.environ, "PYTHONPATH": found}
    )
    told = done.stdout
    assert done.returncode == 0, told + done.stderr
    for name in checked:
        assert f"{name} PASSED" in told
    assert told.count(" PASSED ") > len(checked)


@pytest.fixture
def labelled_data(tiny_data, tmp_path):
    """The tiny data with a sentiment, a caption and a relation of each training sentence, and of no
    other.
    """
    folder = tmp_path / "labelled"
    shutil.copytree(tiny_data, folder)
    file = folder / "train.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    for number, record in enumerate(records):
        record["sentiment"] = number % 4 - 1
        record["caption"] = "a colour" if record["images"] else ""
        record["relation"] = number % 2
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("sentiment", ["--aux=sentiment"]),
        ("caption", ["--aux=caption", "--set=aux.caption.words=1"]),
        ("spans", ["--decoder=spans", "--set=train.epochs=30", "--set=train.learning_rate=0.01"]),
        ("relation", ["--fusion=relation", "--aux=relation"]),
    ],
)
def test_a_small_plugin_trains_and_predicts(
    install, run_cli, labelled_data, tiny_encoder, tmp_path, name, chosen
):
    install(f"small_plugins/{name}")
    run = tmp_path / "run"
    encoder = ("--text-encoder=transformer", f"--set=text_encoder.model={tiny_encoder}")
    done = run_cli("train", labelled_data, *encoder, *TINY, *chosen, "--output", run)
    assert done.code == 0, done.err
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    losses = [record["losses"] for record in history if record["kind"] == "step"]
    if name == "spans":
        assert losses[-1]["main"] < losses[0]["main"] / 2
    else:
        assert all(step[name] > 0 for step in losses)
    done = run_cli("predict", run, "--text", "Jordan was seen in Oslo")
    assert done.code == 0, done.err
    assert run_cli("evaluate", run).code == 0
    if name == "spans":
        done = run_cli("predict", run, "--text", "Jordan", "--best", 2)
        assert "decoder 'spans' of mmseq-spans 0.1.0 gives the best tags alone" in done.err


def test_the_published_fusion_trains(install, run_cli, tiny_data, tiny_encoder, tmp_path):
    install("film_fusion")
    run = tmp_path / "run"
    encoder = ("--text-encoder=transformer", f"--set=text_encoder.model={tiny_encoder}")
    chosen = ("--preset=film-bert-crf", *encoder, *TINY, "--set=fusion.blocks=2")
    done = run_cli("train", tiny_data, *chosen, "--output", run)
    assert (done.code, steps(run)) == (0, [1, 2]), done.err
    assert (fusion_of(run)["name"], fusion_of(run)["distribution"]) == ("film", "mmseq-film")


def test_the_published_readme_prints_the_options_and_their_defaults(install, run_cli):
    install("film_fusion")
    readme = (EXAMPLES / "film_fusion" / "README.md").read_text(encoding="utf-8")
    printed = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", readme, re.MULTILINE))
    options = json.loads(run_cli("show", "fusion", "film", "--json").out)["options"]
    assert printed == {name: str(option["default"]) for name, option in options.items()}


@pytest.mark.ci
def test_the_way_from_a_csv_to_a_tagger_is_as_its_readme_tells(
    install, run_cli, tmp_path, monkeypatch
):
    folder = tmp_path / "own_data"
    shutil.copytree(EXAMPLES / "own_data", folder, ignore=shutil.ignore_patterns("images", "runs"))
    monkeypatch.chdir(folder)
    for command, expected in commands(folder / "README.md"):
        program, *arguments = shlex.split(command)
        if program == "pip":
            assert arguments[0] == "install"
            install(f"own_data/{Path(arguments[1])}")
            continue
        if program == "python":
            process(sys.executable, *arguments, folder=folder)
            continue
        assert program == "mmseq"
        done = run_cli(*arguments)
        assert done.code == 0, done.err
        printed = [plain(line) for line in done.out.splitlines()]
        for line in expected:
            assert plain(line) in printed, done.out
    words = [len(example.tokens) for example in load_file(Path("data/test.csv")).examples]
    tagged = [json.loads(line) for line in Path("tagged.jsonl").read_text().splitlines()]
    assert [len(sentence["tags"]) for sentence in tagged] == words
    assert sum(len(sentence["entities"]) for sentence in tagged) >= 8


def commands(readme):
    """Every command of a README's console blocks, with the lines that it should print."""
    blocks = re.findall(r"```console\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    found = []
    for line in "".join(blocks).replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return found


def plain(line):
    """Without spaces that align, and with no digits of scores, in which machines may differ."""
    return " ".join(re.sub(r"\b\d+\.\d\d\b", "#", line).split())


def test_a_wrong_row_is_told_as_the_readme_prints_it(install, run_cli, tmp_path, monkeypatch):
    install("own_data/reader")
    shutil.copytree(EXAMPLES / "own_data" / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    train = tmp_path / "data" / "train.csv"
    lines = train.read_text(encoding="utf-8").splitlines()
    lines[12] = "A book about Saturn,O O O B-GOD O O O,temple-2.png"
    train.write_text("\n".join(lines), encoding="utf-8")
    done = run_cli("data", "check", "data")
    readme = (EXAMPLES / "own_data" / "README.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"^Problem: [^`]*", readme, re.MULTILINE)
    assert done.code == 1
    assert " ".join(told.split()) in done.out + done.err


def test_the_walk_through_shows_what_it_says(tmp_path, monkeypatch, capsys):
    script = EXAMPLES / "python_interface.py"
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    shown = capsys.readouterr().out
    for line in (
        "A mistake: fusion 'concat' has no option 'widht'. Did you mean 'width'?",
        "Stopped: every entity of the validation split is found.",
        "With a face: Jordan is PER",
        "With a map: Jordan is LOC",
        "The same from the loaded tagger: True",
        "Seed of the run: 3",
    ):
        assert f"\n{line}" in shown
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text(encoding="utf-8"))
    assert f"F1 {metrics['test']['f1']:.2f} over 13 entities" in shown

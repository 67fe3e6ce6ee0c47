"""Paths in files are relative to the file, ``~`` is the home folder, and names must be text."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import mmseq
from mmseq.__main__ import arguments_at_home
from mmseq.bench.plan import Problems, read_plan
from mmseq.comparison.sources import named
from mmseq.config.config import Config
from mmseq.errors import UserError
from mmseq.runs.folder import new_folder, resuming
from mmseq.tune.search import read_search


@pytest.fixture
def project(tmp_path, monkeypatch):
    """project/conf/my.toml, which names project/data; the home folder is HERE/home."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for folder in ("home/d", "project/conf", "project/data", "project/encoder", "elsewhere/x"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path / "project"


@pytest.mark.parametrize("stand", [".", "conf", "..", "../elsewhere/x"])
def test_a_config_names_the_same_data_wherever_one_stands(stand, project, monkeypatch):
    monkeypatch.chdir(project / stand)
    path = project / "conf" / "my.toml"
    path.write_text(
        '[data]\npath = "../data"\nimage_folder = "../data/p"\nfeatures = "store"\ncache = "off"\n'
        '[train]\ninit = "../runs/a"\n[text_encoder]\nmodel = "../encoder"\n'
    )
    config = Config.from_file(path)
    assert config.data.path == str(project / "data")
    assert config.data.image_folder == str(project / "data" / "p")
    assert config.data.features == str(project / "conf" / "store")
    assert config.data.cache == "off"
    assert config.train.init == str(project / "runs" / "a")
    assert config.component("text_encoder").options["model"] == str(project / "encoder")


def test_names_that_are_no_paths_stay(project):
    path = project / "conf" / "my.toml"
    path.write_text('[data]\npath = "sample"\n[text_encoder]\nmodel = "google/bert"\n')
    config = Config.from_file(path)
    assert config.data.path == "sample"
    assert config.component("text_encoder").options["model"] == "google/bert"


def test_data_of_that_name_where_one_stands_are_not_read_in_silence(project, monkeypatch):
    path = project / "conf" / "my.toml"
    path.write_text('[data]\npath = "data"\n')
    monkeypatch.chdir(project)
    with pytest.raises(UserError, match=f"my.toml: data.path = 'data': .*{project / 'data'}"):
        Config.from_file(path)
    # Whoever gives other data does not mind.
    assert Config.from_file(path, {"data.path": "data"}).data.path == "data"
    monkeypatch.chdir(project.parent)
    assert Config.from_file(path).data.path == str(project / "conf" / "data")


def test_the_config_of_a_run_of_before_goes_by_the_current_folder(project, monkeypatch):
    """Its data's paths are absolute, but a store of features it had as it was typed."""
    run = project / "runs" / "a"
    run.mkdir(parents=True)
    (run / "labels.json").write_text("[]")
    (run / "config.toml").write_text('[data]\nfeatures = "store"\n')
    assert Config.from_file(run / "config.toml").data.features == "store"


def test_a_saved_config_means_the_same_from_its_file(project, monkeypatch):
    monkeypatch.chdir(project)
    Config.from_layers(settings={"data.path": "data"}).save(Path("conf/saved.toml"))
    assert Config.from_file("conf/saved.toml").data.path == str(project / "data")


def test_plans_and_searches_have_the_same_rule(project, monkeypatch):
    monkeypatch.chdir(project.parent)
    setting = 'set = { "data.image_folder" = "../p", "train.init" = "~/run" }\n'
    plan = project / "conf" / "plan.toml"
    plan.write_text(f'data = ["../data", "~/d"]\n{setting}')
    problems = Problems()
    read = read_plan(plan, problems)
    home = project.parent / "home"
    assert [data.path for data in read.data] == [str(project / "data"), str(home / "d")]
    placed = {"data.image_folder": str(project / "p"), "train.init": str(home / "run")}
    assert read.settings == placed
    search = project / "conf" / "space.toml"
    search.write_text(f'data = "~/d"\n{setting}[space]\ntrain.seed = [1, 2]\n')
    found = read_search(search, problems)
    assert (found.data, dict(found.settings)) == (str(home / "d"), placed)
    assert problems.lines == []


def test_the_home_folder_in_settings_and_calls(project, monkeypatch):
    home = project.parent / "home"
    assert Config.from_layers(settings={"data.path": "~/d"}).data.path == str(home / "d")
    assert Config.from_layers(settings={"train.init": "~"}).train.init == str(home)
    with pytest.raises(UserError, match=f"{home}"):
        mmseq.load("~/run")


def test_the_home_folder_on_the_command_line(project):
    home = str(project.parent / "home")
    given = ["predict", "~/run", "--output=~/x", "--images", "~", "--text", "~/o", "--text=~", "a~"]
    assert arguments_at_home(given) == [
        *("predict", f"{home}/run", f"--output={home}/x", "--images", home),
        *("--text", "~/o", "--text=~", "a~"),
    ]
    assert arguments_at_home(["--set", "data.path=~/d", "~no-such-user/x"]) == [
        *("--set", "data.path=~/d", "~no-such-user/x"),
    ]


@pytest.mark.parametrize(
    ("source", "name", "path"),
    [
        ("runs/lr=0.1-1", "", "runs/lr=0.1-1"),
        ("ours=runs/lr=0.1-1", "ours", "runs/lr=0.1-1"),
        ("ours=run", "ours", "run"),
    ],
)
def test_the_path_of_a_run_may_have_an_equals_sign(source, name, path):
    assert named(source) == (name, Path(path))


def test_the_command_that_resumes_a_run_can_be_pasted():
    assert resuming(Path("my run"), 1) == "mmseq train --resume --output 'my run'"


@pytest.mark.skipif(os.name == "nt", reason="names are bytes on POSIX alone")
def test_a_name_that_is_not_utf8_is_refused_before_any_work(project):
    with pytest.raises(UserError, match="^data.path: .*not UTF-8.*rename"):
        Config.from_layers(settings={"data.path": "caf\udce9"})
    with pytest.raises(UserError, match="not UTF-8.*--output"):
        new_folder(project / "caf\udce9", "x")


def test_a_pipe_with_a_code_page_gets_every_line(tmp_path):
    """As on Windows, whose cp1252 has neither character of the second sentence: data are UTF-8."""
    (tmp_path / "a.jsonl").write_text(
        '{"tokens": ["Zoë"], "tags": ["O"]}\n{"tokens": ["東京", "🙂"], "tags": ["O", "O"]}\n',
        encoding="utf-8",
    )
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "cp1252"}
    for form in (["--json"], []):
        done = subprocess.run(
            [sys.executable, "-m", "mmseq", "data", "show", tmp_path / "a.jsonl", *form],
            env=environment,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "東京" in done.stdout.decode("utf-8")

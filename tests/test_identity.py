"""One identity of a run: what is aside changes no weight, what is not is another experiment."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file as load_tensors

import mmseq
from mmseq.bench.before import first_key
from mmseq.bench.experiment import _cells, _configured, experiments
from mmseq.bench.plan import DataSet, Plan, Problems, System, read_plan
from mmseq.bench.results import append, read
from mmseq.comparison.sources import read_runs
from mmseq.config.config import Config, DataConfig, TrainConfig
from mmseq.console import Reporter
from mmseq.runs.identity import ASIDE, contents_named, recorded, settings, versions, without_places
from mmseq.tables.groups import group
from mmseq.tune.identity import begun_with, comparable, trial_data
from mmseq.tune.search import Method
from mmseq.tune.space import Space

QUIET = Reporter(quiet=True)
BASELINES = sorted((Path(__file__).parents[1] / "examples/benchmarks/baselines").glob("*.toml"))
OTHERS = {
    "data.path": "a copy of the data",
    "data.splits": ["train", "valid"],
    "data.image_folder": "a copy of the pictures",
    "data.reader": "jsonl",
    "data.columns": {"tag": 2},
    "data.fields": {"images": "images"},
    "data.tag_names": ["O"],
    "data.scheme": "bio",
    "data.map": {"LOC": "PLACE"},
    "data.images": "strict",
    "data.image_dropout": 0.5,
    "data.features": "a new folder",
    "data.cache": "a new folder",
    "data.splitter": "whitespace",
    "train.seed": 2,
    "train.epochs": 3,
    "train.steps": 7,
    "train.batch_size": 5,
    "train.accumulate": 2,
    "train.learning_rate": 0.01,
    "train.weight_decay": 0.1,
    "train.warmup": 0.5,
    "train.gradient_clip": 0.1,
    "train.adversarial": 0.5,
    "train.precision": "bf16",
    "train.device": "cpu",
    "train.checkpoint_steps": 1,
    "train.keep_last": True,
    "train.init": "a run",
}
"""For every setting of [data] and [train] a valid value that the base config has not"""
SAME = {
    "bench": set(),
    # A trial reads train and valid, whatever the base reads.
    "tune": {"data.splits"},
    # Runs that differ by the seed alone are one system.
    "table": {"train.seed"},
    "compare": {"train.seed"},
}
"""Settings that by design make no other identity for one of those who ask"""


@pytest.fixture(scope="module")
def config(tiny_encoder, tiny_data, tmp_path_factory):
    return Config.from_layers(
        flags={
            "text_encoder": {"model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": "gate"},
        },
        settings={
            "data.path": str(tiny_data),
            "data.features": "off",
            "data.cache": "off",
            "train.epochs": 2,
            "train.batch_size": 4,
        },
    )


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return mmseq.train(config, output=tmp_path_factory.mktemp("run") / "run", reporter=QUIET)


@pytest.fixture
def other(config, tiny_data, run, tmp_path):
    """`other(key)`: the config with that setting at its other value."""

    def make(key):
        value = OTHERS[key]
        if value == "a copy of the data":
            value = str(shutil.copytree(tiny_data, tmp_path / "data"))
        elif value == "a copy of the pictures":
            value = str(shutil.copytree(tiny_data / "images", tmp_path / "pictures"))
        elif value == "a new folder":
            value = str(tmp_path / "new")
        elif value == "a run":
            value = str(run)
        # A run has one length.
        beside = {"train.epochs": "auto"} if key == "train.steps" else {}
        changed = config.replaced({key: value, **beside})
        assert changed.tables() != config.tables()
        return changed

    return make


def bench_key(config, folder):
    path = folder / "plan.toml"
    config.save(path)
    data = DataSet("tiny", config.data.path, config.data.image_folder)
    plan = Plan(systems=(System("a", config=path),), data=(data,), seeds=(config.train.seed,))
    problems = Problems()
    (one,) = experiments(plan, problems)
    assert problems.lines == []
    return one.key


def study(config, folder):
    space = Space(config, ())
    begun = begun_with(space, Method(), 1, trial_data(space))
    # As SQLite keeps it.
    return comparable(json.loads(json.dumps(begun)))


@pytest.fixture
def told(config, make_result):
    """`told(who, config, folder)`: the identity of a run of that config, as one of them sees it."""

    def result(config):
        return make_result("a", config.train.seed, config=without_places(config.tables()))

    def rows(other, folder):
        groups, _ = group([result(config), result(other)], "test", "default")
        return len(groups)

    def compared(other, folder):
        append(folder / "results.jsonl", result(other))
        ((run,), _) = read_runs([str(folder / "results.jsonl")], "test")
        (folder / "results.jsonl").unlink()
        return run.identity

    asked = {"bench": bench_key, "tune": study, "table": rows, "compare": compared}
    return lambda who, config, folder: asked[who](config, folder)


def test_the_table_has_every_setting():
    fields = {"data": DataConfig, "train": TrainConfig}
    every = {f"{section}.{key}" for section, model in fields.items() for key in model.model_fields}
    assert every == set(OTHERS)
    assert set(ASIDE) < every
    assert all(ASIDE.values())


@pytest.mark.parametrize("key", OTHERS)
@pytest.mark.parametrize("who", SAME)
def test_what_is_not_aside_is_another_identity(config, other, told, tmp_path, who, key):
    same = key in ASIDE or key in SAME[who]
    base, changed = told(who, config, tmp_path), told(who, other(key), tmp_path)
    assert (base == changed) == same, key


@pytest.mark.parametrize("key", ASIDE)
def test_what_is_aside_changes_no_weight(other, run, tmp_path, key):
    twice = mmseq.train(other(key), output=tmp_path / "twice", reporter=QUIET)
    one, two = (load_tensors(folder / "model.safetensors") for folder in (run, twice))
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, two[name]), name
    figures = [json.loads((folder / "metrics.json").read_text()) for folder in (run, twice)]
    assert figures[0] == figures[1]


def test_a_record_that_lacks_a_setting_has_its_default(config):
    tables = config.replaced({"train.warmup": 0.3, "fusion.dropout": 0.2}).tables()
    whole = settings(tables, seed=True)
    assert whole["train.warmup"] == 0.3
    assert whole["fusion.dropout"] == 0.2
    assert "train.weight_decay" not in whole
    assert "fusion.name" not in whole
    older = json.loads(json.dumps(tables))
    del older["train"]["adversarial"], older["text_encoder"]["case"], older["data"]["cache"]
    del older["callbacks"], older["weighting"]
    assert settings(older, seed=True) == whole
    assert settings({}, seed=True) == {}


def test_options_of_what_is_not_installed_all_count():
    tables = {"fusion": {"name": "lost", "dropout": 0.1}, "aux": {"gone": {"weight": 1.0}}}
    assert settings(tables, seed=False) == {
        "fusion.name": "lost",
        "fusion.dropout": 0.1,
        "aux.gone": True,
        "aux.gone.weight": 1.0,
    }
    assert settings({"callbacks": {"gone": {"x": 1}}}, seed=False) == {
        "callbacks.gone": True,
        "callbacks.gone.x": 1,
    }


def test_true_is_not_one():
    tables = {"text_encoder": {"name": "bilstm", "layers": True, "variational": 0}}
    assert settings(tables, seed=False) == {
        "text_encoder.name": "bilstm",
        "text_encoder.layers": True,
        "text_encoder.variational": 0,
    }


def test_callbacks_count_where_they_may_stop_a_run():
    plain = settings({"callbacks": {}}, seed=False)
    assert settings({"callbacks": {"history": {"steps": 1}, "conflict": {}}}, seed=False) == plain
    stopping = settings({"callbacks": {"early-stopping": {"patience": 3}}}, seed=False)
    assert stopping == {"callbacks.early-stopping": True}
    assert settings({"callbacks": {"early-stopping": {"patience": 4}}}, seed=False) == {
        "callbacks.early-stopping": True,
        "callbacks.early-stopping.patience": 4,
    }


LOG = """
import mmseq

class Log(mmseq.Callback):
    steers = {steers}

@mmseq.hookimpl
def register_components(add):
    add.callback("log", Log)
"""


@pytest.mark.parametrize("steers", [False, True])
def test_a_version_counts_as_what_it_is_of_does(site, steers):
    site.add("log", LOG.format(steers=steers))
    made_with = {"python": "3.11", "mmseq": "0.1.0", "torch": "2.6", "mmseq-log": "1.0"}
    counted = {"mmseq": "0.1.0", "torch": "2.6"} | ({"mmseq-log": "1.0"} if steers else {})
    assert versions({"callbacks": {"log": {}}}, made_with) == counted
    # What is not known here counts.
    assert versions({}, {"python": "3.11", "mmseq-far": "2"}) == {"mmseq-far": "2"}


def test_the_image_encoder_counts_where_pictures_are_read():
    timm = {"name": "timm", "model": "test_vit"}
    for fusion in ("none", "gate"):
        chosen = {"fusion": {"name": fusion}}
        with_timm = settings({**chosen, "image_encoder": timm}, seed=False)
        without = settings({**chosen, "image_encoder": {"name": "none"}}, seed=False)
        assert (with_timm == without) == (fusion == "none")


def test_files_count_by_content(tmp_path):
    told = []
    for name, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_text(content)
        (tmp_path / name / "notes.txt").write_text("the same")
        place = str(tmp_path / name)
        tables = {"text_encoder": {"name": "transformer", "model": place}, "train": {"init": place}}
        told.append(settings(tables, seed=False))
    assert told[0] == told[1]
    assert told[0].keys() == {"text_encoder.model", "train.init"}
    assert all(told[0][key] != told[2][key] for key in told[0])


def test_a_link_to_nothing_in_a_folder_is_no_content(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"x")
    tables = {"text_encoder": {"model": str(tmp_path)}}
    before = contents_named(tables)
    (tmp_path / "lost").symlink_to(tmp_path / "nowhere")
    assert contents_named(tables) == before


def test_a_folder_that_is_called_as_a_choice_is_not_read(tmp_path, monkeypatch):
    (tmp_path / "first").mkdir()
    (tmp_path / "weights.pth").write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    tables = {"text_encoder": {"pool": "first", "vectors": "./first", "other": "weights.pth"}}
    assert set(contents_named(tables)) == {"text_encoder.vectors", "text_encoder.other"}


def test_a_record_keeps_the_content_of_its_files(tmp_path):
    """Its encoder's folder is gone, or another one by now."""
    tables = {"text_encoder": {"name": "transformer", "model": str(tmp_path / "gone")}}
    known = recorded(tables, {"text_encoder.model": "sha256:ab", "text_encoder.lost": "sha256:cd"})
    assert settings(known, seed=False) == {"text_encoder.model": "sha256:ab"}
    packaged = {"text_encoder": {"name": "transformer", "model": "pkg:a/b"}}
    assert recorded(packaged, {"text_encoder.model": "sha256:ab"}) == packaged


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_a_new_run_joins_its_row_of_the_shipped_baselines(path):
    """By the config that today's plan gives it."""
    results = read([path.with_suffix(".jsonl")]).results
    problems = Problems()
    plan = read_plan(path, problems)
    # Only the sample has a number of epochs of its own.
    data = DataSet(results[0].data, "sample" if results[0].data == "sample" else "elsewhere")
    new = []
    for system, override, _ in _cells(replace(plan, data=(data,))):
        own = {**plan.settings, **system.settings, **override.settings}
        config = _configured(plan, system, own, data, problems)
        row = f"{system.name} {override.name}".rstrip()
        same = next((result for result in results if result.system == row), None)
        if config is not None and same is not None:
            tables = without_places(config.replaced({"train.seed": 99}).tables())
            new.append(replace(same, key=f"new {row}", seed=99, config=tables))
    assert problems.lines == []
    assert {result.system for result in new} == {result.system for result in results}
    before, _ = group(results, "test", "default")
    after, notes = group(results + new, "test", "default")
    assert notes == []
    assert [(g.system, [*g.seeds, 99]) for g in before] == [
        (g.system, list(g.seeds)) for g in after
    ]


def test_metrics_name_the_device_and_precision_that_were_used(run):
    """The config leaves both open: ``auto``."""
    metrics = json.loads((run / "metrics.json").read_text())
    assert Config.from_file(run / "config.toml").train.device == "auto"
    assert (metrics["device"], metrics["precision"]) == ("cpu", "no")


def identity_of(run):
    ((found,), _) = read_runs([str(run)], "test")
    return found.identity


def test_a_run_counts_by_what_its_files_held_when_it_began(config, run, tmp_path):
    start = shutil.copytree(run, tmp_path / "start")
    runs = []
    for number in (1, 2):
        again = config.replaced({"train.init": str(start), "train.epochs": 1})
        runs.append(mmseq.train(again, output=tmp_path / f"run-{number}", reporter=QUIET))
        # The same path, with what the first of the two has learned.
        shutil.copy(runs[0] / "model.safetensors", start / "model.safetensors")
    first, second = (identity_of(made) for made in runs)
    assert {key for key in first | second if first.get(key) != second.get(key)} == {"train.init"}
    shutil.rmtree(start)
    assert identity_of(runs[0]) == first


def test_the_number_of_processes_makes_another_system(run, tmp_path):
    two = shutil.copytree(run, tmp_path / "two")
    metrics = json.loads((two / "metrics.json").read_text())
    assert metrics["processes"] == 1
    (two / "metrics.json").write_text(json.dumps({**metrics, "processes": 2}))
    assert identity_of(two) != identity_of(run)
    # As it was written before.
    (two / "metrics.json").write_text(
        json.dumps({k: v for k, v in metrics.items() if k not in ("processes", "contents")})
    )
    assert identity_of(two) == identity_of(run)


def test_zero_epochs_of_before_are_what_is_called_auto_now():
    now = Config.from_layers(settings={"train.steps": 40}).tables()
    then = {**now, "train": {**now["train"], "epochs": 0}}
    assert now["train"]["epochs"] == "auto"
    assert settings(then, seed=True) == settings(now, seed=True)
    assert first_key(then, {}, {}) == first_key(now, {}, {})

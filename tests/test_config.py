import tomllib
from pathlib import Path

import pytest

import mmseq
from mmseq.config.config import Config, DataConfig
from mmseq.config.dotted import dotted
from mmseq.config.layering import parse_setting
from mmseq.errors import UserError

PRESET = """# A film, briefly
[fusion]
name = "concat"
width = 32
dropout = 0.3

[aux.boundary]
layers = 2

[aux.cluster]
weight = 0.2

[train]
epochs = 5
batch_size = 4
"""


@pytest.fixture
def preset(site):
    """The name of a throwaway plugin's preset; `preset(text)` gives it another content."""
    add = "import mmseq\n@mmseq.hookimpl\ndef register_components(add):\n"
    package = site.add("film", add + "    add.preset('brief', 'mmseq_film:brief.toml')\n")

    def write(text=PRESET):
        (package / "brief.toml").write_text(text)
        return "brief"

    return write


@pytest.fixture
def toml(tmp_path):
    """Write a config file."""

    def write(text):
        path = tmp_path / "my.toml"
        path.write_text(text)
        return path

    return write


def options(config, kind="fusion"):
    return dict(config.component(kind).options)


def test_without_anything_it_is_the_default_run():
    config = Config.from_layers()
    names = {kind: choice.name for kind, choice in config.single.items()}
    assert names == {
        "text_encoder": "transformer",
        "image_encoder": "timm",
        "fusion": "gate",
        "decoder": "crf",
        "weighting": "fixed",
    }
    assert (config.aux, list(config.callbacks)) == ({}, ["history"])
    assert (config.data.path, config.train.seed) == ("sample", 1)


def test_later_layers_win(preset, toml):
    file = toml("[fusion]\nwidth = 48\n[train]\nepochs = 6\nseed = 2\nlearning_rate = 1\n")
    name = preset()
    config = Config.from_layers(name)
    assert (options(config), config.train.epochs) == ({"width": 32, "dropout": 0.3}, 5)
    assert config.train.seed == 1
    config = Config.from_layers(name, file)
    assert (options(config), config.train.epochs) == ({"width": 48, "dropout": 0.3}, 6)
    assert (config.train.batch_size, config.train.learning_rate) == (4, 1.0)
    config = Config.from_layers(name, file, {"fusion": {"name": "concat"}}, None, {})
    assert options(config)["width"] == 48
    settings = {"train.epochs": 7, "fusion.width": 64}
    config = Config.from_layers(name, file, {}, None, settings)
    assert (options(config), config.train.epochs) == ({"width": 64, "dropout": 0.3}, 7)


def test_a_presets_own_mistake_names_it_and_a_users_does_not(preset):
    name = preset('# Brief\n[fusion]\nname = "concat"\nwidht = 8\n')
    with pytest.raises(UserError, match="^preset 'brief': fusion 'concat' .*'widht'"):
        Config.from_preset(name)
    preset('# Brief\n[fusion]\nname = "concat"\n')
    with pytest.raises(UserError, match="^fusion 'concat' .*'widht'"):
        Config.from_preset(name, {"fusion.widht": 8})


def test_a_flag_that_changes_the_name_starts_the_table_afresh(preset):
    name = preset()
    repeated = Config.from_layers(name, None, {"fusion": {"name": "concat"}})
    assert options(repeated) == {"width": 32, "dropout": 0.3}
    changed = Config.from_layers(name, None, {"fusion": {"name": "gate"}})
    assert options(changed) == {"dropout": 0.1}


def test_a_file_that_changes_the_name_starts_the_table_afresh(preset, toml):
    config = Config.from_layers(preset(), toml('[fusion]\nname = "gate"\n'))
    assert options(config) == {"dropout": 0.1}


def test_a_setting_that_changes_the_name_comes_before_the_options():
    settings = {"fusion.width": 5, "fusion.name": "concat"}
    assert options(Config.from_layers(settings=settings))["width"] == 5


def test_the_aux_flag_sets_the_tasks_and_keeps_the_tables_of_those_that_stay(preset):
    name = preset()
    assert list(Config.from_layers(name).aux) == ["boundary", "cluster"]
    config = Config.from_layers(name, aux=["contrastive", "boundary"])
    assert list(config.aux) == ["contrastive", "boundary"]
    assert config.aux["boundary"].options["layers"] == 2
    assert Config.from_layers(name, aux=[]).aux == {}


def test_a_files_tasks_are_added_to_the_presets(preset, toml):
    config = Config.from_layers(preset(), toml("[aux.boundary]\nheads = 4\n[aux.contrastive]\n"))
    assert list(config.aux) == ["boundary", "cluster", "contrastive"]
    assert config.aux["boundary"].options["layers"] == 2
    assert config.aux["boundary"].options["heads"] == 4


def test_bare_tasks_have_the_papers_weights_and_boundary_does_not_refine():
    config = Config.from_layers(aux=["boundary", "contrastive", "cluster"])
    weights = {name: choice.weight for name, choice in config.aux.items()}
    assert weights == {"boundary": 0.4, "contrastive": 0.5, "cluster": 0.01}
    assert config.aux["boundary"].options["refine"] is False


def test_a_tasks_weight_can_be_set_and_is_no_option_of_the_task():
    config = Config.from_layers(aux=["boundary"], settings={"aux.boundary.weight": 1})
    assert config.aux["boundary"].weight == 1.0
    assert "weight" not in config.aux["boundary"].options


def test_a_preset_with_settings():
    config = Config.from_preset("mlmner", {"train.seed": 3})
    assert config.train.seed == 3
    assert config.train.batch_size == 32
    assert mmseq.Config is Config


def test_a_copy_with_changes():
    config = Config.from_layers(aux=["boundary"])
    changed = config.replaced({"train.seed": 9, "image_encoder.name": "none", "data.path": "x"})
    assert (changed.train.seed, changed.single["image_encoder"]) == (9, None)
    assert (config.train.seed, config.data.path) == (1, "sample")
    assert list(changed.aux) == ["boundary"]


def test_a_copy_with_whole_tables():
    config = Config.from_layers(settings={"fusion.dropout": 0.3})
    tables = {"fusion.width": 8, "fusion": {"name": "concat"}, "aux.boundary": {"weight": 0.25}}
    changed = config.replaced({**tables, "data.map": {"OTHER": "MISC"}})
    # Another name starts the table afresh; a key beside it belongs to the new one.
    assert changed.tables()["fusion"] == {"name": "concat", "width": 8, "dropout": 0.1}
    assert (changed.aux["boundary"].weight, changed.data.map) == (0.25, {"OTHER": "MISC"})
    with pytest.raises(UserError, match="aux task 'bundary'.*'boundary'"):
        config.replaced({"aux.bundary": {}})


def test_every_default_is_written_out(tmp_path):
    config = Config.from_layers(aux=["contrastive"])
    tables = config.tables()
    assert tables["fusion"] == {"name": "gate", "dropout": 0.1}
    assert tables["aux"] == {"contrastive": {"weight": 0.5, "temperature": 0.1, "mix": 0.75}}
    assert tables["callbacks"] == {"history": {"steps": 10}}
    assert set(tables["train"]) == set(type(config.train).model_fields)
    assert set(tables["data"]) == set(type(config.data).model_fields)
    config.save(tmp_path / "c.toml")
    assert tomllib.loads((tmp_path / "c.toml").read_text()) == tables


@pytest.mark.parametrize("name", ["mlmner", None])
def test_a_saved_config_is_read_back_equal(tmp_path, name):
    settings = {
        "data.map.OTHER": "MISC",
        "data.map.A-B": "O",
        "data.path": '/a "quoted" \\ path é',
        "train.learning_rate": 1,
        "callbacks.early-stopping.patience": 5,
    }
    config = Config.from_layers(name, settings=settings)
    config.save(tmp_path / "c.toml")
    again = Config.from_file(tmp_path / "c.toml")
    assert again.tables() == config.tables()
    assert again.data.map == {"OTHER": "MISC", "A-B": "O"}
    again.save(tmp_path / "d.toml")
    assert (tmp_path / "c.toml").read_text() == (tmp_path / "d.toml").read_text()


def test_options_that_toml_has_no_type_for_are_read_back_equal(site, tmp_path):
    add = "import mmseq\n@mmseq.hookimpl\ndef register_components(add):\n"
    body = (
        "import mmseq\nfrom pathlib import Path\n\n\nclass Log(mmseq.Callback):\n"
        "    def __init__(self, *, folder: Path = Path('a'), levels: tuple[int, ...] = (1, 2),\n"
        "                 limit: int | None = None): ..."
    )
    site.add("log", add + "    add.callback('log', 'mmseq_log.log:Log')\n", log=body)
    config = Config.from_layers(settings={"callbacks.log.folder": "b"})
    assert config.tables()["callbacks"]["log"] == {"folder": "b", "levels": [1, 2]}
    config.save(tmp_path / "c.toml")
    again = Config.from_file(tmp_path / "c.toml")
    wanted = {"folder": Path("b"), "levels": (1, 2), "limit": None}
    assert again.callbacks["log"].options == config.callbacks["log"].options == wanted


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("train.epochs=3", ("train.epochs", 3)),
        ("train.learning_rate = 1e-3", ("train.learning_rate", 1e-3)),
        ("aux.boundary.refine=true", ("aux.boundary.refine", True)),
        ("text_encoder.model=bert-base-cased", ("text_encoder.model", "bert-base-cased")),
        ("text_encoder.model=pkg:a/b=c", ("text_encoder.model", "pkg:a/b=c")),
        ('data.path="3"', ("data.path", "3")),
        ("data.path=", ("data.path", "")),
        ("x.layers=[1, 2]", ("x.layers", [1, 2])),
    ],
)
def test_a_setting_has_a_toml_value_or_is_a_string(text, setting):
    assert parse_setting(text) == setting


@pytest.mark.parametrize("text", ["epochs=3", "train.epochs", "=3", ""])
def test_a_setting_of_another_form(text):
    hint = ".*--set train.epochs=3" if text == "epochs=3" else ""
    with pytest.raises(UserError, match=f"^--set {text}: .*--set section.key=value{hint}"):
        parse_setting(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trian.seed": 1}, "section 'trian'.*'train'.*weighting"),
        ({"train.sede": 1}, r"^\[train\] .*'sede'.*'seed'.* seed,"),
        ({"train.epochs": "many"}, "^train.epochs: 'many': .*integer"),
        ({"train.epochs": True}, "^train.epochs: True: .*integer"),
        ({"train.epochs": 2.5}, "^train.epochs: 2.5: "),
        ({"train.epochs": -1}, "^train.epochs: -1: .*1"),
        ({"train.epochs": 0}, "^train.epochs: 0: .*1.* or auto"),
        ({"train.epochs": "once"}, "^train.epochs: 'once': .* or auto"),
        ({"train.seed": -1}, "^train.seed: -1: "),
        ({"train.batch_size": 0}, "^train.batch_size: 0: .*1"),
        ({"train.accumulate": 0}, "^train.accumulate: 0: "),
        ({"train.learning_rate": 0}, "^train.learning_rate: 0: .*greater than 0"),
        ({"train.learning_rate": float("inf")}, "^train.learning_rate: inf: "),
        ({"train.weight_decay": -0.1}, "^train.weight_decay: -0.1: "),
        ({"train.warmup": 1}, "^train.warmup: 1: .*less than 1"),
        ({"train.gradient_clip": -1.0}, "^train.gradient_clip: -1.0: "),
        ({"train.checkpoint_steps": -1}, "^train.checkpoint_steps: -1: "),
        ({"train.precision": "fp8"}, "^train.precision: 'fp8': .*'auto', 'no', 'fp16' or 'bf16'"),
        ({"train.keep_last": "so"}, "^train.keep_last: 'so': .*boolean.*true or false"),
        ({"train": 3}, "^train: .*train.KEY=VALUE"),
        ({"train.": 3}, "^train.: .*train.KEY=VALUE"),
        ({"train.seed.x": 3}, r"^\[train\] .*'seed.x'"),
        ({"data.scheme": "bip"}, "^data.scheme: 'bip': .*'auto', 'bio', .* or 'io'"),
        ({"data.image_dropout": 1.0}, "^data.image_dropout: 1.0: "),
        ({"data.map.A": [3]}, r"^data.map.A: \[3\]: "),
        ({"data.map": "A", "data.map.B": "C"}, "^data.map.B: 'A' .*keys"),
        ({"data.reader": "jsnl"}, "reader 'jsnl'.*'jsonl'"),
        ({"fusion.name": "gaet"}, "fusion 'gaet'.*'gate'.*concat"),
        ({"fusion.name": 3}, "^fusion.name: 3 .*string"),
        ({"fusion.droput": 0.1}, "^fusion 'gate' .*'droput'.*'dropout'"),
        ({"fusion.dropout": "x"}, "^fusion 'gate', .*'dropout': 'x' .*float"),
        (
            {"image_encoder.name": "none", "image_encoder.model": "x"},
            "^image_encoder 'none' .*'model'",
        ),
        ({"aux.boundary": 3}, "^aux.boundary: .*task"),
        ({"aux.boundry.weight": 3}, "aux task 'boundry'.*'boundary'"),
        ({"aux.boundary.weight": 3}, "'boundary' .*--aux boundary.$"),
        ({"callbacks.histroy.steps": 3}, "callback 'histroy'.*'history'"),
        ({"callbacks.history": 3}, "^callbacks.history: .*callbacks.history.KEY"),
    ],
)
def test_a_setting_that_cannot_be(settings, message):
    with pytest.raises(UserError, match=message):
        Config.from_layers(settings=settings)


@pytest.mark.parametrize(
    ("weight", "message"),
    [(-0.1, "aux.boundary.weight: -0.1 .*0"), (True, "True .*float"), ("one", "'one' .*float")],
)
def test_a_weight_that_cannot_be(weight, message):
    with pytest.raises(UserError, match=message):
        Config.from_layers(aux=["boundary"], settings={"aux.boundary.weight": weight})


def test_the_task_is_named_beside_those_that_are_there():
    with pytest.raises(UserError, match="--aux cluster,boundary"):
        Config.from_layers(aux=["cluster"], settings={"aux.boundary.weight": 1})


def test_an_unknown_task_of_the_flag():
    with pytest.raises(UserError, match="aux task 'contrastve'.*'contrastive'"):
        Config.from_layers(aux=["contrastve"])


def test_an_unknown_preset():
    with pytest.raises(UserError, match="preset 'mlmnr'.*'mlmner'"):
        Config.from_preset("mlmnr")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[train]\nepochs = \n", "my.toml: .*TOML.*line 2"),
        ("[trian]\n", "my.toml: .*'trian'.*'train'"),
        ("train = 3\n", r"my.toml: .*\[train\]"),
        ("aux = ['boundary']\n", r"my.toml: .*\[aux\]"),
        ("[aux]\nboundary = 0.4\n", r"my.toml: .*0.4: .*\[aux.boundary\]"),
        ("[fusion]\nname = 'film'\n", "my.toml: .*fusion 'film'"),
        ("[aux.boundry]\n", "my.toml: .*aux task 'boundry'.*'boundary'"),
        ("[callbacks.x]\n", "my.toml: .*callback 'x'"),
        (
            "[train]\nepoch = 3\n",
            r"^/.*my.toml: \[train\] .*'epoch'.*'epochs'",
        ),
        ("[train]\nepochs = -1\n", "^/.*my.toml: train.epochs: -1: "),
        ("[fusion]\nheads = 3\n", "^/.*my.toml: fusion 'gate' .*'heads'"),
    ],
)
def test_a_file_that_cannot_be(toml, text, message):
    with pytest.raises(UserError, match=message):
        Config.from_file(toml(text))


def test_a_setting_that_cannot_be_is_not_laid_on_the_file(toml):
    with pytest.raises(UserError, match=r"^\[train\] .*'epoch'"):
        Config.from_file(toml("[train]\nepochs = 3\n"), {"train.epoch": 3})


def test_a_file_that_is_not_there_or_no_text(tmp_path):
    with pytest.raises(UserError, match=r"no\.toml: No such file.*TOML"):
        Config.from_file(tmp_path / "no.toml")
    with pytest.raises(UserError, match="Is a directory.*TOML"):
        Config.from_file(tmp_path)
    (tmp_path / "image.toml").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(UserError, match=r"image\.toml: .*TOML"):
        Config.from_file(tmp_path / "image.toml")


def test_a_preset_that_names_an_absent_component(preset):
    source = "^preset 'brief' of mmseq-film 1.0: "
    with pytest.raises(UserError, match=f"{source}.*fusion 'movie'"):
        Config.from_preset(preset('[fusion]\nname = "movie"\n'))
    with pytest.raises(UserError, match=f"{source}.*aux task 'scene'"):
        Config.from_preset(preset("[aux.scene]\n"))
    assert Config.from_layers("brief", aux=[]).aux == {}


def test_a_preset_that_is_broken_or_missing(preset, site):
    with pytest.raises(UserError, match=r"brief\.toml: .*TOML.*line 1"):
        Config.from_preset(preset("[fusion\n"))
    with pytest.raises(UserError, match=r"^preset 'brief' of mmseq-film 1\.0: .*section"):
        Config.from_preset(preset("[fushion]\n"))
    (site.folder / "mmseq_film" / "brief.toml").unlink()
    with pytest.raises(UserError, match=r"^preset 'brief' of mmseq-film 1\.0: .*brief\.toml"):
        Config.from_preset("brief")


def test_a_component_whose_module_is_missing(site):
    add = "import mmseq\n@mmseq.hookimpl\ndef register_components(add):\n"
    site.add("film", add + "    add.fusion('film', 'mmseq_film.film:Film')\n")
    with pytest.raises(UserError, match=r"^fusion 'film' of mmseq-film 1\.0 .*loaded"):
        Config.from_layers(settings={"fusion.name": "film"})


def test_the_callers_tables_are_not_changed():
    mapping = {"OTHER": "MISC"}
    flags = {"fusion": {"name": "concat"}}
    settings = {"data.map": mapping, "data.map.X": "Y", "fusion.width": 3}
    config = Config.from_layers(flags=flags, settings=settings)
    assert config.data.map == {"OTHER": "MISC", "X": "Y"}
    assert mapping == {"OTHER": "MISC"}
    assert flags == {"fusion": {"name": "concat"}}
    assert options(Config.from_layers())["dropout"] == 0.1


@pytest.mark.parametrize("key", ["features", "cache"])
def test_where_things_are_kept(tmp_path, monkeypatch, key):
    monkeypatch.setenv("HOME", str(tmp_path))
    for value, folder in {
        "auto": Path("default"),
        "off": None,
        "kept": Path("kept"),
        "~/kept": tmp_path / "kept",
    }.items():
        assert DataConfig(**{key: value}).store(key, lambda: Path("default")) == folder
    with pytest.raises(UserError, match=rf"data\.{key} .*empty"):
        DataConfig(**{key: ""}).store(key, lambda: Path("default"))


def test_nested_tables_as_dotted_keys():
    assert dotted({"a": {"b": 1, "c": {"d": [2]}, "e": {}}, "f": None}) == {
        "a.b": 1,
        "a.c.d": [2],
        "f": None,
    }
    assert dotted({"a": {"b": 1, "c": {"d": 2}}}, "/") == {"a/b": 1, "a/c/d": 2}


def test_files_of_before_say_zero_epochs_where_now_it_is_auto(toml):
    """In files alone: whoever types 0 now is told what it is called."""
    path = toml("[train]\nepochs = 0\nsteps = 40\n")
    assert Config.from_file(path).train.epochs == "auto"
    assert Config.from_file(toml("")).tables()["train"]["epochs"] == "auto"
    with pytest.raises(UserError, match="^train.epochs: 0: .*auto"):
        Config.from_file(path, {"train.epochs": 0})
    with pytest.raises(UserError, match="^.*my.toml: train.epochs: False: "):
        Config.from_file(toml("[train]\nepochs = false\n"))

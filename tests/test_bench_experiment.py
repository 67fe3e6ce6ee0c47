"""Which experiment a run is: its configuration, its data, its versions; not where things lie."""

import shutil

import pytest
from PIL import Image

from mmseq.bench.experiment import experiments
from mmseq.bench.plan import DataSet, Override, Plan, Problems, System

TEXT_ONLY = '[fusion]\nname = "none"\n'
GATE = '[image_encoder]\nname = "timm"\nmodel = "test_vit"\nweights = "random"\n'


@pytest.fixture
def config(tmp_path):
    """A config file, text only."""
    path = tmp_path / "config.toml"
    path.write_text(TEXT_ONLY, encoding="utf-8")
    return path


@pytest.fixture
def plan(config, tiny_data):
    def make(**changes):
        own = {
            "systems": (System("text", config=config),),
            "data": (DataSet("tiny", str(tiny_data)),),
            "seeds": (1,),
        }
        return Plan(**{**own, **changes})

    return make


def found(plan):
    problems = Problems()
    result = experiments(plan, problems)
    assert problems.lines == []
    return result


def problems_of(plan):
    problems = Problems()
    experiments(plan, problems)
    return problems.lines


def key(plan):
    (one,) = found(plan)
    return one.key


def test_the_product_in_order_with_names_of_its_own(plan, config):
    runs = found(
        plan(
            systems=(System("a", config=config), System("b", preset="bert-crf")),
            seeds=(1, 2),
            overrides=(Override("", {}), Override("slow", {"train.learning_rate": 1e-5})),
        )
    )
    assert [(e.row, e.seed) for e in runs] == [
        ("a", 1), ("a", 2), ("a slow", 1), ("a slow", 2),
        ("b", 1), ("b", 2), ("b slow", 1), ("b slow", 2),
    ]  # fmt: skip
    assert len({e.name for e in runs}) == len({e.key for e in runs}) == 8
    assert runs[2].config.train.learning_rate == 1e-5
    assert runs[2].config.train.seed == 1
    assert runs[2].settings == {"train.learning_rate": 1e-5}
    # 24 sentences: one batch of 32 an epoch, and of so short ones five times the text encoder's
    # own 8.
    assert runs[0].steps == 40


def test_settings_of_plan_system_and_override_in_that_order(plan, config):
    (run,) = found(
        plan(
            systems=(
                System("a", config=config, settings={"train.epochs": 4, "train.warmup": 0.2}),
            ),
            settings={"train.epochs": 3, "train.batch_size": 5, "train.warmup": 0.0},
            overrides=(Override("x", {"train.warmup": 0.3}),),
        )
    )
    train = run.config.train
    assert (train.epochs, train.batch_size, train.warmup) == (4, 5, 0.3)
    # 24 sentences in batches of 5: 5 steps in each of 4 epochs.
    assert run.steps == 20


def test_a_moved_folder_and_another_name_are_the_same_experiment(plan, config, tiny_data, tmp_path):
    own = key(plan())
    shutil.copytree(tiny_data, tmp_path / "moved")
    moved = DataSet("other name", str(tmp_path / "moved"))
    assert key(plan(data=(moved,), systems=(System("renamed", config=config),))) == own


@pytest.mark.parametrize(
    "changes",
    [
        {"seeds": (2,)},
        {"settings": {"train.learning_rate": 2e-3}},
        {"settings": {"data.splits": ["train", "valid"]}},
    ],
)
def test_another_configuration_is_another_experiment(plan, changes):
    assert key(plan(**changes)) != key(plan())


def test_changed_data_and_pictures_are_another_experiment(plan, tiny_data, tmp_path):
    own = key(plan())
    shutil.copytree(tiny_data, tmp_path / "changed")
    there = plan(data=(DataSet("tiny", str(tmp_path / "changed")),))
    assert key(there) == own
    picture = next((tmp_path / "changed" / "images").iterdir())
    Image.new("RGB", (40, 32), "white").save(picture)
    with_picture = key(there)
    file = tmp_path / "changed" / "test.jsonl"
    file.write_text(file.read_text().replace("friends", "foes"))
    assert len({own, with_picture, key(there)}) == 3


def test_another_version_is_another_experiment(plan, site, tmp_path):
    def versioned(version):
        source = (
            "import mmseq\n"
            "from mmseq.builtins.fusion import NoFusion\n"
            "class Own(NoFusion):\n    '''Nothing.'''\n"
            "@mmseq.hookimpl\n"
            "def register_components(add):\n    add.fusion('own', Own)\n"
        )
        return site.add("own", source, version=version)

    config = tmp_path / "own.toml"
    config.write_text('[fusion]\nname = "own"\n', encoding="utf-8")
    own = plan(systems=(System("own", config=config),))
    package = versioned("1.0")
    (first,) = found(own)
    assert first.versions["mmseq-own"] == "1.0"
    shutil.rmtree(package)
    shutil.rmtree(site.folder / "mmseq_own-1.0.dist-info")
    versioned("1.1")
    from mmseq.registry.plugins import load_plugins

    load_plugins.cache_clear()
    (second,) = found(own)
    assert second.versions["mmseq-own"] == "1.1"
    assert second.key != first.key


def test_the_weights_a_run_starts_from_count_by_content(plan, tmp_path):
    keys = []
    for folder, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.safetensors").write_bytes(content)
        keys.append(key(plan(settings={"train.init": str(tmp_path / folder)})))
    assert keys[0] == keys[1] != keys[2]
    (line,) = problems_of(plan(settings={"train.init": str(tmp_path / "absent")}))
    assert line.startswith(f"train.init: {tmp_path / 'absent' / 'model.safetensors'}: No such file")


def test_an_encoder_on_this_disk_counts_by_content(plan, tmp_path):
    keys = []
    for folder, content in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "config.json").write_text(content, encoding="utf-8")
        keys.append(key(plan(settings={"text_encoder.model": str(tmp_path / folder)})))
    assert keys[0] == keys[1] != keys[2]
    # A name on the Hub is no folder here.
    hub = {key(plan(settings={"text_encoder.model": name})) for name in ("bert-a", "bert-b")}
    assert len(hub) == 2


def test_all_problems_are_told_before_anything_runs(plan, tmp_path):
    broken = tmp_path / "broken.toml"
    broken.write_text('[fusion]\nname = "gait"\n', encoding="utf-8")
    lines = problems_of(
        plan(
            systems=(
                System("one", preset="bert-cfr"),
                System("two", config=broken),
                System("three", preset="bert-crf", settings={"train.epoch": 1}),
            ),
            data=(DataSet("absent", str(tmp_path / "absent")), DataSet("empty", str(tmp_path))),
            overrides=(Override("x", {"fusion.dropot": 0.1}),),
        )
    )
    for line, expected in zip(
        lines,
        (
            "one: Unknown preset 'bert-cfr'. Did you mean 'bert-crf'?",
            f"two: {broken}: Unknown fusion 'gait'. Did you mean 'gate'?",
            "three: [train] has no key 'epoch'. Did you mean 'epochs'?",
            "three: fusion 'none' has no option 'dropot'.",
            f"No data folder {tmp_path / 'absent'}",
            f"{tmp_path}: no data file",
        ),
        strict=True,
    ):
        assert line.startswith(expected), line


def test_missing_data_and_data_without_training_sentences(plan, tmp_path):
    (tmp_path / "only-test").mkdir()
    (tmp_path / "only-test" / "test.txt").write_text("so\tO\n", encoding="utf-8")
    lines = problems_of(
        plan(
            data=(
                DataSet("absent", str(tmp_path / "absent")),
                DataSet("only", str(tmp_path / "only-test")),
            )
        )
    )
    assert lines[0].startswith(f"No data folder {tmp_path / 'absent'}")
    assert "no split 'train'" in lines[1]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"systems": ()}, "[[systems]]"),
        ({"data": ()}, "'sample'"),
        ({"seeds": ()}, "seeds"),
        ({"settings": {"train.seed": 3}}, "text: "),
        ({"baseline": "txt"}, "baseline: no system 'txt'"),
    ],
)
def test_what_a_plan_must_have(plan, changes, line):
    assert any(line in told for told in problems_of(plan(**changes)))


def test_names_are_given_once_and_rows_differ(plan, config):
    twice = (System("a", config=config), System("a", preset="bert-crf"))
    assert any("two systems" in line and "'a'" in line for line in problems_of(plan(systems=twice)))
    same = (System("a", config=config), System("b", config=config))
    (line,) = problems_of(plan(systems=same))
    assert line.startswith("'a' on tiny and 'b' on tiny")
    assert "the same" in line


def test_an_optional_system_that_is_not_installed_is_left_out(plan, config):
    systems = (System("a", config=config), System("new", preset="no-such", optional=True))
    assert [e.row for e in found(plan(systems=systems))] == ["a"]
    assert not systems[1].installed


def test_names_of_files_are_of_one_folder_and_short_enough(plan, tiny_data):
    (one,) = found(plan(data=(DataSet("../../a b/\U0001f600", str(tiny_data)),)))
    assert one.name == f"text-..-..-a-b--seed-1-{one.key[:10]}"
    (one,) = found(plan(data=(DataSet("\U00020000" * 300, str(tiny_data)),)))
    # With the longest ending that is put to it.
    assert len(f"{one.name}.txt".encode()) <= 255


def test_a_row_has_one_name(plan, config):
    lines = problems_of(
        plan(
            systems=(System("a b", config=config), System("a", preset="bert-crf")),
            overrides=(Override("", {}), Override("b", {"train.learning_rate": 1e-5})),
        )
    )
    assert lines == ["two rows are called 'a b': rename a system or an override."]


def test_data_are_read_as_the_runs_read_them_and_in_no_other_way(plan, tiny_data, tmp_path):
    """A test file that no run looks at may be anything."""
    shutil.copytree(tiny_data, tmp_path / "blind")
    (tmp_path / "blind" / "test.jsonl").write_text("not JSON\n", encoding="utf-8")
    data = (DataSet("blind", str(tmp_path / "blind")),)
    (one,) = found(plan(data=data, settings={"data.splits": ["train", "valid"]}))
    assert list(one.checksums) == ["train", "valid"]
    assert len(problems_of(plan(data=data))) == 1

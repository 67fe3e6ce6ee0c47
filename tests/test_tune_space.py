"""Space files: what is read, what is told, and which settings a trial gets."""

import re

import pytest

from mmseq.bench.plan import Problems
from mmseq.config.config import Config
from mmseq.tune.parameter import Choices, Parameter, Range
from mmseq.tune.search import Method, read_search, space_of
from mmseq.tune.space import Space, checked_space


@pytest.fixture
def told(tmp_path, run_cli):
    """Lines that the command prints on a space file that it does not take."""

    def call(text, *flags):
        path = tmp_path / "space.toml"
        path.write_text(text, encoding="utf-8")
        done = run_cli("tune", path, *flags, "--output", tmp_path / "out")
        assert done.code == 2, done.err
        assert not (tmp_path / "out").exists()
        *lines, last = done.err.splitlines()
        assert all(line.startswith(f"{path}: ") for line in lines)
        count = f"{len(lines)} problem{'s' if len(lines) > 1 else ''}"
        assert last == f"Error: {count}; nothing was run."
        return [line.removeprefix(f"{path}: ") for line in lines]

    return call


@pytest.fixture
def search(tmp_path):
    def call(text):
        problems = Problems()
        path = tmp_path / "space.toml"
        path.write_text(text, encoding="utf-8")
        found = read_search(path, problems)
        assert problems.lines == []
        return found

    return call


@pytest.fixture
def base(tiny_encoder, tiny_data):
    return Config.from_layers(
        flags={"text_encoder": {"name": "transformer", "model": str(tiny_encoder)}},
        settings={"data.path": str(tiny_data), "train.epochs": 3},
    )


def test_a_space_file_is_read(search, tmp_path):
    found = search("""
        trials = 7
        preset = "bert-crf"
        data = "twitter"
        images = "pictures"
        offline = true
        aux = []
        random_trials = 3
        pruner = "none"
        [set]
        "train.batch_size" = 16
        train.warmup = 0.2
        data.map = { OTHER = "MISC" }
        [space]
        "text_encoder.learning_rate" = { low = 1e-5, high = 5e-4, log = true }
        train.epochs = { low = 3, high = 8 }
        train.learning_rate = { low = 0.1, high = 0.5, step = 0.1 }
        "fusion.name" = ["gate", "concat"]
        [space.aux]
        boundary.weight = [0.1, 1]
    """)
    assert (found.trials, found.preset, found.offline, found.aux) == (7, "bert-crf", True, ())
    assert found.data == str(tmp_path / "twitter")
    assert found.images == str(tmp_path / "pictures")
    assert found.method == Method(random_trials=3, pruner="none")
    # With quotes or without, a dotted key is the same.
    assert found.settings == {
        "train.batch_size": 16,
        "train.warmup": 0.2,
        "data.map": {"OTHER": "MISC"},
    }
    assert found.parameters == (
        Parameter("text_encoder.learning_rate", Range(1e-5, 5e-4, log=True)),
        Parameter("train.epochs", Range(3, 8, whole=True)),
        Parameter("train.learning_rate", Range(0.1, 0.5, step=0.1)),
        Parameter("fusion.name", Choices(("gate", "concat"))),
        Parameter("aux.boundary.weight", Choices((0.1, 1))),
    )


def test_every_mistake_of_a_space_file_is_told_at_once(told, tiny_data):
    lines = told(
        """
        trails = 3
        sampler = "tpee"
        random_trials = 0
        [set]
        "train.batch_size" = 16
        [space]
        "text_encoder.learning_rat" = { low = 1e-5, high = 5e-4, log = true }
        train.epochs = { low = 8, high = 3 }
        train.batch_size = [8, 16]
        train.warmup = { low = 0, high = 0.5, log = true }
        fusion.name = ["gat", "concat"]
        fusion.widht = [64, 128]
        trian.epochs = [1]
        epochs = { low = 1, high = 3 }
        train.gradient_clip = { low = -1, high = 1.0 }
        train.weight_decay = { lo = 0, high = 1 }
        train.accumulate = { low = 1, high = 4.5 }
        train.learning_rate = { low = 1e-4, high = "1e-3" }
        train.precision = ["fp16", "fp8"]
        train.seed = 3
        data.map = [{ A = "B" }]
        aux.boundary.weight = { low = 0.1, high = 1 }
        decoder.name = []
        weighting.name = ["fixed", "fixed"]
        """,
        str(tiny_data),
    )
    expected = [
        "the space file has no key 'trails'. Did you mean 'trials'?",
        "random_trials = 0: it must be at least 1.",
        "Unknown sampler 'tpee'. Did you mean 'tpe'?",
        "train.epochs: low = 8 is above high = 3.",
        "train.warmup: log = true needs low above 0, not 0.",
        "train.weight_decay has no key 'lo'. Did you mean 'low'?",
        "train.learning_rate: high = '1e-3' is not of the right type.",
        "train.seed = 3 is no range and no list; write { low = …, high = … } or [a, b].",
        "decoder.name: no choice in [].",
        "weighting.name: 'fixed' is there twice; name it once.",
        "train.batch_size is fixed by [set] or --set, and in [space]; leave one out.",
        "text encoder 'transformer' has no option 'learning_rat'. Did you mean 'learning_rate'?",
        "Unknown fusion 'gat'. Did you mean 'gate'?",
        "fusion.widht: none of gat, concat has the option 'widht'. Did you mean 'width'?",
        "Unknown config section 'trian'. Did you mean 'train'?",
        "Unknown config section 'epochs'.",
        "train.gradient_clip: -1: Input should be greater than or equal to 0.",
        "train.accumulate: 4.5: Input should be a valid integer.",
        "train.precision: 'fp8': Input should be",
        "data.map: not to be searched: all trials are scored on the same sentences and pictures.",
        "aux.boundary.weight: 'boundary' is not a task of this run; add it: --aux boundary.",
    ]
    for begin in expected:
        assert sum(line.startswith(begin) for line in lines) == 1, begin
    assert len(lines) == len(expected)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[space]", "nothing to search"),
        ("trials = 2", "nothing to search"),
        (
            "[space]\ntrain.epochs = { low = 1 }",
            "train.epochs: .*'high'",
        ),
        (
            "[space]\ntrain.epochs = { low = 1, high = 9, step = 2, log = true }",
            "train.epochs: log and step ",
        ),
        (
            "[space]\ntrain.epochs = { low = 1, high = 9, step = 0 }",
            "train.epochs: step = 0 ",
        ),
        (
            "[space]\ntrain.warmup = { low = 0, high = inf }",
            "train.warmup: high = inf .*finite",
        ),
        (
            "preset = 'bert-cfr'\n[space]\ntrain.epochs = [1]",
            ".*'bert-cfr'.*'bert-crf'",
        ),
        ("aux = [3]\n[space]\ntrain.epochs = [1]", "aux: 3 "),
        (
            "[set]\ndata.splits = ['train', 'test']\n[space]\ntrain.epochs = [1]",
            "data.splits: .*'valid'",
        ),
    ],
)
def test_a_mistake_is_one_line(told, tiny_data, text, line):
    (found,) = told(text, str(tiny_data))
    assert re.match(line, found)


def test_data_without_validation_are_told(told, tiny_data, tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        text = (tiny_data / f"{split}.jsonl").read_text(encoding="utf-8")
        (tmp_path / "data" / f"{split}.jsonl").write_text(text, encoding="utf-8")
    (line,) = told("[space]\ntrain.epochs = [1]", str(tmp_path / "data"))
    assert line.startswith(f"{tmp_path / 'data'}: no split 'valid'")


def test_a_space_file_that_is_not_there_is_told(run_cli, tmp_path):
    (tmp_path / "space.toml").touch()
    done = run_cli("tune", tmp_path / "spce.toml")
    assert done.code == 2
    places = f"{tmp_path / 'spce.toml'}.*{tmp_path / 'space.toml'}"
    assert re.fullmatch(f"Error: .*{places}.*\n", done.err)


def test_without_optuna_the_extra_is_named(run_cli, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    (tmp_path / "space.toml").write_text("[space]\ntrain.epochs = [1]\n", encoding="utf-8")
    done = run_cli("tune", tmp_path / "space.toml")
    assert done.code == 2
    assert "pip install 'mmseq[tune]'" in done.err
    assert len(done.err.splitlines()) == 1


def test_flags_win_over_the_file(search, tiny_data, tmp_path, run_cli):
    """The flag's mistake is told, the file's is not."""
    search('preset = "nonsense"\ndata = "nowhere"\n[space]\ntrain.epochs = [1]')
    done = run_cli("tune", tmp_path / "space.toml", str(tiny_data), "--preset", "bert-cfr")
    assert "'bert-cfr'" in done.err
    assert "nonsense" not in done.err
    assert "nowhere" not in done.err


def test_the_flag_of_tasks_makes_their_weights_keys(search, tiny_data):
    found = search(f"""
        data = "{tiny_data}"
        aux = ["boundary"]
        [set]
        fusion.name = "cross-transformer"
        [space]
        aux.boundary.weight = {{ low = 0, high = 1 }}
    """)
    problems = Problems()
    space, _ = space_of(found, problems)
    assert problems.lines == []
    # A weight takes fractions, so that whole ends do not mean whole numbers.
    assert space.parameters == [Parameter("aux.boundary.weight", Range(0, 1))]


def test_whole_numbers_stay_whole_where_the_key_takes_no_other(base):
    problems = Problems()
    given = [
        Parameter("train.epochs", Range(3, 8, whole=True)),
        Parameter("train.gradient_clip", Range(1, 5, whole=True)),
        Parameter("train.weight_decay", Range(0, 4, step=2, whole=True)),
    ]
    space = checked_space(base, given, problems)
    assert problems.lines == []
    assert [p.values.whole for p in space.parameters] == [True, False, True]


def test_whole_numbers_written_as_decimals_are_whole_where_the_key_takes_no_other(base):
    problems = Problems()
    given = [
        Parameter("train.epochs", Range(3.0, 8.0)),
        Parameter("train.batch_size", Range(4.0, 8.0, step=2.0)),
        Parameter("train.gradient_clip", Range(1.0, 5.0)),
    ]
    space = checked_space(base, given, problems)
    assert problems.lines == []
    assert [p.values for p in space.parameters] == [
        Range(3, 8, whole=True),
        Range(4, 8, step=2, whole=True),
        Range(1.0, 5.0),
    ]


def highest(parameter):
    return parameter.values.corners[-1]


def lowest(parameter):
    return parameter.values.corners[0]


def test_an_option_that_the_chosen_component_lacks_is_left_out(base):
    """`concat` has a width, `none` has none."""
    width = Parameter("fusion.width", Range(16, 32, whole=True))
    names = Parameter("fusion.name", Choices(("concat", "none")))
    problems = Problems()
    space = checked_space(base, [width, names], problems)
    assert problems.lines == []
    assert space.draw(highest) == {"fusion.name": "none"}
    assert space.draw(lowest) == {"fusion.name": "concat", "fusion.width": 16}
    assert space.config(space.draw(lowest)).component("fusion").options["width"] == 16
    assert space.config(space.draw(highest)).component("fusion").name == "none"


def test_a_base_s_options_of_a_component_go_with_its_name(base):
    base = base.replaced({"fusion.dropout": 0.4})
    space = Space(base, [Parameter("fusion.name", Choices(("gate", "concat")))])
    dropouts = [
        space.config({"fusion.name": name}).component("fusion").options["dropout"]
        for name in ("gate", "concat")
    ]
    # The default of `concat`, not what was said of `gate`.
    assert dropouts == [0.4, 0.1]


def test_a_trial_s_config_leaves_the_test_split_out_and_names_its_length(base):
    space = Space(base.replaced({"train.epochs": "auto"}), [])
    config = space.config({})
    assert config.data.splits == ["train", "valid"]
    # Of so few sentences an epoch is one step: five times the text encoder's own 8.
    assert (config.train.epochs, config.train.steps) == ("auto", 40)
    assert space.whole({}).data.splits == ["train", "valid", "test"]

"""The command line of benches: problems told at once, what a plan would take, exit codes."""

import json
import os

import pytest
import warm

from mmseq.bench.plan import DataSet, Plan, Problems, System, only

CONFIG = '[text_encoder]\nmodel = "{}"\n[fusion]\nname = "none"\n[train]\ndevice = "cpu"\n'


@pytest.fixture
def plan(tmp_path, tiny_encoder, tiny_data):
    """A plan file of one system, one seed, one epoch."""
    (tmp_path / "text.toml").write_text(CONFIG.format(tiny_encoder), encoding="utf-8")
    path = tmp_path / "plan.toml"
    path.write_text(
        f'data = ["{tiny_data}"]\nseeds = 1\nset = {{"train.epochs" = 1}}\n'
        '[[systems]]\nname = "text"\nconfig = "text.toml"\n',
        encoding="utf-8",
    )
    return path


def test_every_problem_is_a_line_and_nothing_runs(run_cli, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'presets = ["bert-cfr"]\ndata = ["absent"]\nseeds = "5-1"\nseds = 3\n', encoding="utf-8"
    )
    told = run_cli("bench", plan, "--output", tmp_path / "out")
    assert told.code == 2
    lines = told.err.splitlines()
    assert lines[0].startswith(f"{plan}: the plan has no key 'seds'")
    assert lines[1].startswith(f"{plan}: seeds: '5-1' ")
    assert lines[2].startswith(f"{plan}: bert-cfr: ")
    assert lines[3].startswith(f"{plan}: ")
    assert str(tmp_path / "absent") in lines[3]
    assert lines[4:] == ["Error: 4 problems in the plan; nothing was run."]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "--presets, --data and --seeds"),
        (["--ray", "plan.toml"], "--ray plan.toml: "),
        (["tabel9"], "plan 'tabel9'"),
        (["--presets", "bert-crf", "--set", "epochs"], "--set section.key="),
    ],
)
def test_what_cannot_be_a_bench(run_cli, arguments, line):
    told = run_cli("bench", *arguments)
    assert told.code == 2
    assert line in told.err


def test_gpus_are_for_clusters(run_cli, plan, tmp_path):
    told = run_cli("bench", plan, "--gpus", "1", "--output", tmp_path / "out")
    assert told.code == 2
    assert told.err.startswith("Error: --gpus belongs to --ray")


@pytest.mark.process
def test_a_dry_run_lists_and_estimates_and_leaves_nothing(run_cli, plan, tmp_path):
    told = run_cli("bench", plan, "--seeds", "1-3", "--dry-run", "--output", tmp_path / "out")
    assert told.code == 0, told.err
    assert "1, 2, 3" in told.out
    assert "3 runs to do, 0 done already." in told.out
    assert "Estimated:" in told.out
    assert not (tmp_path / "out").exists()


@pytest.fixture
def forked(monkeypatch):
    """The processes that runs and dry runs take are forked."""
    for module in ("mmseq.bench.forecast", "mmseq.jobs.local"):
        monkeypatch.setattr(f"{module}.start_worker", warm.start_worker)


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_a_dry_run_says_what_cannot_run(run_cli, plan, tmp_path):
    told = run_cli(
        "bench", plan, "--dry-run", "--set", f"text_encoder.model={tmp_path / 'no-model'}"
    )
    assert told.code == 1
    assert "cannot run: text_encoder.model:" in told.err
    assert "Timing a few steps of text, tiny-data (1 of 1)" in told.out
    assert "(1 cannot)" in told.out


DEADLY = """
import os, signal, sys, mmseq

class Deadly(mmseq.Callback):
    '''Fills a pipe (64 KiB) and is killed as for want of memory.'''

    def __init__(self) -> None:
        sys.stderr.write("\\n" * 200_000)
        sys.stderr.flush()
        os.kill(os.getpid(), signal.SIGKILL)

@mmseq.hookimpl
def register_components(add):
    add.callback("deadly", Deadly)
"""


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_a_dry_run_outlives_a_process_that_prints_much_and_is_killed(
    run_cli, plan, site, monkeypatch
):
    site.add("deadly", DEADLY)
    path = [str(site.folder), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    config = plan.with_name("text.toml")
    config.write_text(config.read_text() + "[callbacks.deadly]\n", encoding="utf-8")
    told = run_cli("bench", plan, "--dry-run")
    assert told.code == 1, told.err
    assert "text, tiny-data: cannot run: its process ended with signal 9" in told.err


def test_a_probe_counts_what_a_run_would_take(tiny_encoder, tiny_data):
    from mmseq.config.config import Config
    from mmseq.jobs.probe import probe

    config = Config.from_layers(
        flags={
            "text_encoder": {"name": "transformer", "model": str(tiny_encoder)},
            "image_encoder": {"name": "timm", "model": "test_vit", "weights": "random"},
            "fusion": {"name": "gate"},
        },
        settings={
            "data.path": str(tiny_data),
            "train.device": "cpu",
            "train.batch_size": 4,
            "train.epochs": 2,
        },
    )
    found = probe(config.tables(), 1)
    from mmseq.data.source import load_data
    from mmseq.training.initial import build_seeded

    train = load_data(config.data, ["train"])["train"].examples
    model, _ = build_seeded(config, ("O", "B-LOC", "I-LOC", "B-PER", "I-PER"), train)
    weights = sum(t.numel() * t.element_size() for t in model.state_dict().values())
    text = sum((tiny_data / f"{s}.jsonl").stat().st_size for s in ("train", "valid", "test"))
    assert found["disk"] == weights + text
    # AdamW keeps two moments and a count (4 bytes) of every trained weight.
    trained = [p for p in model.parameters() if p.requires_grad]
    moments = sum(8 * p.numel() + 4 for p in trained)
    assert found["peak_disk"] <= 2 * (weights + moments) + weights + text
    assert found["peak_disk"] > 2 * weights + weights + text
    assert 0 < found["seconds"] < 600
    assert found["memory"] > weights
    assert found["device"] == "cpu"


@pytest.mark.process
@pytest.mark.usefixtures("forked")
def test_a_failed_run_is_told_at_the_end_with_exit_code_1(run_cli, plan, tmp_path):
    output = tmp_path / "out"
    arguments = ("--set", "train.learning_rate=1e30", "--set", "text_encoder.learning_rate=1e30")
    told = run_cli("bench", plan, *arguments, "--set", "train.batch_size=4", "--output", output)
    assert told.code == 1
    assert "FAILED: text, tiny-data" in told.err
    assert "The losses are not finite" in told.err
    assert "1 of 1 runs failed; the same command tries them again." in told.err
    (log,) = (output / "logs").glob("*.txt")
    assert str(log) in told.err
    assert "not finite" in log.read_text(encoding="utf-8")
    assert not (output / "results.jsonl").exists()

    told = run_cli("bench", plan, "--output", output)
    assert told.code == 0, told.err
    (line,) = (output / "results.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["system"] == "text"
    # The table that it printed is had again by name.
    again = run_cli("table", output)
    assert (again.out, again.err) == (told.out[told.out.index(again.out.split("\n")[0]) :], "")
    assert json.loads((output / "layout.json").read_text())["rows"][0]["system"] == "text"


def test_published_figures_that_are_not_there_are_a_problem_before_anything_runs(
    run_cli, plan, tmp_path
):
    told = run_cli("bench", plan, "--published", "nosuch", "--output", tmp_path / "out")
    assert told.code == 2
    assert f"{plan}: No published figures 'nosuch'" in told.err
    assert not (tmp_path / "out").exists()


def test_an_output_that_is_a_file_is_one_line(run_cli, plan, tmp_path):
    (tmp_path / "out").touch()
    told = run_cli("bench", plan, "--output", tmp_path / "out")
    assert told.code == 2
    assert f"{tmp_path / 'out'} is a file" in told.err


def test_systems_and_pictures_of_the_command_line_take_the_place_of_the_plans(tmp_path):
    systems = (System("a", "x"), System("b", "y"))
    data = (DataSet("d", "/d"), DataSet("e", "/e", "/p"))
    plan, problems = Plan(systems=systems, data=data, baseline="a"), Problems()
    found = only(plan, ["b"], str(tmp_path), problems)
    assert [system.name for system in found.systems] == ["b"]
    assert [d.images for d in found.data] == [str(tmp_path)] * 2
    assert (found.baseline, problems.lines) == ("", [])
    assert only(plan, [], "", problems) == plan
    only(plan, ["c"], str(tmp_path / "none"), problems)
    assert [line.split(".")[0] for line in problems.lines] == [
        "Unknown system 'c'",
        f"--images {tmp_path / 'none'}: no such folder",
    ]

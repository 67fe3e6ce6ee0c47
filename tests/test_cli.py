import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import is_dataclass
from pathlib import Path

import click
import pytest

import mmseq as engine
from mmseq import __version__
from mmseq.cli import build
from mmseq.cli.inspect import CONTRACTS
from mmseq.registry.kinds import FILES, KINDS
from mmseq.registry.plugins import registry


def command_lines(group, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from command_lines(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = [((), build()), *command_lines(build())]


@pytest.mark.parametrize(
    ("path", "command"), COMMANDS, ids=[" ".join(path) or "mmseq" for path, _ in COMMANDS]
)
def test_the_help_of_a_command_has_its_examples_on_lines_of_their_own(run_cli, path, command):
    result = run_cli(*path, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith(f"Usage: mmseq {' '.join(path)}".rstrip())
    assert re.search(r"^  Examples?:$", result.out, re.MULTILINE)
    doc = inspect.cleandoc(command.callback.__doc__).splitlines()
    examples = [line for line in doc if line.startswith("  ")]
    assert examples
    for example in examples:
        assert f"  {example}" in result.out.splitlines()


def test_the_version(run_cli):
    assert run_cli("--version").out == f"mmseq, version {__version__}\n"


def test_list_names_every_component_with_its_provider_a_line_each(run_cli):
    result = run_cli("list")
    assert (result.code, result.err) == (0, "")
    heading, *lines = result.out.splitlines()
    assert heading.split() == ["kind", "name", "from", "what", "it", "is"]
    entries = registry().entries()
    assert len(lines) == len(entries)
    for line, entry in zip(lines, entries, strict=True):
        kind, name, provider, text = re.split(r" {2,}", line.strip())
        assert (kind, name, provider) == (KINDS[entry.kind], entry.name, entry.provider)
        assert text == entry.description


@pytest.mark.parametrize("kind", ["aux-task", "aux_task", "aux tasks", "AUX-TASKS"])
def test_a_kind_is_read_however_it_is_written(run_cli, kind):
    result = run_cli("list", kind, "--json")
    assert [record["name"] for record in json.loads(result.out)] == registry().names("aux_task")


def test_list_as_json(run_cli):
    records = json.loads(run_cli("list", "fusion", "--json").out)
    (record,) = [record for record in records if record["name"] == "gate"]
    assert record.pop("location").rpartition(":")[0].endswith("builtins/fusion.py")
    assert record.pop("description").startswith("A gate for every word")
    assert record == {
        "kind": "fusion",
        "name": "gate",
        "distribution": "mmseq",
        "version": __version__,
        "target": "mmseq.builtins.fusion:GateFusion",
    }


@pytest.mark.parametrize("arguments", [("list", "fusoin"), ("show", "fusoin", "gate")])
def test_an_unknown_kind(run_cli, arguments):
    result = run_cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert re.match("Error: .*'fusoin'.*'fusion'.*decoder", result.err)


def test_show_prints_documentation_options_and_place(run_cli):
    result = run_cli("show", "aux-task", "boundary")
    entry = registry().get("aux_task", "boundary")
    lines = result.out.splitlines()
    assert lines[:2] == [f"aux task 'boundary' from {entry.provider}", entry.location]
    assert entry.documentation in result.out
    table = [line.split() for line in lines]
    assert ["option", "type", "default"] in table
    assert ["refine", "bool", "False"] in table
    assert ["weight", "float", "0.4"] in table


def test_show_of_a_component_without_options(run_cli):
    assert run_cli("show", "weighting", "fixed").out.endswith("It has no options.\n")


def test_show_of_a_kind_is_its_contract_with_every_field(run_cli):
    shown = run_cli("show", "fusion").out
    for part in (
        "class Fusion(",
        "width: int",
        "class TextStates",
        "class ImageStates",
        "class Fused",
    ):
        assert part in shown
    assert '"""(B, R) bool: a real region"""' in shown
    for kind in CONTRACTS:
        assert run_cli("show", kind).out.startswith("class "), kind
    refused = run_cli("show", "preset")
    assert refused.code == 2
    assert "A preset is a TOML file; show one by its name: " in refused.err


def test_a_contract_leaves_out_nothing_that_its_methods_get_or_give():
    public = {name: getattr(engine, name) for name in engine.__all__}
    passed = {
        name
        for name, value in public.items()
        if is_dataclass(value)
        if value.__module__.startswith("mmseq.contracts.") and name != "Example"
    }
    for kind, (contract, *others) in CONTRACTS.items():
        if kind != "reader":
            words = set(re.findall(r"\w+", inspect.getsource(public[contract])))
            assert words & passed <= set(others), kind


def test_the_kind_of_tasks_by_the_name_of_the_flag(run_cli):
    assert run_cli("show", "aux").out == run_cli("show", "aux-task").out
    assert "Available: aux-task, callback, " in run_cli("show", "auxx").err


def test_every_kind_that_is_a_class_has_its_contract_shown():
    assert set(CONTRACTS) == set(KINDS) - set(FILES)


def test_show_as_json(run_cli):
    record = json.loads(run_cli("show", "text_encoder", "transformer", "--json").out)
    assert record["distribution"] == "mmseq"
    assert record["options"]["freeze"] == {"type": "int", "default": 0, "required": False}
    assert record["options"]["pool"]["type"] == "'first' or 'mean'"
    assert not {"sizes", "assets"} & set(record["options"])


def test_show_tells_required_options(run_cli, site):
    body = (
        "import mmseq\nclass Log(mmseq.Callback):\n    '''A [log].'''\n"
        "    def __init__(self, *, path: str, limit: int | None = None): ..."
    )
    add = "import mmseq\n@mmseq.hookimpl\ndef register_components(add):\n"
    site.add("log", add + "    add.callback('log', 'mmseq_log.log:Log')\n", log=body)
    result = run_cli("show", "callback", "log")
    assert "A [log]." in result.out
    assert ["path", "str", "(required)"] in [line.split() for line in result.out.splitlines()]
    assert "A [log]." in run_cli("list", "callback").out
    found = json.loads(run_cli("show", "callback", "log", "--json").out)["options"]
    assert found["path"] == {"type": "str", "default": None, "required": True}
    assert found["limit"] == {"type": "int or None", "default": None, "required": False}


def test_show_preset_prints_the_file_as_it_is(run_cli, tmp_path):
    result = run_cli("show", "preset", "mlmner")
    path = Path(registry().get("preset", "mlmner").path)
    assert result.out == path.read_text(encoding="utf-8")
    assert tomllib.loads(result.out)["fusion"]["name"] == "cross-transformer"
    assert json.loads(run_cli("show", "preset", "mlmner", "--json").out)["options"] == {}


def test_show_of_an_unknown_name(run_cli):
    result = run_cli("show", "fusion", "gaet")
    assert (result.code, result.out) == (2, "")
    assert re.match("Error: .*fusion 'gaet'.*'gate'.*concat", result.err)


def test_plugins_as_json(run_cli, site):
    package = site.add("broken", "import no_such_library", version="0.3")
    result = run_cli("plugins", "--json")
    found = {record["name"]: record for record in json.loads(result.out)}
    umt = found["umt"]
    assert (umt["distribution"], umt["module"], umt["error"]) == ("mmseq-umt", "mmseq_umt", "")
    names = {(record["kind"], record["name"]) for record in umt["components"]}
    assert {("fusion", "cross-transformer"), ("aux_task", "boundary")} <= names
    broken = found["broken"]
    assert (broken["distribution"], broken["version"]) == ("mmseq-broken", "0.3")
    assert broken["error"] == "ModuleNotFoundError: No module named 'no_such_library'"
    assert broken["components"] == []
    assert broken["file"] == str(package / "__init__.py")
    assert umt["file"].endswith("mmseq_umt/__init__.py")
    told = run_cli("plugins").out
    assert "broken: ModuleNotFoundError" in told
    assert broken["file"] in told


def test_a_clash_shows_in_list_and_stops_only_what_uses_the_name(run_cli, site):
    add = "import mmseq\n@mmseq.hookimpl\ndef register_components(add):\n"
    site.add("film", add + "    add.fusion('film', 'mmseq_film:Film')\n")
    site.add("movie", add + "    add.fusion('film', 'mmseq_movie:Film')\n", version="3")
    both = "fusion 'film' is provided by both mmseq-film 1.0 (mmseq_film:Film) and mmseq-movie 3"
    assert run_cli("--help").code == 0
    listed = run_cli("list", "fusion")
    assert listed.code == 0
    assert len([line for line in listed.out.splitlines() if " film " in line]) == 2
    assert listed.err.startswith(f"mmseq: {both}")
    for arguments in (("show", "fusion", "film"), ("train", "--fusion", "film")):
        result = run_cli(*arguments)
        assert (result.code, result.out) == (2, "")
        assert result.err.startswith(f"Error: {both}")
    assert run_cli("show", "fusion", "gate").code == 0


def test_without_arguments_it_is_the_help(run_cli):
    result = run_cli()
    assert result.code == 2
    assert "Commands:" in result.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "--fusoin", "x"], "See mmseq train --help."),
        (["train", "--seed", "x"], "Invalid value for '--seed'"),
        (["train", "a", "b"], "extra argument (b)"),
        (["show"], "'KIND'"),
        (["train", "--fusion", "crss-transformer"], "Did you mean 'cross-transformer'?"),
        (["train", "--aux", "contrastve"], "'contrastve'. Did you mean 'contrastive'"),
        (["train", "--aux", "cluster", "--set", "aux.cluster.wieght=1"], "mean 'weight'?"),
        (["train", "--set", "train.epochs=-1"], "train.epochs: -1: "),
        (["train", "--set", "epochs"], "--set section.key=value"),
        (["train", "--config", "no.toml"], "no.toml: No such file"),
        (["train", "--preset", "mlmnr"], "Did you mean 'mlmner'?"),
        (["train", "no/such/folder", "--aux", "none"], "no/such/folder"),
    ],
)
def test_a_users_mistake_is_one_line_and_exit_code_2(run_cli, arguments, message):
    result = run_cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
    assert result.err.startswith("Error: ")
    assert len(result.err.splitlines()) == 1


def test_debug_shows_the_traceback(run_cli):
    for arguments in (["show", "fusion", "gaet"], ["trian"]):
        result = run_cli(*arguments, debug=True)
        assert result.code == 2
        assert "Traceback (most recent call last)" in result.err
        assert result.err.splitlines()[-1].startswith("Error: ")


def test_an_aux_task_whose_view_the_fusion_lacks(run_cli, tiny_encoder, tiny_data, tmp_path):
    arguments = ["--fusion", "none", "--aux", "contrastive", "--output", tmp_path / "run"]
    encoder = f"text_encoder.model={tiny_encoder}"
    result = run_cli("train", tiny_data, *arguments, "--set", encoder)
    assert result.code == 2
    assert re.search(
        "^Error: aux task 'contrastive' .*'text'.*'none' .*'transformer' .*fused, words.*gate",
        result.err,
        re.MULTILINE,
    )
    assert not (tmp_path / "run").exists()


def mmseq(*arguments, cwd=None, **environment):
    """The command line as a process."""
    return subprocess.run(
        [sys.executable, "-m", "mmseq", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, **environment},
    )


def test_debug_is_taken_anywhere_on_the_line():
    for arguments in (["--debug", "show", "fusion", "gaet"], ["show", "fusion", "gaet", "--debug"]):
        result = mmseq(*arguments)
        assert result.returncode == 2
        assert "Traceback" in result.stderr
    assert "Traceback" not in mmseq("show", "fusion", "gaet").stderr


def test_a_broken_plugin_under_strict_loading_is_one_line_and_exit_code_2(site):
    site.add("broken", "import no_such_library", version="0.3")
    path = {"PYTHONPATH": str(site.folder)}
    line = "plugin 'broken' of mmseq-broken 0.3 .*ModuleNotFoundError: .*'no_such_library'.*\n"
    result = mmseq("list", "fusion", **path)
    assert result.returncode == 0
    assert re.fullmatch(f"mmseq: {line}", result.stderr)
    assert "gate" in result.stdout
    result = mmseq("list", "fusion", MMSEQ_STRICT_PLUGINS="1", **path)
    assert (result.returncode, result.stdout) == (2, "")
    assert re.fullmatch(f"Error: {line}", result.stderr)
    result = mmseq("list", "fusion", MMSEQ_LOAD_PLUGINS="", **path)
    assert (result.returncode, result.stderr) == (0, "")
    assert "cross-transformer" not in result.stdout


def test_a_plugins_command(site):
    source = """
import click, mmseq

@mmseq.hookimpl
def register_commands(cli):
    @cli.command()
    @click.argument("word")
    def film(word):
        "Say a word."
        if word == "no":
            raise mmseq.UserError("not that word")
        click.echo(word)

    @cli.command("list")
    def replaced():
        click.echo("replaced")
"""
    site.add("film", source)
    path = {"PYTHONPATH": str(site.folder)}
    result = mmseq("film", "yes", **path)
    assert (result.returncode, result.stdout) == (0, "yes\n")
    taken = "mmseq: command 'list' of plugin 'film' of mmseq-film 1.0 is left out"
    assert result.stderr.startswith(taken)
    result = mmseq("film", "no", **path)
    assert (result.returncode, result.stderr.splitlines()[-1]) == (2, "Error: not that word")
    result = mmseq("list", **path)
    assert "gate" in result.stdout
    assert "Say a word." in mmseq("--help", **path).stdout


def test_a_closed_pipe_is_no_error():
    program = f"{sys.executable} -m mmseq list --json | head -c 1"
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[", "")

import sys

import click
import pytest

from mmseq import __version__
from mmseq.errors import UserError
from mmseq.registry.plugins import ENGINE, Plugins, _points, load_plugins

FILM = """
import mmseq

@mmseq.hookimpl
def register_components(add):
    add.fusion("film", "{package}.film:FilmFusion")
"""
FILM_FUSION = '''"""Not imported by a listing."""
import mmseq


class FilmFusion(mmseq.Fusion):
    """Words scaled by the picture.

    More about it.
    """
'''
COMMAND = """
import click, mmseq

@mmseq.hookimpl
def register_commands(cli):
    @cli.command({name!r})
    def command():
        click.echo("of the plugin")
"""


def film(package):
    return FILM.format(package=package)


def registering(*lines):
    body = "\n    ".join(lines)
    return f"import mmseq\n\n@mmseq.hookimpl\ndef register_components(add):\n    {body}\n"


def test_the_engine_registers_its_parts_through_the_hook():
    loaded = Plugins([ENGINE], strict=True)
    assert [plugin.distribution for plugin in loaded.plugins] == ["mmseq"]
    entry = loaded.registry.get("decoder", "crf")
    assert (entry.plugin, entry.provider) == ("mmseq", f"mmseq {__version__}")
    for kind in ("text_encoder", "image_encoder", "fusion", "decoder", "weighting", "reader"):
        assert loaded.registry.names(kind)


def test_provenance_description_and_place_are_known_without_importing(site):
    package = site.add("film", film("mmseq_film"), version="2.1", film=FILM_FUSION)
    entry = site.load().registry.get("fusion", "film")
    assert (entry.plugin, entry.distribution, entry.version) == ("film", "mmseq-film", "2.1")
    assert entry.location == f"{package / 'film.py'}:5"
    assert entry.description == "Words scaled by the picture."
    assert "More about it." in entry.documentation
    assert "mmseq_film.film" not in sys.modules
    assert entry.load().__name__ == "FilmFusion"
    assert "mmseq_film.film" in sys.modules


def test_the_package_above_a_target_is_not_imported_for_its_description(site):
    package = site.add("deep", registering('add.reader("deep", "mmseq_deep.sub.mod:Deep")'))
    (package / "sub").mkdir()
    (package / "sub" / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "sub" / "mod.py").write_text('class Deep:\n    """Deep down."""\n')
    assert site.load().registry.get("reader", "deep").description == "Deep down."


BROKEN = {
    "missing dependency": ("import no_such_library", "ModuleNotFoundError.*no_such_library"),
    "import error": ("from mmseq import Nonsense", "ImportError.*Nonsense"),
    "syntax error": ("def x(:", r"SyntaxError.*__init__.py, line 1"),
    "exit at import": ("raise SystemExit(3)", "SystemExit: 3"),
    "essay": ("raise ValueError('one\\n\\ntwo ' + 'x ' * 999)", "ValueError: one two x.* …"),
    "error in hook": (registering("raise OSError('no licence')"), "OSError: no licence"),
    "misspelt hook": (
        "import mmseq\n@mmseq.hookimpl\ndef register_component(add): pass",
        "Unknown hook 'register_component'. Did you mean 'register_components'?",
    ),
    "wrong argument": (
        "import mmseq\n@mmseq.hookimpl\ndef register_components(adder): pass",
        r"another argument than its own: register_components\(add\)",
    ),
    "undecorated hook": ("def register_components(add): pass", "no hook; decorate"),
    "unknown kind": (
        registering("add.fusionn('x', 'a:B')"),
        "Unknown kind of component 'fusionn'. Did you mean 'fusion'",
    ),
    "no colon": (registering("add.fusion('x', 'a.B')"), "fusion 'x': the target 'a.B' must be"),
    "object": (registering("add.fusion('x', object())"), "must be 'module:Class'"),
    "preset": (registering("add.preset('x', 'x.toml')"), "must be 'package:path/to/preset.toml'"),
    "capital": (registering("add.fusion('Film', 'a:B')"), "name of fusion 'Film' must be lower"),
    "comma": (registering("add.aux_task('a,b', 'a:B')"), "name of aux task 'a,b' must be lower"),
    "taken": (registering("add.aux_task('none', 'a:B')"), "name of aux task 'none' is taken"),
    "twice": (
        registering("add.fusion('x', 'a:B')", "add.fusion('x', 'a:C')"),
        "it registers fusion 'x' twice",
    ),
}


@pytest.mark.parametrize(("source", "cause"), BROKEN.values(), ids=list(BROKEN))
def test_a_broken_plugin_is_one_line_and_everything_else_works(site, capsys, source, cause):
    site.add("broken", source, version="0.3")
    site.add("film", film("mmseq_film"), film=FILM_FUSION)
    loaded = site.load()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("mmseq: plugin 'broken' of mmseq-broken 0.3 ")
    assert "left out" in lines[0]
    assert len(lines[0]) < 500
    names = [entry.name for entry in loaded.registry.entries("fusion")]
    assert names == ["concat", "film", "gate", "none"]
    (broken,) = [plugin for plugin in loaded.plugins if plugin.error]
    assert (broken.name, broken.components) == ("broken", [])
    with pytest.raises(UserError, match=f"'broken' of mmseq-broken 0.3 .*{cause}"):
        site.load(strict=True)


@pytest.mark.parametrize(
    "asked", ["mmseq>=99", "mmseq<0.1", "MMSEQ==3.*", "mmseq ~= 7.1 ; python_version > '3'"]
)
def test_a_plugin_for_another_version_of_mmseq_is_left_out_by_name(site, capsys, asked):
    site.add("film", film("mmseq_film"), film=FILM_FUSION, version="2.1", requires=["torch", asked])
    assert "film" not in site.load().registry.names("fusion")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mmseq: plugin 'film' of mmseq-film 2.1 ")
    assert asked.partition(" ")[0] in line
    assert f"mmseq {__version__}" in line
    with pytest.raises(UserError, match=r"'film' of mmseq-film 2\.1 .*ImportError"):
        site.load(strict=True)


@pytest.mark.parametrize(
    "asked", ["mmseq", "mmseq>=0.1", "mmseq-umt>=99", "mmseq[report]>=99; extra == 'plots'"]
)
def test_a_plugin_for_this_version_of_mmseq_is_loaded(site, capsys, asked):
    site.add("film", film("mmseq_film"), film=FILM_FUSION, requires=[asked])
    assert "film" in site.load().registry.names("fusion")
    assert capsys.readouterr().err == ""


def test_a_plugin_of_two_distributions_with_one_entry_point_name(site, capsys):
    site.add("film", registering("add.fusion('a', 'x:A')"), distribution="mmseq-film")
    site.add("film", registering("add.fusion('b', 'x:B')"), distribution="film-fork")
    assert {"a", "b"} <= set(site.load().registry.names("fusion"))
    assert capsys.readouterr().err == ""


def test_a_plugin_may_be_an_object_of_a_module(site):
    source = (
        "import mmseq\nclass Hooks:\n    @mmseq.hookimpl\n"
        "    def register_components(self, add):\n        add.fusion('x', 'a:B')\nhooks = Hooks()"
    )
    site.add("object", source)
    (site.folder / "mmseq_object-1.0.dist-info" / "entry_points.txt").write_text(
        "[mmseq]\nobject = mmseq_object:hooks\n"
    )
    assert "x" in site.load().registry.names("fusion")


@pytest.mark.parametrize("backport", [False, True])
def test_a_distribution_without_metadata_goes_by_the_plugins_name(site, backport):
    if backport:
        # Imported by other libraries, it takes the standard library's place for the process.
        pytest.importorskip("importlib_metadata", reason="the backport is not installed")
    site.add("bare", registering("add.fusion('x', 'a:B')"))
    (site.folder / "mmseq_bare-1.0.dist-info" / "METADATA").unlink()
    assert site.load().registry.get("fusion", "x").distribution == "bare"


def test_two_providers_of_one_name(site):
    site.add("film", film("mmseq_film"), film=FILM_FUSION)
    site.add("movie", film("mmseq_movie"), version="3", film=FILM_FUSION)
    loaded = site.load()
    both = (
        r"fusion 'film' .*mmseq-film 1.0 \(mmseq_film.film:FilmFusion\).*"
        r"mmseq-movie 3 \(mmseq_movie.film:FilmFusion\)"
    )
    with pytest.raises(UserError, match=both):
        loaded.registry.get("fusion", "film")
    assert [e.provider for e in loaded.registry.entries("fusion") if e.name == "film"] == [
        "mmseq-film 1.0",
        "mmseq-movie 3",
    ]
    assert loaded.registry.get("fusion", "gate").distribution == "mmseq"
    with pytest.raises(UserError, match=both):
        site.load(strict=True)


def test_a_name_of_the_engines_own_is_the_plugins_to_change(site):
    site.add("film", film("mmseq_film").replace('"film"', '"gate"'), film=FILM_FUSION)
    with pytest.raises(UserError, match="fusion 'gate' .*both"):
        site.load().registry.get("fusion", "gate")


@pytest.mark.parametrize(
    ("wanted", "loaded"),
    [
        ("film", ["mmseq", "film"]),
        ("mmseq,film", ["mmseq", "film"]),
        (" film , movie ", ["mmseq", "film", "movie"]),
        ("", ["mmseq"]),
    ],
)
def test_loading_can_be_limited(site, monkeypatch, wanted, loaded):
    site.add("film", registering("add.fusion('film', 'x:A')"))
    site.add("movie", registering("add.fusion('movie', 'x:A')"))
    monkeypatch.setenv("MMSEQ_LOAD_PLUGINS", wanted)
    assert [plugin.name for plugin in load_plugins().plugins] == loaded


def test_an_unknown_name_in_the_limit(site, monkeypatch):
    site.add("film", registering("add.fusion('film', 'x:A')"))
    monkeypatch.setenv("MMSEQ_LOAD_PLUGINS", "flim")
    with pytest.raises(UserError, match="MMSEQ_LOAD_PLUGINS 'flim'.*'film'"):
        load_plugins()


@pytest.mark.parametrize(("value", "strict"), [("1", True), ("0", False), ("", False)])
def test_strict_by_environment(site, monkeypatch, capsys, value, strict):
    site.add("broken", "import no_such_library")
    monkeypatch.setenv("MMSEQ_STRICT_PLUGINS", value)
    if strict:
        with pytest.raises(UserError, match=r"mmseq-broken 1\.0 .*loaded"):
            load_plugins()
    else:
        load_plugins()
        assert "mmseq-broken 1.0 cannot be loaded" in capsys.readouterr().err


@pytest.fixture
def cli():
    """A command line with a command, and one in a group."""
    group = click.Group("mmseq")
    group.add_command(click.Command("train"))
    group.add_command(click.Group("data", {"check": click.Command("check")}))
    return group


def test_a_plugin_adds_a_command(site, cli, capsys):
    site.add("film", COMMAND.format(name="film"))
    site.load().register_commands(cli)
    assert sorted(cli.commands) == ["data", "film", "train"]
    cli.commands["film"].main([], standalone_mode=False)
    assert capsys.readouterr() == ("of the plugin\n", "")


def test_a_command_that_is_taken_stays_with_its_owner(site, cli, capsys):
    train, check = cli.commands["train"], cli.commands["data"].commands["check"]
    nested = "\n    cli.commands['data'].add_command(click.Command('check'))"
    site.add("film", COMMAND.format(name="train") + nested)
    site.add("movie", COMMAND.format(name="movie"))
    loaded = site.load()
    loaded.register_commands(cli)
    assert cli.commands["train"] is train
    assert cli.commands["data"].commands["check"] is check
    assert "movie" in cli.commands
    assert capsys.readouterr().err.splitlines() == [
        f"mmseq: command '{name}' of plugin 'film' of mmseq-film 1.0 is left out: there is a "
        "command of that name."
        for name in ("train", "check")
    ]
    with pytest.raises(UserError, match="command 'train' of plugin 'film'"):
        site.load(strict=True).register_commands(cli)


def test_commands_of_a_plugin_that_fails_are_left_out_and_its_components_stay(site, cli, capsys):
    fails = "\n    raise OSError('no terminal')\n"
    site.add("film", COMMAND.format(name="film") + fails + registering("add.fusion('film', 'x:A')"))
    site.add("movie", COMMAND.format(name="movie"))
    loaded = site.load()
    loaded.register_commands(cli)
    assert sorted(cli.commands) == ["data", "movie", "train"]
    assert "film" in loaded.registry.names("fusion")
    (line,) = capsys.readouterr().err.splitlines()
    assert "plugin 'film' of mmseq-film 1.0 cannot be added: OSError: no terminal" in line
    with pytest.raises(UserError, match="OSError: no terminal"):
        site.load(strict=True).register_commands(cli)


@pytest.mark.parametrize("version", ["0.1.1.dev3", "0.1.1rc1", "0.1.0+local.1"])
def test_a_pre_release_of_the_engine_is_as_good_for_a_plugin_as_pip_finds_it(
    version, site, monkeypatch
):
    monkeypatch.setattr("mmseq.registry.plugins.__version__", version)
    package = site.add("film", film("mmseq_film"), requires=["mmseq>=0.1,<0.2"], film=FILM_FUSION)
    assert "film" in site.load(strict=True).registry.names("fusion"), package


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"[mmseq]\nfilm\n"])
def test_damaged_entry_points_of_one_distribution_leave_the_others(
    damage, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "torn-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: torn\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_bytes(damage)
    sound = {point.name for point in _points()}
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {point.name for point in _points()} == sound
    line = capsys.readouterr().err
    assert str(folder) in line
    assert "damaged" in line
    assert line.count("\n") == 1

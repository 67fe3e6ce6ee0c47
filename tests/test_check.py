"""`mmseq check` and `pytest --mmseq`: everything that a distribution registers."""

import os
import re

import pytest
import warm

SOURCE = """
import mmseq


@mmseq.hookimpl
def register_components(add):
    add.fusion("sum", "mmseq_adder.parts:Sum")
    add.fusion("leaky", "mmseq_adder.parts:Leaky")
    add.reader("words", "mmseq_adder.parts:Words")
"""
PARTS = '''
from torch import nn
import mmseq


class Sum(mmseq.Fusion):
    """Adds the projected picture to every word."""

    def __init__(self, sizes: mmseq.Sizes) -> None:
        super().__init__()
        self.project, self.width = nn.Linear(sizes.image, sizes.text), sizes.text

    def forward(self, text, images):
        picture = self.project(images.vector) * images.present[:, None]
        return mmseq.Fused(text.words + picture[:, None])


class Leaky(Sum):
    """The bias stands in for a missing picture: its weight has a gradient, and words change."""

    def forward(self, text, images):
        words = text.words + self.project(images.vector)[:, None]
        return mmseq.Fused(words - words.mean(dim=1, keepdim=True))


class Words(mmseq.Reader):
    """A sentence a line."""

    suffixes = (".words",)
    example_file = "Anna ran\\nin Oslo\\n"

    def read(self, path):
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise mmseq.UserError(f"{path}: cannot be read; check the file.") from error
        for number, line in enumerate(text.splitlines(), 1):
            words = tuple(line.split())
            yield mmseq.Example(words, None, (), str(number), file=path, line=number)
'''


@pytest.fixture
def adder(site):
    site.add("adder", SOURCE, parts=PARTS)
    return site.folder


def test_check_names_what_holds_and_what_is_broken(adder, run_cli):
    done = run_cli("check", "mmseq-adder")
    assert done.code == 1
    sums, leaky, words = done.out.splitlines()
    assert sums == "ok      fusion 'sum'"
    assert leaky.startswith("BROKEN  fusion 'leaky': ")
    assert "padding" in leaky
    assert "Right: " in leaky
    assert words == "ok      reader 'words'"
    assert done.err.startswith("1 of 3 ")


def test_check_survives_whatever_a_class_raises_and_checks_the_others(site, run_cli):
    parts = "import mmseq\nclass Odd(mmseq.AuxTask):\n    views = 3\n"
    parts += "class Wordless(mmseq.Reader):\n    def read(self, path): ...\n"
    hook = "import mmseq\n@mmseq.hookimpl\ndef register_components(add):\n"
    hook += "    add.aux_task('odd', 'mmseq_odd.parts:Odd')\n"
    hook += "    add.reader('none', 'mmseq_odd.parts:Wordless')\n"
    site.add("odd", hook, parts=parts)
    # As pip does, the module's name is taken for the distribution's.
    done = run_cli("check", "mmseq_odd")
    odd, none = done.out.splitlines()
    assert re.match("BROKEN  aux task 'odd': .*TypeError: 'int' object", odd)
    assert re.match(r"BROKEN  reader 'none': suffixes: .*None.*\.csv", none)
    assert (done.code, done.err[:7]) == (1, "2 of 2 ")


def test_check_by_the_plugins_name_ends_well_where_all_holds(site, run_cli):
    whole = "".join(line for line in SOURCE.splitlines(keepends=True) if "leaky" not in line)
    site.add("adder", whole, parts=PARTS)
    done = run_cli("check", "adder")
    assert (done.code, done.err) == (0, "")
    assert done.out == "ok      fusion 'sum'\nok      reader 'words'\n"


def test_check_of_what_cannot_be_checked_is_one_line(site, run_cli):
    site.add("bare", "import mmseq\n@mmseq.hookimpl\ndef register_components(add): ...\n")
    site.add("torn", "import no_such_library")
    lines = {
        "adde": "Error: Unknown plugin 'adde'. Available: ",
        "mmseq-bear": "Error: Unknown plugin 'mmseq-bear'. Did you mean 'mmseq-bare'? Available: ",
        "torn": "Error: plugin 'torn' of mmseq-torn 1.0 cannot be loaded: ModuleNotFoundError: No ",
    }
    for name, line in lines.items():
        done = run_cli("check", name)
        assert (done.code, done.out) == (2, "")
        assert done.err.splitlines()[-1].startswith(line)
    remedy = " A new one is checked once it is installed: pip install -e DIR.\n"
    assert run_cli("check", "mmseq-bear").err.endswith(remedy)
    # A plugin may bring commands alone.
    done = run_cli("check", "bare")
    assert done.code == 0
    assert done.out.startswith("plugin 'bare' of mmseq-bare 1.0 registers no component")


def test_check_of_a_folder_is_of_the_plugin_that_it_makes(site, run_cli, tmp_path, monkeypatch):
    site.add("bare", "import mmseq\n@mmseq.hookimpl\ndef register_components(add): ...\n")
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    refused = "Error: . is not the folder of a plugin"
    assert run_cli("check", ".").err.startswith(refused)
    (folder / "pyproject.toml").write_text('[project]\nname = "mmseq-bare"\n')
    assert run_cli("check", ".").err.startswith(refused)
    table = "[project.entry-points.mmseq]\nbare = 'mmseq_bare'\n"
    (folder / "pyproject.toml").write_text(f'[project]\nname = "mmseq-bare"\n{table}')
    assert run_cli("check", ".").out.startswith("plugin 'bare' of mmseq-bare 1.0 registers no ")
    # A name is the plugin's, whatever folder is called so.
    (folder / "bare").mkdir()
    assert run_cli("check", "bare").code == 0
    (folder / "pyproject.toml").write_text(f'[project]\nname = "mmseq-new"\n{table}')
    done = run_cli("check", ".")
    assert done.err.startswith("Error: Unknown plugin 'mmseq-new'. ")
    assert done.err.endswith(" A new one is checked once it is installed: pip install -e DIR.\n")


def pytest_run(adder, folder, *arguments):
    """pytest in a folder, in a process of its own that finds the plugin."""
    path = os.pathsep.join([str(adder), os.environ.get("PYTHONPATH", "")])
    return warm.run(
        *("-m", "pytest", "-p", "mmseq.pytest_plugin", *arguments),
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )


@pytest.fixture
def project(tmp_path):
    """A plugin author's folder, with one test of their own."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "mmseq-adder"\n')
    (folder / "test_own.py").write_text("def test_own():\n    assert 1 + 1 == 2\n")
    return folder


@pytest.mark.process
def test_pytest_adds_a_test_for_each_component(adder, project):
    done = pytest_run(adder, project, "--mmseq", "-v")
    lines = done.stdout.splitlines()
    assert any(line.startswith("test_own.py::test_own PASSED") for line in lines), done.stdout
    for name, result in {"sum": "PASSED", "leaky": "FAILED"}.items():
        assert any(f"mmseq-adder::fusion-{name} {result}" in line for line in lines), done.stdout
    assert "1 failed, 3 passed" in lines[-1]
    assert "fusion 'leaky', " in done.stdout
    # The message alone: no traceback through mmseq's own files.
    assert "mmseq/testing" not in done.stdout
    assert done.returncode == 1


@pytest.mark.process
def test_pytest_without_the_option_adds_nothing(adder, project):
    done = pytest_run(adder, project)
    assert "1 passed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--mmseq", "mmseq-ader"], "'mmseq-ader'"),
        (["--mmseq", "test_own.py"], "'test_own.py'"),
        (["--mmseq"], "--mmseq mmseq-NAME"),
    ],
)
@pytest.mark.process
def test_pytest_is_told_what_it_cannot_check(adder, project, arguments, line):
    (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    done = pytest_run(adder, project, *arguments)
    assert done.returncode == 4
    assert line in done.stderr

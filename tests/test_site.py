"""The documentation's site: nothing public is missing from it, and it builds without a warning."""

import html
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from pydantic import BaseModel

import mmseq
from mmseq import hookspecs, testing
from mmseq.cli import build
from mmseq.config.config import DataConfig, TrainConfig
from mmseq.registry.kinds import FILES
from mmseq.registry.options import options_of
from mmseq.registry.plugins import registry
from mmseq.scaffold.kinds import TRAIN, written

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.ci


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """`site("reference/hooks")`: the text of a page of the built site."""
    pytest.importorskip("mkdocstrings", reason="pip install 'mmseq[docs]' brings the site's tools")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

    def page(name):
        text = (folder / name / "index.html").read_text(encoding="utf-8")
        text = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
        return " ".join(html.unescape(re.sub("<[^>]+>", " ", text)).split())

    return page


def missing(page, words):
    """Those of the words that the page has not, as whole words."""
    return [word for word in words if not re.search(rf"(?<![\w.-]){re.escape(word)}(?!\w)", page)]


def hooks():
    return [n for n, f in vars(hookspecs).items() if hasattr(f, "mmseq_spec")]


def test_the_hooks_their_arguments_and_the_kinds_of_component(site):
    names = hooks()
    assert names == ["register_components", "register_commands"]
    kinds = [name for name in vars(hookspecs.Add) if not name.startswith("_")]
    assert "fusion" in kinds
    for page in ("reference/hooks", "plugins"):
        assert missing(site(page), [*names, "add", "cli", *kinds]) == []


def test_an_example_of_every_kind_that_a_plugin_can_bring(site):
    page = site("reference/examples")
    contracts = {kind.title().replace("_", "") for kind in TRAIN} - {"Preset", "Command"}
    assert missing(page, ["ExampleFusion", *contracts]) == []
    assert missing(page, map(written, TRAIN)) == []


def test_every_public_name(site):
    # A heading's backquotes are gone, its module is not.
    names = [f"mmseq.{name}" for name in mmseq.__all__]
    assert missing(site("reference/python").replace(" .", "."), names) == []
    assert missing(site("reference/testing"), testing.__all__) == []


@pytest.mark.parametrize(("section", "model"), [("data", DataConfig), ("train", TrainConfig)])
def test_every_config_key_and_what_it_is(site, section: str, model: type[BaseModel]):
    page = site("reference/config")
    assert missing(page, [f"{section}.{key}" for key in model.model_fields]) == []
    spaceless = page.replace(" ", "")
    for field in model.model_fields.values():
        # As code is shown: without its backquotes, and with space about it.
        assert "".join((field.description or "").replace("`", "").split()) in spaceless


def commands(group, path):
    for name, command in group.commands.items():
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


def test_every_command_with_its_options_and_arguments(site):
    page = site("reference/commands")
    found = dict(commands(build(), "mmseq"))
    assert "mmseq data check" in found
    assert missing(page, found) == []
    for command in found.values():
        flags = [flag for p in command.params if isinstance(p, click.Option) for flag in p.opts]
        assert missing(page, flags) == []


def test_every_component_and_its_options(site):
    page = site("reference/components")
    for entry in registry().entries():
        assert f"{entry.title.rpartition(' ')[0]} {entry.name}" in page
        options = () if entry.kind in FILES else options_of(entry.load())
        assert missing(page, options) == []


def test_every_plugin_has_its_page(site):
    for readme in (ROOT / "plugins").glob("*/README.md"):
        title = readme.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert title in site(f"plugins/{readme.parent.name}")

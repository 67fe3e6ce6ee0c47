"""Every code block of the documentation's pages: run, or held against what it speaks of."""

import json
import re
import shlex
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

import mmseq
from mmseq.bench.plan import Problems
from mmseq.cli import build
from mmseq.data.splits import load_file
from mmseq.testing import check_plan
from mmseq.tune.search import read_search, space_of

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md")),
    *sorted(ROOT.glob("plugins/**/README.md")),
    *sorted(ROOT.glob("examples/**/README.md")),
    *sorted((ROOT / "examples" / "benchmarks").glob("*.md")),
    *sorted((ROOT / "examples/site/pages").glob("*.md")),
]
README = ROOT / "README.md"
GUIDE = ROOT / "examples" / "site" / "pages"
FIRST_STEPS = GUIDE / "first-steps.md"
BENCHMARKS = GUIDE / "benchmarks.md"
WIDTH = 92
FENCED = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
LAUNCHERS = {"torchrun", "accelerate"}
OTHER_PROGRAMS = {"pip", "python", "pytest", "ruff", "twine", "mkdocs", "tensorboard"} | LAUNCHERS


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page):
    text = page.read_text(encoding="utf-8")
    for found in FENCED.finditer(text):
        yield Block(page, text[: found.start()].count("\n") + 1, found[1], found[2])


BLOCKS = [block for page in PAGES for block in blocks(page)]


def of(language, page=None):
    return [b for b in BLOCKS if b.language == language and page in (None, b.page)]


def command_lines(text):
    """Every command of a shell block as its words, without comments and redirections."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in line.split(" && "):
            words = shlex.split(part.removeprefix("$ "), comments=True)
            yield words[: words.index(">")] if ">" in words else words


def code_spans(page):
    """Commands of mmseq within the sentences of a page."""
    prose = FENCED.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`(mmseq [^`]+)`", prose):
        yield shlex.split(span)


def find_command(words):
    """The click command that the words name, its context's parent, and the words that are left."""
    command, context, rest = build(), None, list(words[1:])
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        context = click.Context(command, info_name="mmseq", parent=context)
        found = command.get_command(context, rest[0])
        assert found is not None, f"mmseq has no command '{rest[0]}'"
        command = found
        rest.pop(0)
    return command, context, rest


def parse(words):
    """The command line is one that mmseq takes; `click.UsageError` says what it does not."""
    command, context, rest = find_command(words)
    if not isinstance(command, click.Group):
        command.make_context(command.name, rest, parent=context)


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_data, run_cli):
    """A folder with what the pages name: data with pictures and further fields, plans, configs."""
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "DATA"
    shutil.copytree(tiny_data, data)
    for path in data.glob("*.jsonl"):
        records = [json.loads(line) for line in path.read_text().splitlines()]
        for record in records:
            record["boxes"] = [[i, 0, i + 1, 9] for i, _ in enumerate(record["tokens"])]
            record |= {"sentiment": 0, "relation": 1}
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    (tmp_path / "data").mkdir()
    for name in ("twitter2017", "hard", "mine"):
        (tmp_path / "data" / name).symlink_to(data)
    (tmp_path / "my.toml").write_text(run_cli("show", "preset", "mlmner").out)
    for block in of("toml", BENCHMARKS):
        name = re.match(r"# (\w+\.toml)", block.text)[1]
        (tmp_path / name).write_text(block.text)
    return tmp_path


def test_the_readme_is_short_and_no_line_of_code_wider_than_a_page():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 200
    wide = [b.name for b in BLOCKS if max(map(len, b.text.splitlines())) > WIDTH]
    assert wide == []


def test_every_block_says_its_language():
    known = {"sh", "console", "python", "toml", "json", "text"}
    assert [b.name for b in BLOCKS if b.language not in known] == []
    # What is text is no command in disguise.
    first = {b.name: b.text.split() for b in of("text")}
    assert [name for name, words in first.items() if words[0] in {"mmseq", *OTHER_PROGRAMS}] == []
    # These are run line by line by the tests of the examples.
    assert {b.page.parent.name for b in of("console")} == {"own_data"}


@pytest.mark.parametrize("block", of("sh"), ids=lambda block: block.name)
def test_the_commands_of_a_shell_block(block, place, run_cli, site):
    if block.page.parent.name == "film_fusion":
        shutil.copytree(block.page.parent / "mmseq_film", site.folder / "mmseq_film")
        add_distribution(site, block.page.parent / "pyproject.toml")
    if block.page.parent.name == "small_plugins":
        for project in block.page.parent.glob("*/pyproject.toml"):
            package = f"mmseq_{project.parent.name}"
            shutil.copytree(project.parent / package, site.folder / package)
            add_distribution(site, project)
    ran = 0
    for words in command_lines(block.text):
        if not words:
            continue
        if words[0] != "mmseq":
            assert words[0] in OTHER_PROGRAMS, words
            if words[0] in LAUNCHERS:
                parse(words[words.index("mmseq") :])
                ran += 1
            require_extras(words)
            continue
        parse(words)
        ran += 1
        # The plugin of that page is written and installed by the test of its blocks below.
        trains = words[1] == "train" and block.page != ROOT / "plugins" / "README.md"
        # A dry run builds the model; of other commands the line is held against what they take.
        if trains and "--resume" not in words:
            asked = [word for word in words[1:] if word not in ("…", "--dry-run", "--offline")]
            done = run_cli(*asked, "--offline", "--dry-run")
            assert (done.code, done.err) == (0, ""), (words, done.err)
    assert ran or "mmseq" not in block.text.split()


def require_extras(words):
    """What `pip install '.[a,b]'` asks for is an extra of mmseq or of the plugin."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    known = {*project["project"]["optional-dependencies"], "dev", "report"}
    for extras in re.findall(r"\[(.*?)\]", " ".join(words)):
        assert set(extras.split(",")) <= known, words


def add_distribution(site, pyproject):
    """Make what lies in the folder of `site` an installed distribution, as its project says."""
    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    points = project["entry-points"]["mmseq"]
    site.describe(project["name"], project["version"], points, project["dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_and_options_within_sentences_exist(page):
    for words in code_spans(page):
        if not words[1].isupper():
            command, _, rest = find_command(words)
            known = {flag for parameter in command.params for flag in parameter.opts}
            flags = {word.partition("=")[0] for word in rest if word.startswith("--")}
            assert flags - {"--help", "--version"} <= known, words


def test_examples_of_every_help_are_command_lines():
    def examples(command):
        doc = command.callback.__doc__ or "" if command.callback else ""
        yield from re.findall(r"^ +(mmseq (?:.*\\\n)*.*)$", doc, re.MULTILINE)
        for sub in getattr(command, "commands", {}).values():
            yield from examples(sub)

    found = list(examples(build()))
    assert len(found) > 20
    for words in command_lines("\n".join(found)):
        parse(words)


def test_the_plan_and_the_space_of_the_benchmarks_page(place):
    check_plan(place / "plan.toml")
    problems = Problems()
    space, _ = space_of(read_search(place / "space.toml", problems), problems)
    assert problems.lines == []
    assert sorted(parameter.key for parameter in space.parameters) == [
        "decoder.name",
        "text_encoder.learning_rate",
        "train.epochs",
    ]


def test_the_line_of_json_is_data_that_a_layout_reads(tmp_path):
    (block,) = of("json")
    path = tmp_path / "train.jsonl"
    path.write_text(" ".join(block.text.split()) + "\n")
    (example,) = load_file(path).examples
    assert example.extras["boxes"][0] == [80, 700, 180, 720]


def test_the_way_to_a_new_plugin_is_the_one_that_the_command_tells(place, run_cli):
    (block,) = (b for b in of("sh", ROOT / "plugins" / "README.md") if "new-plugin" in b.text)
    first, *next_lines = block.text.splitlines()
    done = run_cli(*shlex.split(first)[1:])
    assert (done.code, done.err) == (0, "")
    assert [line.strip() for line in done.out.splitlines()[1:]] == next_lines


def test_the_plugin_of_the_plugins_page_keeps_its_contract_and_trains(place, site, run_cli):
    page = ROOT / "plugins" / "README.md"
    text = page.read_text(encoding="utf-8")
    named = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)```$", text, re.MULTILINE | re.DOTALL))
    assert set(named) == {"pyproject.toml", "mmseq_sum/__init__.py", "mmseq_sum/fusion.py"}
    for name, source in named.items():
        (site.folder / name).parent.mkdir(exist_ok=True)
        (site.folder / name).write_text(source)
    add_distribution(site, site.folder / "pyproject.toml")
    (test,) = (b.text for b in of("python", page) if "def test" in b.text)
    scope = {}
    exec(compile(test, "test_sum.py", "exec"), scope)
    scope["test_sum_keeps_the_contract"]()
    assert "ok      fusion 'sum'" in run_cli("check", "mmseq-sum").out
    done = run_cli("train", "DATA", "--fusion", "sum", "--dry-run", "--offline")
    assert (done.code, done.err) == (0, "")


def test_the_python_of_the_readme_and_the_first_steps(place, tiny_encoder):
    tiny = {
        "text_encoder.model": str(tiny_encoder),
        "image_encoder.model": "test_vit",
        "image_encoder.weights": "random",
        "train.epochs": 1,
        "train.device": "cpu",
    }
    run = Path("runs/sample-cross-transformer-1")
    mmseq.train(mmseq.Config.from_layers(settings=tiny), data="DATA", output=run)
    shutil.copy(next(Path("DATA/images").glob("*.png")), "a.jpg")
    use, plugin = of("python", README)
    for block in (use, *of("python", FIRST_STEPS)):
        exec(compile(block.text, block.name, "exec"), {})
    assert (Path("runs/DATA-gate-1") / "metrics.json").is_file()
    config = mmseq.Config.from_file("runs/DATA-gate-1/config.toml")
    assert config.train.seed == 3
    # The other one is examples/hello_plugin, which its own test holds against the page.
    assert "class SumFusion" in plugin.text
    assert sys.modules.get("mmseq_sum") is None

"""The engine knows no plugin, and plugins know the engine's public names only."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import mmseq
from mmseq.registry.plugins import load_plugins

ROOT = Path(__file__).parents[1]
ENGINE = sorted((ROOT / "mmseq").rglob("*.py"))
TEMPLATE = ROOT / "mmseq" / "scaffold" / "template"
"""A plugin as `mmseq new-plugin` writes it"""
PLUGINS = sorted(path.parent for path in (ROOT / "plugins").glob("*/pyproject.toml"))
SLOW = {"torch", "torchvision", "transformers", "timm", "accelerate"}
QUICK = [path for plugin in (*PLUGINS, TEMPLATE) for path in plugin.glob("mmseq_*/__init__.py")]
COMMON = {"cluster", "layout", "prefix"}
"""Names that are everyday words of a program too: only as a string by itself do they name."""
SYSTEMS = {"adacan", "gvatt", "mlmner", "modality-attention", "umt"}


def name_of(path):
    return str(path.relative_to(ROOT))


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree):
    """(module, name or None) of every import in a tree."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield from ((node.module, alias.name) for alias in node.names)


def words(tree):
    """(line, text) of every name and string of the code, docstrings left out."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in docstrings:
            yield node.lineno, str(node.value)
        for field in ("id", "attr", "arg", "name", "asname", "module"):
            value = getattr(node, field, None)
            # A variable may well be called by a common word.
            if isinstance(value, str) and value not in COMMON:
                yield getattr(node, "lineno", 0), value


def spoken_of(name, text):
    """Does `text` hold the name, as a word, ``snake_case`` or ``CamelCase``?"""
    if name in COMMON:
        return text == name
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text).lower()
    pattern = "[-_ ]".join(name.split("-"))
    return re.search(rf"(?<![a-z0-9]){pattern}(?![a-z0-9])", spaced)


def plugin_names():
    """Systems, and every name that a plugin of this repository registers."""
    own = {tomllib.loads((p / "pyproject.toml").read_text())["project"]["name"] for p in PLUGINS}
    found = [plugin for plugin in load_plugins().plugins if plugin.distribution in own]
    return SYSTEMS | {entry.name for plugin in found for entry in plugin.components}


def test_names_are_found_however_they_are_written():
    for text in ("cross_transformer", "CrossTransformerFusion", "a 'cross-transformer'"):
        assert spoken_of("cross-transformer", text)
    assert not spoken_of("umt", "argumt")
    assert spoken_of("layout", "layout")
    assert not spoken_of("layout", "mmseq.tables.layout")
    tree = ast.parse('"""umt"""\ndef f(a):\n    "umt"\n    prefix = a.x + "b" + f"{a}c"\n')
    assert sorted(text for _, text in words(tree)) == ["a", "a", "a", "b", "c", "f", "x"]


def test_the_engine_imports_no_plugin_and_names_none():
    names = plugin_names()
    assert {"cross-transformer", "contrastive", "boundary"} <= names
    wrong = []
    for path in ENGINE:
        tree = parsed(path)
        for module, _ in imports(tree):
            if module.startswith("mmseq_") and TEMPLATE not in path.parents:
                wrong.append(f"{name_of(path)} imports {module}")
        for line, text in words(tree):
            wrong += [f"{name_of(path)}:{line}: {n}" for n in names if spoken_of(n, text)]
    assert wrong == []


@pytest.mark.parametrize("path", QUICK, ids=name_of)
def test_no_slow_library_is_imported_with_the_module(path):
    tree = parsed(path)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = []
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    assert {module.partition(".")[0] for module, _ in imports(tree)} & SLOW == set()


def test_the_folder_of_plugins_is_no_package():
    assert not (ROOT / "plugins" / "__init__.py").exists()


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_is_a_distribution_with_readme_and_tests(plugin):
    facts = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))
    package = f"mmseq_{plugin.name}"
    assert facts["project"]["name"] == package.replace("_", "-")
    assert facts["project"]["entry-points"]["mmseq"] == {plugin.name.replace("_", "-"): package}
    assert facts["build-system"]["build-backend"] == "hatchling.build"
    assert (plugin / package / "__init__.py").is_file()
    assert (plugin / "README.md").read_text(encoding="utf-8").strip()
    assert list((plugin / "tests").glob("test_*.py"))


def beyond_public(path):
    """What a file of a plugin uses of mmseq beside its public names."""
    tree = parsed(path)
    for module, name in imports(tree):
        top, _, rest = module.partition(".")
        if top == "mmseq":
            public = rest == "testing" or (not rest and (name in {None, *mmseq.__all__}))
            if not public and (rest, name) != ("", "testing"):
                yield f"{name_of(path)}: {module} {name or ''}"
    for node in ast.walk(tree):
        used = isinstance(node, ast.Attribute) and ast.unparse(node.value) == "mmseq"
        if used and node.attr not in {*mmseq.__all__, "testing"}:
            yield f"{name_of(path)}:{node.lineno}: mmseq.{node.attr}"


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda path: path.name)
def test_a_plugin_uses_public_names_and_declared_plugins(plugin):
    facts = tomllib.loads((plugin / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {re.split(r"[^\w.-]", need)[0] for need in facts["dependencies"]}
    assert "mmseq" in declared
    wrong = []
    for path in sorted(plugin.glob("mmseq_*/**/*.py")):
        wrong += beyond_public(path)
        for module, _ in imports(parsed(path)):
            own = module.partition(".")[0].replace("_", "-")
            if own.startswith("mmseq-") and own not in {facts["name"], *declared}:
                wrong.append(f"{name_of(path)}: {own} is not declared")
    assert wrong == []


def test_the_template_of_new_plugins_uses_public_names():
    paths = sorted(TEMPLATE.rglob("*.py"))
    assert paths
    assert [line for path in paths for line in beyond_public(path)] == []

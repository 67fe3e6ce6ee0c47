"""The floor plan of mmseq/: a file imports from its own folder or from a lower floor.

Imports inside functions count, those for type checkers do not, nor does what is registered by a
``"module:attribute"`` that the registry loads. The checks are functions over ``{path: source}``.
"""

import ast
import tomllib
from fnmatch import fnmatch
from itertools import product
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
ENGINE = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "mmseq").rglob("*.py"))
    if ROOT / "mmseq" / "scaffold" / "template" not in path.parents
}

FLOORS = (
    "escaping",
    "distributions durable errors shapes toml_mistakes version",
    "files hookspecs modes processes standard_input standard_streams streams",
    "drafts prose",
    "table_width",
    "console",
    "packaged contracts",
    "registry",
    "config",
    "data",
    "scoring pictures layers",
    "datacheck model",
    "runs",
    "training",
    "tagging",
    # Known by name only: what is below asks the registry for components, and works without these.
    "builtins",
    "audit jobs",
    "bench",
    "comparison",
    "tables tune",
    "scaffold testing",
    # The doors: names, commands, entry points.
    "__init__",
    "cli",
    "__main__ pytest_plugin",
)
"""Folders and files of mmseq/, the lowest floor first; those on one floor do not know each other"""

TORCH_PLACES = (
    "processes.py",
    "contracts",
    "layers",
    "pictures",
    "model",
    "runs",
    "training",
    "tagging",
    "builtins/callbacks",
    "builtins/decoding",
    "builtins/fusion.py",
    "builtins/images",
    "builtins/text",
    "builtins/weighting",
    "audit",
    "jobs/probe.py",
    "jobs/work.py",
    "bench",
    "tune",
    "testing",
)
"""Where a file may load torch as it is imported: the command line must say its help without it"""
HEAVY = {"torch", "torchvision", "torchcrf", "transformers", "timm", "accelerate", "safetensors"}

TYPES_ONLY = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


class Import(NamedTuple):
    """That one file imports another, or a library."""

    importer: str
    imported: str
    """A path of the tree, or the name of a library"""
    line: int
    at_once: bool
    """As the importer is imported, not when one of its functions is called"""


def imports(sources):
    """Every `Import` of a tree ``{path: source}`` but those under ``if TYPE_CHECKING``."""
    modules = {_module(path): path for path in sources}
    for path, source in sources.items():
        package = _module(path).split(".")
        if not path.endswith("/__init__.py"):
            package.pop()
        for node, at_once in _import_nodes(ast.parse(source), at_once=True):
            for module, name in _named(node, package):
                found = modules.get(f"{module}.{name}") or modules.get(module)
                if found != path:
                    target = found or module.partition(".")[0]
                    yield Import(path, target, node.lineno, at_once)


def _module(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _import_nodes(node, *, at_once):
    if isinstance(node, ast.If) and ast.unparse(node.test) in TYPES_ONLY:
        children = node.orelse
    else:
        children = ast.iter_child_nodes(node)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        at_once = False
    if isinstance(node, ast.Import | ast.ImportFrom | ast.Call):
        yield node, at_once
    for child in children:
        yield from _import_nodes(child, at_once=at_once)


def _named(node, package):
    """(module, name in it or None) of an import statement or a call of ``import_module``."""
    if isinstance(node, ast.Import):
        return [(alias.name, None) for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        module = _absolute("." * node.level + (node.module or ""), package)
        return [(module, alias.name) for alias in node.names]
    given = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
    if not isinstance(given, str):
        return []
    called = ast.unparse(node.func).rpartition(".")[2]
    return [(_absolute(given, package), None)] if called in {"import_module", "__import__"} else []


def _absolute(module, package):
    """``..tags`` in ``mmseq.data.sample`` is ``mmseq.data.tags``."""
    rest = module.lstrip(".")
    level = len(module) - len(rest)
    above = package[: len(package) - level + 1] if level else []
    return ".".join([*above, *filter(None, [rest])])


def place_of(path):
    """The folder of mmseq/ that holds a file, or the file of mmseq/ itself."""
    return path.split("/")[1].removesuffix(".py")


def upward(sources, floors=FLOORS):
    """A line for every file without a floor and every import against the floors."""
    level = {place: number for number, floor in enumerate(floors) for place in floor.split()}
    lost = [path for path in sources if place_of(path) not in level]
    if lost:
        return [f"{path} is on no floor" for path in lost]
    return sorted(
        {
            f"{one.importer}:{one.line} imports {one.imported}, of a floor that is not lower"
            for one in imports(sources)
            if one.imported in sources
            and place_of(one.importer) != place_of(one.imported)
            and level[place_of(one.importer)] <= level[place_of(one.imported)]
        }
    )


def circles(sources):
    """One circle of imports for every file that is on one: ``a.py -> b.py -> a.py``."""
    graph = {path: set() for path in sources}
    for one in imports(sources):
        if one.imported in graph:
            graph[one.importer].add(one.imported)
    found = {}
    for path in sorted(graph):
        if way := _way(graph, path, {path}):
            found.setdefault(frozenset(way), " -> ".join(way))
    return list(found.values())


def loading_torch(sources, places=TORCH_PLACES):
    """The way from each file outside `places` to a heavy library that its import loads."""
    graph = {path: set() for path in sources}
    for one in imports(sources):
        if one.at_once and (one.imported in sources or one.imported in HEAVY):
            graph[one.importer].add(one.imported)
    for path in sources:
        # A module is imported after the packages that it is in.
        parents = (f"{parent.as_posix()}/__init__.py" for parent in Path(path).parents)
        graph[path] |= {parent for parent in parents if parent in sources and parent != path}
    inside = tuple(f"mmseq/{p}" if p.endswith(".py") else f"mmseq/{p}/" for p in places)
    ways = (_way(graph, path, HEAVY) for path in sources if not path.startswith(inside))
    return [" -> ".join(way) for way in ways if way]


def _way(graph, start, goals):
    """The shortest way of imports from a file to one of `goals`; None where there is none."""
    ways, seen = [[start]], set()
    for way in ways:
        for following in sorted(graph.get(way[-1], ())):
            if following in goals:
                return [*way, following]
            if following not in seen:
                seen.add(following)
                ways.append([*way, following])
    return None


def test_no_file_imports_from_a_higher_floor():
    assert upward(ENGINE) == []


def test_no_circle_of_imports():
    assert circles(ENGINE) == []


def test_torch_is_loaded_in_its_places_only():
    assert loading_torch(ENGINE) == []


def test_the_plan_names_only_what_is_there():
    named = [place for floor in FLOORS for place in floor.split()]
    assert sorted(named) == sorted({place_of(path) for path in ENGINE})
    for place in TORCH_PLACES:
        assert (ROOT / "mmseq" / place).exists(), place


def test_what_the_lint_rule_leaves_out_needs_it():
    """Each pattern that may break TID253 has a file with torch at its top level."""
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert set(rules["flake8-tidy-imports"]["banned-module-level-imports"]) <= HEAVY
    heavy = {one.importer for one in imports(ENGINE) if one.at_once and one.imported in HEAVY}
    lenient = [key for key, codes in rules["per-file-ignores"].items() if "TID253" in codes]
    ours = [key for key in lenient if key.startswith("mmseq/") and "template" not in key]
    assert ours
    for pattern in ours:
        for single in _alternatives(pattern):
            assert any(fnmatch(path, single) for path in heavy), single


def _alternatives(pattern):
    """``a/{b,c}/*.py`` as ``a/b/*.py`` and ``a/c/*.py``."""
    parts = [part.split(",") for part in pattern.replace("}", "{").split("{")]
    return ["".join(chosen) for chosen in product(*parts)]


def tree(**sources):
    """A made-up mmseq/ in which ``data_tags`` is ``mmseq/data/tags.py``."""
    names = {f"mmseq/{name.replace('_', '/', 1)}.py": text for name, text in sources.items()}
    folders = {f"{path.rpartition('/')[0]}/__init__.py" for path in names}
    return dict.fromkeys(folders, "") | names


TWO = ("config", "data", "__init__")


def test_every_kind_of_import_of_a_higher_floor_is_found():
    for source in (
        "import mmseq.data.tags",
        "from mmseq.data.tags import spans",
        "from mmseq.data import tags",
        "from ..data.tags import spans",
        "from ..data import tags",
        "class Config:\n    def read(self):\n        from mmseq.data.tags import spans",
        "try:\n    import mmseq.data.tags\nexcept ImportError:\n    pass",
        "import importlib\nimportlib.import_module('mmseq.data.tags')",
        "read = lambda: import_module('..data.tags', __package__)",
        "if not TYPE_CHECKING:\n    from mmseq.data.tags import spans",
    ):
        (line,) = upward(tree(config_config=source, data_tags=""), TWO)
        assert line.startswith("mmseq/config/config.py:"), source
        assert "imports mmseq/data/tags.py" in line, source


def test_what_is_on_a_lower_floor_or_not_imported_is_left_alone():
    for source in (
        "if TYPE_CHECKING:\n    from mmseq.data.tags import spans",
        "import typing\nif typing.TYPE_CHECKING:\n    import mmseq.data.tags",
        "add.reader('tags', 'mmseq.data.tags:read')",
        "from mmseq.config.layers import add",
        "import torch",
    ):
        assert upward(tree(config_config=source, config_layers="", data_tags=""), TWO) == [], source
    assert upward(tree(config_config="", data_tags="import mmseq.config.config"), TWO) == []


def test_neighbours_on_a_floor_do_not_know_each_other():
    found = upward(tree(config_config="", data_tags="import mmseq.config.config"), ("config data",))
    assert [line.partition(",")[0] for line in found] == [
        "mmseq/data/tags.py:1 imports mmseq/config/config.py"
    ]


def test_the_front_door_is_above_and_a_folder_needs_a_floor():
    front = tree(config_config="\nfrom mmseq import Config") | {"mmseq/__init__.py": ""}
    (line,) = upward(front, TWO)
    assert line.startswith("mmseq/config/config.py:2 imports mmseq/__init__.py")
    assert upward(tree(cellar_wine=""), TWO) == [
        "mmseq/cellar/__init__.py is on no floor",
        "mmseq/cellar/wine.py is on no floor",
    ]


def test_a_circle_is_found_also_inside_a_folder_and_through_functions():
    sources = tree(
        data_a="from mmseq.data import b",
        data_b="def late():\n    import mmseq.data.c",
        data_c="from mmseq.data.a import x",
        data_d="from mmseq.data import a",
    )
    assert circles(sources) == [
        "mmseq/data/a.py -> mmseq/data/b.py -> mmseq/data/c.py -> mmseq/data/a.py"
    ]
    sources["mmseq/data/c.py"] = "if TYPE_CHECKING:\n    from mmseq.data.a import x"
    assert circles(sources) == []


def test_torch_outside_its_places_is_found_also_through_others():
    sources = tree(
        config_config="import torch.nn",
        config_late="def build():\n    import torch",
        data_tags="from mmseq.model import model",
        data_sentences="from mmseq.data.tags import spans",
        model_model="from torch import Tensor",
    )
    assert loading_torch(sources, ("model",)) == [
        "mmseq/config/config.py -> torch",
        "mmseq/data/tags.py -> mmseq/model/model.py -> torch",
        "mmseq/data/sentences.py -> mmseq/data/tags.py -> mmseq/model/model.py -> torch",
    ]
    assert loading_torch(sources, ("config/config.py", "data", "model")) == []


def test_a_package_that_loads_torch_does_so_for_every_file_in_it():
    sources = tree(data_tags="", data_sentences="") | {"mmseq/data/__init__.py": "import timm"}
    assert loading_torch(sources, ("data/__init__.py", "data/tags.py")) == [
        "mmseq/data/sentences.py -> mmseq/data/__init__.py -> timm"
    ]

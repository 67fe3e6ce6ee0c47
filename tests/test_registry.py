from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

import mmseq
from mmseq.errors import UserError
from mmseq.registry.entries import Entry
from mmseq.registry.kinds import FILES, KINDS
from mmseq.registry.options import options_of
from mmseq.registry.plugins import registry
from mmseq.registry.registry import Registry

if TYPE_CHECKING:
    from mmseq import Sizes


class Gadget(mmseq.Callback):
    """Has an option of every type.

    And more to say.
    """

    def __init__(
        self,
        sizes: Sizes,
        *,
        needed: str,
        count: int = 2,
        share: float = 0.5,
        on: bool = False,
        mode: Literal["fast", "slow"] = "fast",
        names: list[str] | None = None,
        levels: tuple[int, ...] = (1, 2),
        place: Path = Path(),
        limit: int | None = None,
        untyped=None,
        **_,
    ) -> None:
        """Not the class's docstring."""


class Untyped(mmseq.Callback):
    def __init__(self, *, share=0.5, count=2, on=False, name="x", other=None) -> None:
        pass


class Task(mmseq.AuxTask):
    weight = 3


class Odd(mmseq.Callback):
    def __init__(self, *, size: Sizes) -> None:
        pass


def entry(target, kind="callback", name="gadget"):
    return Entry(kind, name, target, "x", "mmseq-x", "1.2")


def checked(**given):
    return entry(Gadget).check_options({"needed": "yes", **given})


def test_every_default_is_filled_in():
    assert checked() == {
        "needed": "yes",
        "count": 2,
        "share": 0.5,
        "on": False,
        "mode": "fast",
        "names": None,
        "levels": (1, 2),
        "place": Path(),
        "limit": None,
        "untyped": None,
    }


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("share", 1, 1.0),
        ("mode", "slow", "slow"),
        ("names", ["a", "b"], ["a", "b"]),
        ("names", [], []),
        ("levels", [4, 5], (4, 5)),
        ("levels", (4, 5), (4, 5)),
        ("place", "a/b", Path("a/b")),
        ("limit", 7, 7),
        ("untyped", {"any": ["thing"]}, {"any": ["thing"]}),
    ],
)
def test_values_are_taken_as_toml_has_them(name, given, value):
    found = checked(**{name: given})[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("count", True, "True is not int"),
        ("count", 2.5, "2.5 is not int"),
        ("count", "two", "'two' is not int"),
        ("share", True, "True is not float"),
        ("share", "0,5", "'0,5' is not float.*Write 0.5"),
        ("share", float("nan"), "nan is not float"),
        ("share", float("inf"), "inf is not float"),
        ("on", 2, "2 is not bool"),
        ("on", "so", "'so' is not bool.*true or false"),
        ("mode", "quick", r"'quick' is not .*\(Input should be 'fast' or 'slow'\)"),
        ("names", "", "'' is not list"),
        ("names", ["a", [1]], r"\['a', \[1\]\] is not list\[str\]"),
        ("limit", "x", "'x' is not int or None"),
        ("needed", object(), "is not str"),
    ],
)
def test_a_value_of_another_type(name, given, message):
    with pytest.raises(UserError, match=f"^callback 'gadget', option '{name}': .*{message}"):
        checked(**{name: given})


def test_an_unknown_option_names_the_closest_and_all():
    options = "count, levels, limit, mode, names, needed, on, place, share, untyped"
    with pytest.raises(UserError, match=f"^callback 'gadget' .*'cuont'.*'count'.*{options}"):
        checked(cuont=1)
    with pytest.raises(UserError, match="no option 'sizes'"):
        checked(sizes=1)


def test_a_required_option_that_is_missing():
    with pytest.raises(UserError, match=r"^callback 'gadget' .*'needed' \(str\)"):
        entry(Gadget).check_options({})


def test_the_message_for_a_misspelt_option_of_an_installed_task():
    with pytest.raises(UserError) as error:
        registry().get("aux_task", "contrastive").check_options({"temprature": 0.1})
    assert str(error.value).startswith(
        "aux task 'contrastive' has no option 'temprature'. Did you mean 'temperature'?"
    )


def test_the_weight_of_a_task_is_an_option_with_the_classs_default():
    options = entry(Task, "aux_task", "t").options()
    assert (options["weight"].type, options["weight"].default) == (float, 3.0)
    assert "weight" not in entry(Gadget).options()


def test_an_option_whose_type_is_not_there_at_run_time():
    with pytest.raises(UserError, match="Odd: .*'Sizes'.*TYPE_CHECKING"):
        entry(Odd).options()


def test_options_of_a_class_without_a_constructor_of_its_own():
    assert entry(type("Plain", (mmseq.Callback,), {})).options() == {}


def test_a_class_as_target_has_a_source_too():
    gadget = entry(Gadget)
    assert gadget.description == "Has an option of every type."
    line = Path(__file__).read_text().splitlines().index("class Gadget(mmseq.Callback):") + 1
    assert gadget.location == f"{__file__}:{line}"
    made = type("Made", (mmseq.Callback,), {"__doc__": "Made at run time."})
    assert (entry(made).location, entry(made).description) == ("", "Made at run time.")


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("no_such_module:X", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("no_such.module:X", "ModuleNotFoundError: No module named 'no_such'"),
        ("mmseq_part.part:Missing", "AttributeError: .*'Missing'"),
        ("mmseq_part.part:Fission", "'Fission'.*'Fusion'"),
        ("mmseq_part.no:X", "ModuleNotFoundError: No module named 'mmseq_part.no'"),
        ("mmseq_part.needy:X", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("mmseq_part.wrong:X", r"SyntaxError: .*wrong.py, line 1"),
        ("mmseq_part.raises:X", "RuntimeError: no driver; go away"),
    ],
)
def test_a_target_that_cannot_be_loaded(site, target, cause):
    site.add(
        "part",
        "",
        part="class X: pass\nclass Fusion: pass",
        needy="import no_such_library",
        wrong="class X(:",
        raises="raise RuntimeError('no driver;\\n  go away')",
    )
    with pytest.raises(UserError) as error:
        entry(target).load()
    assert str(error.value).startswith(
        f"callback 'gadget' of mmseq-x 1.2 cannot be loaded from '{target}': "
    )
    assert "\n" not in str(error.value)
    with pytest.raises(UserError, match=cause):
        entry(target).options()
    assert entry(target).description == ""


@pytest.mark.parametrize(
    "target", [Gadget, "mmseq.registry.entries:KINDS", "mmseq.registry.entries:Entry"]
)
def test_a_target_of_another_kind(target):
    with pytest.raises(UserError, match=r"^fusion 'f' of mmseq-x 1\.2: .*mmseq\.Fusion"):
        entry(target, "fusion", "f").load()


@pytest.mark.parametrize(
    "target", ["sys:x", "math:x", "no_such:x", "json.decoder.x:y", "__main__:x"]
)
def test_a_target_without_source_has_no_description(target):
    assert entry(target).description == ""


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("no_such:x.toml", "'no_such'"),
        ("mmseq:no/such.toml", "no/such.toml .*'mmseq'"),
        ("mmseq.errors:x.toml", "'mmseq.errors'"),
    ],
)
def test_a_preset_without_file(target, cause):
    preset = entry(target, "preset", "p")
    with pytest.raises(UserError, match=rf"^preset 'p' of mmseq-x 1\.2: .*{cause}"):
        _ = preset.path
    assert (preset.description, preset.location) == ("", "")


def test_an_unknown_name():
    known = ", ".join(sorted(registry().names("aux_task")))
    with pytest.raises(UserError, match=f"aux task 'contrastve'.*'contrastive'.*{known}"):
        registry().get("aux_task", "contrastve")


def test_an_unknown_name_like_nothing():
    with pytest.raises(UserError, match="decoder 'zzz'.*none"):
        Registry().get("decoder", "zzz")


def test_entries_are_sorted_by_kind_and_name():
    found = [(list(KINDS).index(e.kind), e.name) for e in registry().entries()]
    assert found == sorted(found)


@pytest.mark.parametrize("found", registry().entries(), ids=lambda e: f"{e.kind}-{e.name}")
def test_every_registered_component_can_be_found_and_says_what_it_is(found):
    file, _, line = found.location.rpartition(":")
    assert Path(file).is_file()
    assert int(line) > 0
    assert found.description
    if found.kind not in FILES:
        assert found.load().__name__ == found.target.partition(":")[2]
        assert all(option.type_name for option in found.options().values())


class Base:
    def __init__(self, sizes, *, depth: int = 2, rate: float = 0.1, assets=None) -> None: ...


class Passing(Base):
    def __init__(self, sizes, *, side: int = 3, rate: float = 0.5, assets=None, **options) -> None:
        super().__init__(sizes, rate=rate, assets=assets, **options)


class Closed(Passing):
    def __init__(self, sizes, *, side: int = 4) -> None:
        super().__init__(sizes, side=side)


def test_a_constructor_that_hands_options_on_has_those_of_its_base():
    found = {name: option.default for name, option in options_of(Passing).items()}
    assert found == {"side": 3, "rate": 0.5, "depth": 2}
    assert options_of(Passing)["depth"].type is int
    assert set(options_of(Closed)) == {"side"}


def test_an_option_without_an_annotation_has_the_type_of_its_default():
    untyped = entry(Untyped)
    types = {name: option.type_name for name, option in untyped.options().items()}
    assert types == {"share": "float", "count": "int", "on": "bool", "name": "str", "other": "Any"}
    with pytest.raises(UserError, match="'share': 'x' .*float"):
        untyped.check_options({"share": "x"})
    assert untyped.check_options({"share": 1, "other": [2]})["other"] == [2]


def test_a_plugin_that_does_not_register_what_bears_its_name_is_named(site):
    site.add("bare", "import mmseq\n@mmseq.hookimpl\ndef register_components(add): ...\n")
    with pytest.raises(UserError) as caught:
        registry().get("fusion", "bare")
    assert str(caught.value).startswith("Unknown fusion 'bare'. ")
    assert str(caught.value).endswith(
        " The plugin 'bare' of mmseq-bare 1.0 is installed, but registers no such fusion."
    )


@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        ("mmseq.Cuont", "AttributeError"),
        ("int |", "SyntaxError"),
        ("Cuont", "'Cuont'"),
        ("Literal[fast]", "'fast'"),
    ],
)
def test_an_annotation_that_cannot_be_read_is_one_line(annotation, told):
    class Wrong(mmseq.Callback):
        def __init__(self, *, size: int = 1) -> None:
            pass

    Wrong.__init__.__annotations__["size"] = annotation
    with pytest.raises(UserError, match=f"Wrong: the type of an option cannot be read: .*{told}"):
        entry(Wrong).check_options({})

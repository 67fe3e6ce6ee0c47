"""Files of data and of words: every reader, every format that is imported, pictures, input."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import structures
from mutation import changed_bytes, changed_file
from structures import Stream
from trial import Make, Target, Trial, fuzzed


def _reader(
    name: str, strategy: Any, good: str, commands: Sequence[str], options: Sequence[str] = ("",)
) -> Target:
    """Half made from nothing, half a good file that is changed; FILE in `commands` is it."""
    ending = Path(good).suffix

    def make(world: Path, seed: str) -> Make:
        stream = Stream(strategy, f"{seed} {name}")
        content = (world / good).read_bytes() if (world / good).exists() else b""

        def trial(number: int, draw: Random) -> Trial:
            made = draw.random() < 0.5 or not content
            one = stream[number] if made else changed_file(good, content, draw)
            if made and draw.random() < 0.2:
                one = changed_bytes(one, draw)
            file = f"tried{ending}"
            line = draw.choice(commands).replace("FILE", file)
            return Trial(
                [[*line.split(), *draw.choice(options).split()]],
                {file: one},
                codes=(0, 1, 2) if "check" in line else (0, 2),
                renewed=["out"],
            )

        return trial

    return fuzzed(name, make, takes=["data", "run"] if "RUN" in " ".join(commands) else ["data"])


SHOWN = ("data show FILE", "data show FILE --json", "data check FILE", "data check FILE --json")
SPLIT = "data split FILE --output out --json"
SCORED = ("score FILE FILE --json", "score data/test.jsonl FILE")
NAMED = ("", "", "--scheme bioes", "--scheme io", "--map PER=X", "--map LOC=O", "--tag-names O,B-A")
FIELDS = ("--fields tokens=words", "--fields tags=labels,images=photo")
COLUMNS = ("--columns word=1,tag=2", "--columns tag=-1", "--columns word=word,tag=tag")


def _imports(form: str, strategy: Any, ending: str, options: Sequence[str] = ("",)) -> Target:
    """A format of `data import`, from nothing and changed."""

    def make(world: Path, seed: str) -> Make:
        stream = Stream(strategy, f"{seed} {form}")

        def trial(number: int, draw: Random) -> Trial:
            content = stream[number]
            if draw.random() < 0.3:
                content = changed_file(f"a{ending}", content, draw) if content else b"{"
            files: dict[str, bytes | None] = {f"in/tried{ending}": content}
            source = "in"
            if form == "brat":
                # What is drawn is the annotation of a text.
                files = {"in/a.txt": b"Anna was in New York.\nLi too.\n", "in/a.ann": content}
            elif draw.random() < 0.8:
                source = f"in/tried{ending}"
            line = ["data", "import", form, source, "out", *draw.choice(options).split()]
            return Trial([line], files, renewed=["out", "in"])

        return trial

    return fuzzed(f"import-{form}", make, share=0.5)


IMPORTING = (
    "",
    "",
    "--json",
    "--column text=text",
    "--column tokens=tokens --column tags=tags",
    "--inside drop",
    "--inside widen --splitter tweet",
    "--sentences lines",
    "--tag-names O,B-PER,I-PER",
    "--column spans=",
)
brat_lines = structures.texts | structures.st.lists(
    structures.st.builds(
        "{}\t{} {} {}\t{}".format,
        structures.st.sampled_from(["T1", "T2", "R1", "E1", "A1", "#1", "*", "T"]),
        structures.st.sampled_from(["PER", "LOC", "Loc Arg1:T1", ""]),
        structures.st.integers(-1, 40),
        structures.st.one_of(structures.st.integers(-1, 40), structures.st.just("4;12 16")),
        structures.words,
    ),
    max_size=5,
).map(lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass"))


def _pictures() -> Target:
    def make(world: Path, seed: str) -> Make:
        files = sorted((world / "pictures").iterdir())

        def trial(number: int, draw: Random) -> Trial:
            good = draw.choice(files)
            name = f"pictures/{draw.choice(files).name}" if draw.random() < 0.1 else None
            name = name or f"pictures/{good.name}"
            content = changed_bytes(good.read_bytes(), draw)
            return Trial([["python:picture", "run", name]], {name: content})

        return trial

    return fuzzed("pictures", make, share=2, takes=["run", "pictures"])


def _input() -> Target:
    """Standard input of `predict`, and the sentences of a call in Python."""

    def make(world: Path, seed: str) -> Make:
        texts = Stream(structures.texts, f"{seed} texts")
        lines = Stream(structures.json_lines, f"{seed} lines")
        columns = Stream(structures.columns(), f"{seed} columns")
        ways: list[tuple[Any, list[str]]] = [
            (texts, []),
            (texts, ["--json", "--best", "2"]),
            (texts, ["--min-score", "0.5"]),
            (lines, ["--format", "jsonl"]),
            (lines, ["--format", "jsonl", "--json", "--images", "data/images"]),
            (columns, ["--format", "conll"]),
        ]

        def trial(number: int, draw: Random) -> Trial:
            stream, options = draw.choice(ways)
            content = stream[number]
            if draw.random() < 0.2:
                content = changed_bytes(content, draw)
            if draw.random() < 0.3:
                return Trial([["python:sentences", "run", "tried"]], {"tried": content})
            return Trial([["predict", "run", *options]], given=content)

        return trial

    return fuzzed("input", make, share=2, takes=["run", "data"])


TARGETS: tuple[Target, ...] = (
    _reader("jsonl", structures.json_lines, "data/test.jsonl", (*SHOWN, SPLIT), (*NAMED, *FIELDS)),
    _reader("conll", structures.columns(), "words.conll", (*SHOWN, SPLIT), (*NAMED, *COLUMNS)),
    _reader(
        "imgid",
        structures.columns(),
        "words.txt",
        [f"{line} --reader conll" for line in (*SHOWN, SPLIT)],
        (*NAMED, *COLUMNS),
    ),
    _reader("scored", structures.json_lines, "run/predictions/test.jsonl", SCORED, NAMED),
    _imports("json", structures.text_json | structures.json_lines, ".json", IMPORTING),
    _imports("doccano", structures.text_json_lines, ".jsonl", IMPORTING),
    _imports("prodigy", structures.text_json_lines, ".jsonl", IMPORTING),
    _imports("label-studio", structures.text_json, ".json", IMPORTING),
    _imports("csv", structures.tables(), ".csv", (*IMPORTING, "--column word=word")),
    _imports("autogluon", structures.tables(), ".csv"),
    _imports("brat", brat_lines, ".ann", IMPORTING),
    _imports("spacy", structures.texts, ".spacy"),
    _imports("datasets", structures.text_json, "/dataset_info.json"),
    _pictures(),
    _input(),
)

"""What starts fast imports no library that is slow to import."""

import json
import subprocess
import sys

SLOW = (
    *("torch", "torchvision", "transformers", "timm", "accelerate"),
    *("numpy", "PIL", "nltk", "matplotlib"),
)
PROGRAM = """
import contextlib, io, json, sys
from mmseq.__main__ import run

found = []
for arguments in json.loads(sys.argv[2]):
    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = run(arguments)
    slow = [name for name in sys.argv[1].split(",") if name in sys.modules]
    found.append([code, slow, text.getvalue()])
print(json.dumps(found))
"""


def started(lines):
    """Of each command line its exit code, the slow libraries imported so far, and its output; one
    after the other in a process of their own.
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM, ",".join(SLOW), json.dumps(lines)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def test_help_and_listings_start_without_slow_libraries():
    lines = [
        ["--help"],
        ["train", "--help"],
        ["audit", "--help"],
        ["compare", "--help"],
        ["plot", "--help"],
        ["score", "--help"],
        ["table", "--help"],
        ["new-plugin", "--help"],
        ["list"],
        ["list", "fusion", "--json"],
        ["plugins"],
        ["show", "preset", "mlmner"],
        ["show", "published", "multimodal-ner-twitter"],
    ]
    for line, (code, slow, output) in zip(lines, started(lines), strict=True):
        assert (code, slow) == (0, []), line
        assert output, line


def test_a_misspelt_name_is_told_without_slow_libraries():
    guesses = [
        (["train", "--fusion", "crss-transformer"], "Did you mean 'cross-transformer'?"),
        (["train", "--aux", "boundary,contrastve"], "Did you mean 'contrastive'?"),
        (["train", "--set", "callbacks.histry.steps=3"], "Did you mean 'history'?"),
        (["new-plugin", "none"], "has a fusion 'none' already"),
    ]
    found = started([line for line, _ in guesses])
    for (line, guess), (code, slow, output) in zip(guesses, found, strict=True):
        assert (code, slow) == (2, []), line
        assert guess in output


def test_the_top_level_names_are_there_when_asked_for():
    program = (
        "import sys, mmseq\n"
        "assert 'torch' not in sys.modules\n"
        "assert set(mmseq.__all__) <= set(dir(mmseq))\n"
        "assert all(getattr(mmseq, name) is not None for name in mmseq.__all__)\n"
        "try: mmseq.Nonsense\n"
        "except AttributeError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "module 'mmseq' has no attribute 'Nonsense'\n"


def test_at_the_end_nothing_is_left_to_collect_and_exit_handlers_are_called():
    program = (
        "import atexit, gc\n"
        "from mmseq.__main__ import main\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 10_000, gc.collect()))\n"
        "main(['list', 'fusion', '--json'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True 0"

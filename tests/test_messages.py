"""What the program says to typical mistakes, word for word: messages.txt is the record.

Other tests hold the exit code, the place and one telling word of a message. Whoever changes the
wording renews the page and reads its difference: `RENEW=1 python -m pytest tests/test_messages.py`.
"""

import os
import re
import shlex
import shutil
from pathlib import Path

import pytest

from mmseq import __version__
from mmseq.config.config import Config

PAGE = Path(__file__).with_name("messages.txt")
BLOCK = re.compile(r"^\$ (mmseq .*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)
RECORD = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8")))
FILES = {
    "empty/notes.md": "nothing here\n",
    "other-scheme/train.txt": "Anna\tB-PER\nruns\tE-PER\n",
    "no-prefix/train.txt": "Anna\tPER\n",
    "no-columns/train.txt": "Anna B-PER\n\nLima\n",
    "bad-json/train.jsonl": '{"tokens": ["a"], "tags": ["O"]}\n{"tokens": ["a"]\n',
    "uneven/train.jsonl": '{"tokens": ["a", "b"], "tags": ["O"]}\n',
    "untagged/train.jsonl": '{"tokens": ["a", "b"]}\n',
    "open/train.txt": "Anna\tB-PER\nruns\tO\n",
    "open/valid.txt": "Anna\tB-PER\nruns\t?\n",
    "all-open/train.txt": "Anna\t?\nruns\t?\n",
    "strange/train.docx": "",
    "absent-picture/train.jsonl": '{"tokens": ["a"], "tags": ["O"], "images": ["a.png"]}\n',
    "no-toml.toml": "[train\n",
    "no-section.toml": "[trian]\nepochs = 3\n",
    "plan.toml": 'presets = ["bert-cfr"]\ndata = ["data"]\n',
    "space.toml": "[space]\ntrain.epoch = { low = 1, high = 3 }\n",
    "sentences.csv": "so tired\n",
    "broken.jsonl": 'so tired\n{"tokens": ["so"]}\n',
    "gold.txt": "Anna\tB-PER\nruns\tO\n",
    "other-words.txt": "Anne\tB-PER\nruns\tO\n",
    "shorter.txt": "Anna\tB-PER\n",
}


@pytest.fixture
def place(tmp_path, monkeypatch, tiny_encoder, tiny_data, run_once):
    """The working folder: data, a finished text-only run, and what people get wrong."""
    config = Config.from_layers(
        flags={"text_encoder": {"name": "transformer", "model": str(tiny_encoder)}}
        | {"fusion": {"name": "none"}},
        settings={"data.path": str(tiny_data), "train.device": "cpu", "train.epochs": 1},
    )
    shutil.copytree(run_once(config), tmp_path / "run")
    shutil.copytree(tiny_data, tmp_path / "data")
    (tmp_path / "encoder").symlink_to(tiny_encoder)
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def renew(command, text):
    record = dict(BLOCK.findall(PAGE.read_text(encoding="utf-8"))) | {command: text}
    head = PAGE.read_text(encoding="utf-8").partition("$ ")[0]
    blocks = "".join(f"$ {command}\n{text}" for command, text in record.items())
    PAGE.write_text(head + blocks, encoding="utf-8")


@pytest.mark.parametrize("command", RECORD)
def test_a_mistake_is_answered_as_the_page_says(command, place, run_cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    done = run_cli(*shlex.split(command)[1:])
    said = (done.out + done.err).replace(str(place), "HERE").replace(__version__, "VERSION")
    said = "".join(f"{line.rstrip()}\n" for line in said.splitlines())
    # An empty line would not show where a message ends.
    said = re.sub(r"\n\n+", "\n", said) + f"(exit code {done.code})\n"
    if "RENEW" in os.environ:
        renew(command, said)
    else:
        assert said == RECORD[command]
    assert done.code in (1, 2)
    assert "Traceback" not in said

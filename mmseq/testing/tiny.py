"""Tiny real fixtures: a random BERT, and six sentences with pictures and boxes."""

from __future__ import annotations

import atexit
import shutil
import string
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image, ImageDraw

from mmseq.contracts.example import Example

TINY_IMAGE_MODEL: Mapping[str, Any] = {"model": "test_resnet", "weights": "random"}
"""Options of the image encoder `timm` that need no download; ``test_vit`` is as small"""

# Words, tags, number of pictures: none, one and several; one word alone; no entity; nothing else.
_SENTENCES = (
    ("Anna Kowalski was seen in Oslo today", "B-PER I-PER O O O B-LOC O", 1),
    ("so tired", "O O", 0),
    ("Jordan", "B-PER", 1),
    ("Li Wei and friends in New York !", "B-PER I-PER O O O B-LOC I-LOC O", 2),
    ("great evening in Lima", "O O O B-LOC", 0),
    ("Chelsea Cape Town", "B-PER B-LOC I-LOC", 3),
)
PICTURES = tuple(pictures for _, _, pictures in _SENTENCES)
"""Number of pictures of each sentence"""
_COLOURS = ("navy", "orange", "green", "crimson", "gold", "purple", "teal")


@cache
def tiny_bert(width: int = 32) -> Path:
    """Folder of a random BERT `width` wide: 2 layers, 4 heads, a vocabulary of characters.

    Option `model` of the text encoder `transformer`. It is made once a process and removed at its
    end.
    """
    from transformers import BertConfig, BertModel, BertTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]
    characters = string.ascii_lowercase + string.digits + string.punctuation
    words = ["the", "in", "was", "seen", "today", "and", "friends"]
    pieces = [*characters, *("##" + c for c in characters), *words]
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *pieces]
    folder = temporary_folder("bert")
    tokenizer = BertTokenizer(vocab={piece: i for i, piece in enumerate(vocabulary)})
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * width,
        max_position_embeddings=128,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)
    return folder


@cache
def tiny_sentences() -> tuple[Example, ...]:
    """Six tagged sentences (PER, LOC) with none to three pictures each.

    Every word has the extra `boxes`: x0 y0 x1 y1 in thousandths of the page.
    """
    folder = temporary_folder("pictures")
    drawn = 0
    examples = []
    for number, (text, tags, pictures) in enumerate(_SENTENCES):
        images = []
        for _ in range(pictures):
            images.append(folder / f"{drawn}.png")
            _draw(drawn, images[-1])
            drawn += 1
        words = tuple(text.split())
        boxes = [_box(index, number) for index in range(len(words))]
        examples.append(
            Example(
                words,
                tuple(tags.split()),
                tuple(images),
                id=f"tiny-{number}",
                extras={"boxes": boxes},
                file=folder / "tiny.jsonl",
                line=number + 1,
            )
        )
    return tuple(examples)


def temporary_folder(stem: str) -> Path:
    """A new folder that is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"mmseq-{stem}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _box(word: int, sentence: int) -> list[int]:
    """Words stand in lines of four."""
    x, y = word % 4 * 250, word // 4 * 250 + sentence * 25
    return [x, y, x + 200, y + 100]


def _draw(number: int, path: Path) -> None:
    """A picture of its own colours, shape and size."""
    picture = Image.new("RGB", (48 + 8 * number, 64), _COLOURS[number])
    pen = ImageDraw.Draw(picture)
    corners = (8, 4 * number, 40, 60)
    shape = pen.ellipse if number % 2 else pen.rectangle
    shape(corners, fill=_COLOURS[(number + 3) % len(_COLOURS)])
    picture.save(path)

"""Words cut by the tokenizer of a Hugging Face model, of either kind."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer

from mmseq.builtins.text.suitable import Unsuitable
from mmseq.files import refusals

TRIED = ("Paris", "paris", "don't", "#tag", "@user", "3.14", "U.S.", "Größe", "東京", "😀")
"""Words that a saved copy of a Python tokenizer must cut alike, before any of the data are seen"""
REMEMBERED = 200_000
"""Words that a Python tokenizer cuts only once; others it cuts each time they come"""


class SubWords:
    """The sub-words of each word. A tokenizer of the tokenizers library cuts a sentence at once;
    one written in Python, such as BERTweet's, a word at a time, each word once.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.seen: dict[str, list[int]] = {}
        """Words that a Python tokenizer has cut"""

    def __call__(self, tokens: Sequence[str]) -> list[list[int]]:
        """Ids of each word; none of a word that the tokenizer drops."""
        if not self.tokenizer.is_fast:
            return [self._cut(token) for token in tokens]
        words: list[list[int]] = [[] for _ in tokens]
        found = self.tokenizer(
            list(tokens), is_split_into_words=True, add_special_tokens=False, verbose=False
        )
        for sub_word, word in zip(found["input_ids"], found.word_ids(), strict=True):
            words[word].append(sub_word)
        return words

    def _cut(self, word: str) -> list[int]:
        if word in self.seen:
            return self.seen[word]
        found = cut_word(self.tokenizer, word)
        if len(self.seen) < REMEMBERED:
            self.seen[word] = found
        return found


def cut_word(tokenizer: Any, word: str) -> list[int]:
    """Ids of a single word."""
    if not word.strip():
        return []
    found = tokenizer([word], is_split_into_words=True, add_special_tokens=False, verbose=False)
    return list(found["input_ids"])


def tokenizer_of(source: str, *, here: bool = False) -> Any:
    """The tokenizer of a folder or Hub id, ready for words that are split already. `here`: of a
    folder, and no network is asked.
    """
    asked: dict[str, Any] = {"use_fast": True, "local_files_only": here}
    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False, **asked)
    if getattr(tokenizer, "add_prefix_space", True) is False:
        # Byte-level tokenizers refuse split words unless each begins with a space.
        tokenizer = AutoTokenizer.from_pretrained(
            source, add_prefix_space=True, trust_remote_code=False, **asked
        )
    return tokenizer


def special_tokens(tokenizer: Any) -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and after a sentence."""
    marked = tokenizer(["a"], is_split_into_words=True)["input_ids"]
    bare = tokenizer(["a"], is_split_into_words=True, add_special_tokens=False)["input_ids"]
    start = next(i for i in range(len(marked)) if marked[i : i + len(bare)] == bare)
    return marked[:start], marked[start + len(bare) :]


def lower_cases(tokenizer: Any) -> bool:
    """Capitals are lost in its sub-words."""
    words = [
        tokenizer([word], is_split_into_words=True)["input_ids"] for word in ("Paris", "paris")
    ]
    return bool(words[0] == words[1])


def require_kept(tokenizer: Any, structure: Any) -> None:
    """`Unsuitable` where a saved copy of a Python tokenizer cuts words otherwise."""
    if tokenizer.is_fast:
        return
    with tempfile.TemporaryDirectory() as folder:
        with refusals(Path(folder)):
            structure.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
        words = {word: cut_word(tokenizer, word) for word in TRIED}
        word = cut_otherwise(Path(folder), words)
    if word is not None:
        raise Unsuitable(
            "its tokenizer is not one of the tokenizers library, and a saved copy of it cuts "
            f"'{word}' otherwise"
        )


def cut_otherwise(folder: Path, words: Mapping[str, Sequence[int]]) -> str | None:
    """The first of `words`, each with its sub-words, that the tokenizer saved in `folder` cuts
    otherwise.
    """
    try:
        copy = tokenizer_of(str(folder))
    # Whatever keeps the library from reading its own files, no run could keep this tokenizer.
    except Exception:
        return next(iter(words), "")
    differing = (word for word, ids in words.items() if cut_word(copy, word) != list(ids))
    return next(differing, None)

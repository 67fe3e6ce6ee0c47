from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import nn

from mmseq.builtins.decoding.decoders import SoftmaxDecoder
from mmseq.builtins.fusion import GateFusion, NoFusion
from mmseq.builtins.weighting.computed import FixedWeighting
from mmseq.config.config import Choice, Config
from mmseq.contracts.aux_task import AuxOutput, AuxTask
from mmseq.contracts.example import Example
from mmseq.contracts.fusion import Fused, Fusion
from mmseq.contracts.image_encoder import ImageEncoder, Pictures
from mmseq.contracts.states import PerWord, Sizes, Targets, TextStates
from mmseq.contracts.text_encoder import TextEncoder, TextInputs
from mmseq.errors import UserError
from mmseq.model.assembly import build_model
from mmseq.model.batch import Batch
from mmseq.model.collate import Collator
from mmseq.model.fields import ExtraField
from mmseq.model.model import Model
from mmseq.registry.entries import Entry

LABELS = ("O", "B-X", "I-X")


class Letters(TextEncoder):
    """A word is the embedding of its length; a part says whether it begins with a capital."""

    learning_rate = 0.1
    parts = {"capital": 1}
    extras = {"size": PerWord(1, low=0)}

    def __init__(self):
        super().__init__()
        self.width = 4
        self.embed = nn.Embedding(20, 4)

    def encode(self, tokens):
        return [(len(token), token[0].isupper()) for token in tokens]

    def collate(self, encoded):
        widest = max(map(len, encoded))
        rows = [[*row, *[(0, False)] * (widest - len(row))] for row in encoded]
        return {"words": torch.tensor(rows, dtype=torch.long)}

    def forward(self, inputs, images):
        lengths, capital = inputs.tensors["words"].unbind(dim=2)
        return TextStates(
            self.embed(lengths), inputs.mask, parts={"capital": capital.float()[..., None]}
        )


class TwoRegions(ImageEncoder):
    """A picture is a number v: regions (v, 1) and (v, 2), vector (10 v, 1), one map of v."""

    width = 2
    learning_rate = 0.1
    levels = (3,)
    fingerprint = None

    def transform(self, image):
        raise NotImplementedError

    def precompute(self, pixels):
        raise NotImplementedError

    def forward(self, precomputed):
        value = precomputed["map"]
        regions = torch.stack([torch.cat([value, torch.full_like(value, i)], 1) for i in (1, 2)], 1)
        return Pictures(
            regions,
            torch.cat([10 * value, torch.ones_like(value)], dim=1),
            torch.tensor([[0, 0, 0.5, 1], [0.5, 0, 1, 1]]),
            (value[:, :, None, None].expand(-1, 3, 2, 2),),
        )


class Numbers:
    """Pictures that are named by their number."""

    def has(self, path):
        return True

    def content(self, path):
        return path.stem

    def rows(self, paths):
        return {"map": torch.tensor([[float(path.stem)] for path in paths])}


class Record(Fusion):
    """Keeps what it was given."""

    def __init__(self, sizes):
        super().__init__()
        self.width = sizes.text
        self.views = {"twice": sizes.text}

    def forward(self, text, images):
        self.given = (text, images)
        return Fused(text.words + 1, {"twice": 2 * text.words})


class Refine(AuxTask):
    """Adds `shift` to the emissions, counts the capitals, and keeps what it was given."""

    refines = True
    views = ("words", "capital")

    def __init__(self, shift=1.0):
        super().__init__()
        self.shift = shift

    def count(self, targets):
        return sum(word[0].isupper() for sentence in targets.tokens for word in sentence)

    def forward(self, views, targets, emissions):
        self.given = (dict(views), targets, emissions)
        shift = torch.zeros_like(emissions)
        shift[..., 1] = self.shift
        return AuxOutput(views["capital"].sum(), emissions * 2 + shift)


class Plain(AuxTask):
    """Sums a view; does not refine."""

    views = ("twice",)
    calls = 0

    def count(self, targets):
        return 0

    def forward(self, views, targets, emissions):
        self.calls += 1
        self.given = emissions
        return AuxOutput(views["twice"].sum())


SIZES = Sizes(labels=LABELS, text=4, image=2, levels=(3,), losses={"main": 1.0})
SENTENCES = [
    ("Two of us", "B-X I-X O", "3 5"),
    ("none", "O", ""),
    ("One it", "B-X O", "7"),
]


def batch_of(sentences, *, tagged=True, size=True):
    fields = (ExtraField("size", PerWord(1, low=0), "text encoder"),) if size else ()
    collator = Collator(Letters(), LABELS, Numbers(), fields)
    examples = [
        Example(
            tuple(words.split()),
            tuple(tags.split()) if tagged else None,
            tuple(Path(f"{name}.png") for name in images.split()),
            extras={"size": [float(i) for i in range(len(words.split()))]},
        )
        for words, tags, images in sentences
    ]
    return collator.batch([collator.prepare(example) for example in examples])


def model_of(fusion, tasks=None, *, pictures=True):
    torch.manual_seed(0)
    return Model(
        LABELS,
        Letters(),
        TwoRegions() if pictures else None,
        fusion,
        tasks or {},
        SoftmaxDecoder(SIZES),
        FixedWeighting(SIZES),
    )


def images_of(sentences):
    model = model_of(Record(SIZES))
    model.views(batch_of(sentences))
    return model.fusion.given[1]


def test_pictures_are_gathered_by_sentence():
    images = images_of(SENTENCES)
    nothing = [0.0, 0.0]
    assert images.regions.tolist() == [
        [[3, 1], [3, 2], [5, 1], [5, 2]],
        [nothing] * 4,
        [[7, 1], [7, 2], nothing, nothing],
    ]
    assert images.mask.tolist() == [[True] * 4, [False] * 4, [True, True, False, False]]
    assert images.present.tolist() == [True, False, True]
    assert images.vector.tolist() == [[40, 1], nothing, [70, 1]]
    assert images.image_index.tolist() == [[0, 0, 1, 1]] * 3
    halves = [[0, 0, 0.5, 1], [0.5, 0, 1, 1]]
    assert images.grid.tolist() == [halves * 2] * 3
    (level,) = images.levels
    assert level.shape == (3, 3, 2, 2)
    assert level[:, 0, 0, 0].tolist() == [4, 0, 7]


def test_a_sentence_has_the_same_pictures_alone():
    together = images_of(SENTENCES)
    for row, sentence in enumerate(SENTENCES):
        alone = images_of([sentence])
        real = together.mask[row]
        assert alone.regions[0][alone.mask[0]].equal(together.regions[row][real])
        assert alone.grid[0][alone.mask[0]].equal(together.grid[row][real])
        assert alone.image_index[0][alone.mask[0]].equal(together.image_index[row][real])
        assert alone.vector[0].equal(together.vector[row])


def test_a_batch_without_any_picture_has_one_masked_region():
    images = images_of([("no", "O", ""), ("nor this", "O O", "")])
    assert images.regions.shape == (2, 1, 2)
    assert images.mask.tolist() == [[False], [False]]
    assert images.grid.shape == (2, 1, 4)
    assert images.image_index.shape == (2, 1)
    assert images.levels[0].shape == (2, 3, 1, 1)
    for tensor in (images.regions, images.vector, images.grid, images.image_index):
        assert not tensor.any()


def test_pictures_come_with_gradient():
    model = model_of(Record(SIZES))
    batch = batch_of(SENTENCES)
    values = batch.pictures["map"].requires_grad_()
    model.views(replace(batch, pictures={"map": values}))
    images = model.fusion.given[1]
    (images.regions.sum() + images.vector.sum() + images.levels[0].sum()).backward()
    # Two regions; ten times, shared by the sentence's pictures; 3 channels of 4 cells, shared.
    assert values.grad.flatten().tolist() == [2 + 5 + 6, 2 + 5 + 6, 2 + 10 + 12]


def test_a_picture_that_sentences_share_is_encoded_once_and_is_where_each_has_it():
    shared = [("a", "O", "3"), ("b c", "O O", "5 3"), ("d", "O", "5"), ("e", "O", "")]
    model, batch = model_of(Record(SIZES)), batch_of(shared)
    seen = []
    model.image_encoder.register_forward_hook(lambda module, given, found: seen.append(given[0]))
    values = batch.pictures["map"].requires_grad_()
    model.views(replace(batch, pictures={"map": values}))
    assert [given["map"].flatten().tolist() for given in seen] == [[3, 5]]
    images = model.fusion.given[1]
    assert images.regions[..., 0].tolist() == [[3, 3, 0, 0], [5, 5, 3, 3], [5, 5, 0, 0], [0] * 4]
    assert images.vector[:, 0].tolist() == [30, 40, 50, 0]
    assert images.levels[0][:, 0, 0, 0].tolist() == [3, 4, 5, 0]
    (images.regions.sum() + images.vector.sum() + images.levels[0].sum()).backward()
    # As above, once for each sentence that has it: alone, and shared with another.
    assert values.grad.flatten().tolist() == [2 + 10 + 12 + 2 + 5 + 6, 2 + 5 + 6 + 2 + 10 + 12]


def test_without_an_image_encoder_a_fusion_gets_none():
    model = model_of(Record(SIZES), pictures=False)
    model.views(batch_of(SENTENCES))
    assert model.fusion.given[1] is None


def test_the_views_are_words_fused_the_fusions_and_the_encoders_parts():
    model, batch = model_of(Record(SIZES)), batch_of(SENTENCES)
    views, shared = model.views(batch)
    words = model.text_encoder.embed(batch.text.tensors["words"][..., 0])
    assert set(views) == {"words", "fused", "twice", "capital", "picture"}
    assert views["picture"].tolist() == [[40, 1], [0, 0], [70, 1]]
    assert views["words"].equal(words)
    assert shared is views["words"]
    assert views["fused"].equal(words + 1)
    assert views["twice"].equal(2 * words)
    assert views["capital"][..., 0].tolist() == [[1, 0, 0], [0, 0, 0], [1, 0, 0]]


def test_sentences_with_the_same_pictures_are_told():
    """The same two in another order are others, as `image_index` has it."""
    batch = batch_of([("a", "O", "3 5"), ("b", "O", ""), ("c", "O", "5"), ("d", "O", "3 5")])
    assert batch.targets.picture.tolist() == [0, -1, 1, 0]
    assert batch.to(torch.device("cpu")).targets.picture.tolist() == [0, -1, 1, 0]


def test_fields_that_a_component_reads_reach_the_fusion():
    model = model_of(Record(SIZES))
    assert model.extras == (ExtraField("size", PerWord(1, low=0), "text encoder"),)
    batch = batch_of(SENTENCES)
    model.views(batch)
    assert model.fusion.given[0].extras["size"].equal(batch.text.extras["size"])


def test_tasks_refine_in_order_and_the_main_loss_is_of_the_refined_emissions():
    tasks = {"first": Refine(1.0), "plain": Plain(), "second": Refine(5.0)}
    model, batch = model_of(Record(SIZES), tasks), batch_of(SENTENCES)
    output = model(batch, list(tasks))
    views, _ = model.views(batch)
    raw = model.head(views["fused"])
    shift = torch.tensor([0.0, 1.0, 0.0])
    once = raw * 2 + shift
    twice = once * 2 + 5 * shift
    torch.testing.assert_close(tasks["first"].given[2], raw)
    torch.testing.assert_close(tasks["plain"].given, once)
    torch.testing.assert_close(output.emissions, twice)
    main = model.decoder.loss(twice, batch.targets.tags, batch.targets.mask)
    assert list(output.losses) == ["main", "first", "plain", "second"]
    torch.testing.assert_close(output.losses["main"], main)
    assert output.losses["first"].item() == 2
    assert set(tasks["first"].given[0]) == {"words", "capital"}


def test_only_the_tasks_asked_for_are_called():
    tasks = {"refine": Refine(), "plain": Plain()}
    model, batch = model_of(Record(SIZES), tasks), batch_of(SENTENCES)
    output = model(batch, ["refine"])
    assert list(output.losses) == ["main", "refine"]
    assert tasks["plain"].calls == 0


def test_prediction_calls_only_tasks_that_refine_and_gives_no_losses():
    tasks = {"refine": Refine(), "plain": Plain()}
    model = model_of(Record(SIZES), tasks)
    trained = model(batch_of(SENTENCES), list(tasks))
    output = model(batch_of(SENTENCES, tagged=False), list(tasks))
    assert output.losses == {}
    assert tasks["plain"].calls == 1
    torch.testing.assert_close(output.emissions, trained.emissions)


def test_a_batch_without_items_of_a_task_counts_zero_and_has_a_loss_all_the_same():
    model = model_of(Record(SIZES), {"refine": Refine(), "plain": Plain()})
    batch = batch_of([("no one", "O O", "")])
    assert model.counts(batch, ["refine", "plain"]) == {"main": 2, "refine": 0, "plain": 0}
    output = model(batch, ["refine"])
    assert output.losses["refine"].item() == 0
    assert output.losses["main"].isfinite()
    counts = model.counts(batch_of(SENTENCES), ["refine"])
    assert counts == {"main": 6, "refine": 2}


def test_preparation_is_the_longest_that_a_task_asks_for():
    tasks = {"a": Plain(), "b": Plain()}
    tasks["a"].preparation = 2
    assert model_of(Record(SIZES), tasks).preparation == 2
    assert model_of(Record(SIZES)).preparation == 0


def test_a_mixed_batch_gives_what_separate_batches_give():
    model = model_of(GateFusion(SIZES, dropout=0.0)).eval()
    together = model(batch_of(SENTENCES), [])
    apart = [model(batch_of([sentence]), []) for sentence in SENTENCES]
    for row, output in enumerate(apart):
        length = output.emissions.shape[1]
        torch.testing.assert_close(
            output.emissions[0], together.emissions[row, :length], atol=1e-6, rtol=0
        )
    total = sum(output.losses["main"] for output in apart)
    torch.testing.assert_close(together.losses["main"], total)


def entry(kind, name, target):
    return Entry(kind, name, target, "tests", "tests", "0")


@dataclass(frozen=True)
class Given:
    """A config whose fusion and tasks are those of this file."""

    single: dict
    aux: dict

    def component(self, kind):
        return self.single[kind]


def config_of(tiny_encoder, *, fusion=NoFusion, tasks=None, images="none"):
    config = Config.from_layers(settings={"text_encoder.model": str(tiny_encoder)})
    single = dict(config.single)
    single["fusion"] = Choice(entry("fusion", "some", fusion), {})
    single["image_encoder"] = None
    if images != "none":
        single["image_encoder"] = Choice(entry("image_encoder", "two", images), {})
    aux = {
        name: Choice(entry("aux_task", name, task), {}, 0.5) for name, task in (tasks or {}).items()
    }
    return Given(single, aux)


class Sized(TwoRegions):
    def __init__(self, sizes):
        super().__init__()


class Paged(Sized):
    whole_page = True


class Asks(Plain):
    """Keeps the sizes it was built with."""

    views = ("twice", "words")

    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes


class Wants(Asks):
    views = ("image",)


class Pictured(Record):
    needs_images = True


def test_components_are_built_with_the_sizes_of_those_before_them(tiny_encoder):
    config = config_of(tiny_encoder, fusion=Pictured, tasks={"asks": Asks}, images=Sized)
    model, fitted = build_model(config, LABELS)
    sizes = model.tasks["asks"].sizes
    assert sizes.labels == LABELS
    assert (sizes.text, sizes.sentence, sizes.image, sizes.levels) == (32, 32, 2, (3,))
    assert sizes.whole_page is False
    assert sizes.views == {"words": 32, "fused": 32, "twice": 32, "picture": 2}
    assert sizes.losses == {"main": 1.0, "asks": 0.5}
    assert fitted == {}
    assert model.head.weight.shape == (3, 32)


def test_components_are_told_whether_the_image_encoder_sees_the_whole_page(tiny_encoder):
    config = config_of(tiny_encoder, fusion=Pictured, tasks={"asks": Asks}, images=Paged)
    model, _ = build_model(config, LABELS)
    assert model.tasks["asks"].sizes.whole_page is True


def test_a_text_only_model_has_no_image_encoder(tiny_encoder):
    model, _ = build_model(config_of(tiny_encoder, images=Sized), LABELS)
    assert model.image_encoder is None


def test_a_fusion_that_needs_pictures_needs_an_image_encoder(tiny_encoder):
    with pytest.raises(UserError, match="fusion 'some' .*image_encoder"):
        build_model(config_of(tiny_encoder, fusion=Pictured), LABELS)


def test_a_view_that_the_fusion_lacks_is_an_error_that_names_the_fusions_having_it(tiny_encoder):
    with pytest.raises(UserError) as caught:
        build_model(config_of(tiny_encoder, tasks={"wants": Wants}), LABELS)
    message = str(caught.value)
    assert (
        "aux task 'wants' reads the view 'image', which neither fusion 'some' nor text encoder "
        "'transformer' offers" in message
    )
    assert "concat" in message
    assert "gate" in message


class Told(Asks):
    views = ("after",)
    lacking = {"after": "Only an encoder of one layer has it: take another."}


def test_a_task_may_say_itself_what_a_missing_view_means(tiny_encoder):
    with pytest.raises(UserError, match="'transformer' .*fused, words"):
        build_model(config_of(tiny_encoder, tasks={"told": Told}), LABELS)


def test_a_batch_need_not_have_tags_or_fields():
    batch = Batch(
        TextInputs({"words": torch.ones(1, 2, 2, dtype=torch.long)}, torch.ones(1, 2).bool()),
        Targets(torch.ones(1, 2).bool(), torch.zeros(1).bool()),
    )
    output = model_of(GateFusion(SIZES))(batch, [])
    assert output.emissions.shape == (1, 2, 3)
    assert output.losses == {}


class Fitted(Record):
    """Learns how many sentences there are."""

    needs_images = False

    def __init__(self, sizes, *, times=1, fitted=None):
        super().__init__(sizes)
        self.fitted = fitted

    @classmethod
    def fit(cls, examples, *, times):
        return {"sentences": times * len(examples)}


def test_what_a_component_learned_from_the_text_is_given_back_and_read_from_assets(
    tiny_encoder, tmp_path
):
    config = config_of(tiny_encoder, fusion=Fitted)
    config.single["fusion"] = replace(config.single["fusion"], options={"times": 2})
    model, fitted = build_model(config, LABELS, examples=[Example(("a",)), Example(("b",))])
    assert fitted == {"fusion": {"sentences": 4}}
    assert model.fusion.fitted == {"sentences": 4}
    for name in ("text_encoder", "fusion"):
        (tmp_path / name).mkdir()
    model.text_encoder.save_assets(tmp_path / "text_encoder")
    (tmp_path / "fusion" / "fitted.json").write_text('{"sentences": 9}')
    rebuilt, _ = build_model(config, LABELS, assets=tmp_path)
    assert rebuilt.fusion.fitted == {"sentences": 9}

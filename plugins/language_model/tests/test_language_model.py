import math

import pytest
import torch
from mmseq_language_model.task import END, UNKNOWN, LanguageModelTask

from mmseq import Config, Example, Sizes, Targets, UserError

WIDTHS = {"forward": 3, "backward": 4}
SIZES = Sizes(labels=("O", "B-LOC", "I-LOC"), views=WIDTHS)
SENTENCES = (("Lima", "is", "far", "off"), ("off",), ("IS", "quokka", "lima"))
WORDS = ["is", "lima", "off"]
CLASSES = ["?", "END", *WORDS]


def task(words=WORDS, seed=0, **options):
    torch.manual_seed(seed)
    built = LanguageModelTask(SIZES, fitted={"words": words}, **{"hidden": 2, **options}).double()
    for parameter in built.parameters():
        torch.nn.init.normal_(parameter)
    return built


def batch(sentences=SENTENCES, seed=1):
    """States (random in the padding), targets, and emissions that no language model reads."""
    torch.manual_seed(seed)
    mask = torch.arange(max(map(len, sentences))) < torch.tensor([*map(len, sentences)])[:, None]
    views = {n: torch.randn(*mask.shape, width).double() for n, width in WIDTHS.items()}
    tags = torch.zeros(mask.shape, dtype=torch.long)
    targets = Targets(mask, torch.zeros(len(mask), dtype=torch.bool), tags, tuple(sentences))
    return views, targets, torch.randn(*mask.shape, 3).double()


def only(views, targets, emissions, rows):
    """The sentences `rows`, in that order, without padding that none of them needs."""
    tokens = tuple(targets.tokens[row] for row in rows)
    words = max(map(len, tokens))
    cut = Targets(
        targets.mask[rows, :words],
        targets.has_image[rows],
        targets.tags[rows, :words],
        tokens,
    )
    return {n: v[rows, :words] for n, v in views.items()}, cut, emissions[rows, :words]


def affine(matrix, bias, vector):
    return [
        sum(w * x for w, x in zip(row, vector, strict=True)) + b
        for row, b in zip(matrix.tolist(), bias.tolist(), strict=True)
    ]


def minus_log_p(w, direction, state, word):
    """-log p of `word`, None beyond the sentence, by the definition of softmax."""
    hidden = [
        math.tanh(x) for x in affine(w[f"{direction}.0.weight"], w[f"{direction}.0.bias"], state)
    ]
    scores = affine(w[f"{direction}.2.weight"], w[f"{direction}.2.bias"], hidden)
    wanted = "END" if word is None else word.lower() if word.lower() in WORDS else "?"
    total = sum(math.exp(score) for score in scores)
    return -math.log(math.exp(scores[CLASSES.index(wanted)]) / total)


def slow_loss(w, views, sentences):
    loss = 0.0
    for row, sentence in enumerate(sentences):
        for place in range(len(sentence)):
            following = sentence[place + 1] if place + 1 < len(sentence) else None
            preceding = sentence[place - 1] if place > 0 else None
            ahead, back = (views[name][row, place].tolist() for name in WIDTHS)
            loss += minus_log_p(w, "next", ahead, following)
            loss += minus_log_p(w, "previous", back, preceding)
    return loss


def test_the_loss_is_the_sum_over_words_and_directions():
    built = task()
    views, targets, emissions = batch()
    got = built(views, targets, emissions)
    assert got.loss.item() == pytest.approx(slow_loss(built.state_dict(), views, SENTENCES))
    assert got.emissions is None


def test_two_words_by_hand():
    built = task(words=["a", "b"])
    # tanh of the state's first number: 0.5 at "a", -0.5 at "b"; the class "b" has its log 3 fold,
    # END has minus that, the others 0.
    half = math.atanh(0.5)
    for model in (built.next, built.previous):
        for parameter in model.parameters():
            torch.nn.init.zeros_(parameter)
        model[0].weight.data[0, 0] = 1
        model[2].weight.data[:, 0] = torch.tensor([0, -2, 0, 2]) * math.log(3)
    _, targets, emissions = batch([("A", "b")])
    states = torch.tensor([[[half], [-half]]]).double()
    views = {name: states.expand(-1, -1, width) for name, width in WIDTHS.items()}
    # Scores (UNKNOWN, END, a, b) at "a": (0, -log 3, 0, log 3), odds 1 : 1/3 : 1 : 3; at "b": odds
    # 1 : 3 : 1 : 1/3. Their sum is 16/3.
    # Forward: "a" predicts "b", p = 3 / (16/3) = 9/16; "b" predicts END, 9/16.
    # Backward: "a" predicts END, p = (1/3) / (16/3) = 1/16; "b" predicts "a", 1 / (16/3) = 3/16.
    expected = -math.log(9 / 16 * 9 / 16 * 1 / 16 * 3 / 16)
    assert built(views, targets, emissions).loss.item() == pytest.approx(expected)


def test_a_perfect_guess_costs_nothing_and_an_even_one_the_log_of_the_classes():
    built = task()
    for parameter in built.parameters():
        torch.nn.init.zeros_(parameter)
    views, targets, emissions = batch()
    # 8 words, two directions, 5 classes
    assert built(views, targets, emissions).loss.item() == pytest.approx(16 * math.log(5))
    built.next[2].bias.data[END] = built.previous[2].bias.data[END] = 100
    assert built(*batch([("off",)])).loss.item() == pytest.approx(0, abs=1e-9)


def test_the_count_is_the_number_of_sentences():
    views, targets, emissions = batch()
    assert task().count(targets) == 3
    assert task().count(only(views, targets, emissions, [1])[1]) == 1
    nothing = torch.zeros(2, 1, dtype=torch.bool)
    assert task().count(Targets(nothing, nothing[:, 0])) == 0


def test_the_loss_of_a_batch_is_that_of_its_sentences_in_any_order():
    built = task()
    given = batch()
    whole = built(*given).loss
    torch.testing.assert_close(built(*only(*given, [2, 0, 1])).loss, whole)
    alone = [built(*only(*given, [row])).loss for row in range(3)]
    torch.testing.assert_close(sum(alone), whole)


def test_what_the_padding_holds_changes_nothing():
    built = task()
    views, targets, emissions = batch()
    other = {n: v.masked_fill(~targets.mask[..., None], 50.0) for n, v in views.items()}
    assert torch.equal(built(other, targets, emissions).loss, built(views, targets, emissions).loss)


def test_the_tags_are_not_read():
    built = task()
    views, targets, emissions = batch()
    other = Targets(targets.mask, targets.has_image, targets.tags + 1, targets.tokens)
    assert torch.equal(built(views, other, emissions).loss, built(views, targets, emissions).loss)


def test_prediction_has_no_loss():
    views, targets, emissions = batch()
    bare = Targets(targets.mask, targets.has_image, None, targets.tokens)
    assert task()(views, bare, emissions).loss.item() == 0


def test_gradient_is_the_losss_slope_and_reaches_each_view_at_real_words_alone():
    built = task()
    views, targets, emissions = batch()
    states = [view.requires_grad_() for view in views.values()]

    def loss(ahead, back):
        return built({"forward": ahead, "backward": back}, targets, emissions).loss

    assert torch.autograd.gradcheck(loss, states)
    loss(*states).backward()
    for view in states:
        assert torch.equal(view.grad.abs().sum(dim=2) > 0, targets.mask)


def examples(*sentences):
    return [
        Example(tokens=tuple(s.split()), tags=None, images=(), id=str(i))
        for i, s in enumerate(sentences)
    ]


def test_the_most_frequent_lower_cased_words_are_learned():
    seen = examples("The cat saw the dog", "a dog saw A bird", "THE end")
    # the 3; a, dog, saw 2; bird, cat, end 1
    every = ["the", "a", "dog", "saw", "bird", "cat", "end"]
    assert LanguageModelTask.fit(seen)["words"] == every
    assert LanguageModelTask.fit(seen, vocabulary=3)["words"] == every[:3]


def test_words_that_look_like_symbols_are_words():
    built = task(words=["end", "unknown", "?"])
    assert len({UNKNOWN, END, *built.ids.values()}) == 5


@pytest.mark.parametrize("option", ["hidden", "vocabulary"])
def test_sizes_below_1_are_an_error(option):
    with pytest.raises(UserError, match=f"aux task 'language-model': {option} = 0"):
        Config.from_layers(aux=["language-model"], settings={f"aux.language-model.{option}": 0})


def test_logits_are_computed_at_real_words_alone():
    built = task()
    rows = []
    built.next.register_forward_hook(lambda _, inputs, output: rows.append(output.shape))
    built(*batch())
    assert rows == [(8, len(CLASSES))]

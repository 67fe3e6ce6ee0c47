import json
import math
import shutil

import pytest
import torch

from mmseq import Config, load, train
from mmseq.builtins.text.recurrent import BiLstmEncoder, WordDropout
from mmseq.builtins.text.vocabulary import UNKNOWN, UNKNOWN_CHARACTER, Vocabulary
from mmseq.console import Reporter
from mmseq.contracts.example import Example
from mmseq.contracts.states import Sizes
from mmseq.contracts.text_encoder import TextInputs
from mmseq.errors import UserError
from mmseq.registry.plugins import registry

SIZES = Sizes(labels=("O",))
TRAINING = [
    ["Anna", "was", "seen", "in", "Oslo", "in", "was"],
    ["so", "so", "Tired", "seen", "jordan", "jordan"],
]
ONCE = {"Anna", "Oslo", "Tired"}
VECTORS = "in 1 2 3\noslo 4 5 6\nOslo 7 8 9\nparis 10 11 12\nrome 13 14 15\nwas 16 17 18\n"
SENTENCES = [["Anna", "was", "in", "Paris"], ["so"], ["ROME", "xyzzy", "\ufe0f", "", "in", "Oslo"]]


@pytest.fixture
def vectors(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(VECTORS)
    return str(path)


@pytest.fixture
def make(vectors):
    """`make(chars="cnn")`: an encoder of the training sentences, small, in evaluation mode."""
    options = registry().get("text_encoder", "bilstm")

    def build(**own):
        chosen = options.check_options({"vectors": vectors, "hidden": 4, **own})
        fitted = BiLstmEncoder.fit([Example(tuple(s)) for s in TRAINING], **chosen)
        torch.manual_seed(0)
        # As a run keeps it.
        return BiLstmEncoder(SIZES, fitted=json.loads(json.dumps(fitted)), **chosen).eval()

    return build


def inputs(encoder, sentences):
    lengths = torch.tensor([len(s) for s in sentences])
    mask = torch.arange(int(lengths.max()))[None, :] < lengths[:, None]
    return TextInputs(encoder.collate([encoder.encode(s) for s in sentences]), mask)


def states(encoder, sentences):
    with torch.no_grad():
        return encoder(inputs(encoder, sentences), None)


def word_vectors(encoder, words):
    """What each word's vector is, without characters or LSTM."""
    return states(encoder, [words]).parts["word"][0].tolist()


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


def every_state(lstm, vectors, suffix):
    """States after each of the vectors, from the LSTM's equations, one number at a time:
    i, f, o = sigmoid(W x + U h + b), g = tanh(W x + U h + b), c = f c + i g, h = o tanh(c).
    """
    weight, recurrent, bias, more = (
        getattr(lstm, f"{name}_l0{suffix}").tolist()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    size = lstm.hidden_size
    found, state, cell = [], [0.0] * size, [0.0] * size
    for vector in vectors:
        gates = [
            sum(w * x for w, x in zip(weight[row], vector, strict=True))
            + sum(u * h for u, h in zip(recurrent[row], state, strict=True))
            + bias[row]
            + more[row]
            for row in range(4 * size)
        ]
        for k in range(size):
            enter, forget = sigmoid(gates[k]), sigmoid(gates[size + k])
            new, leave = math.tanh(gates[2 * size + k]), sigmoid(gates[3 * size + k])
            cell[k] = forget * cell[k] + enter * new
            state[k] = leave * math.tanh(cell[k])
        found.append(list(state))
    return found


def test_a_vocabulary_has_the_training_words_by_frequency_then_the_listed_ones():
    found = Vocabulary.of([["b", "a", "b", "cd"], ["a", "b"]], ["a", "x", "b", "x", "y"])
    assert found.words == ("b", "a", "cd")
    assert (found.singletons, found.further) == (1, ("x", "y"))
    assert [found.word_id(word) for word in ("b", "a", "cd", "x", "y")] == [1, 2, 3, 4, 5]
    assert Vocabulary.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_word_is_looked_up_as_written_then_in_lower_case_else_unknown():
    found = Vocabulary.of([["apple", "apple", "Pear"]], ["Apple", "plum"])
    assert found.word_id("Apple") == 1 + 2
    assert found.word_id("APPLE") == found.word_id("apple") == 1
    assert found.word_id("PLUM") == found.word_id("plum") == 4
    assert found.word_id("pear") == found.word_id("") == UNKNOWN


def test_characters_seen_once_are_unknown_and_an_empty_word_is_one_such():
    found = Vocabulary.of([["ab", "ab", "c"], ["ca"]], [])
    assert found.characters == ("a", "b", "c")
    assert found.character_ids("abc") == (2, 3, 4)
    assert found.character_ids("d") == found.character_ids("") == (UNKNOWN_CHARACTER,)
    assert Vocabulary.of([["abb"]], []).characters == ("b",)


def test_words_have_the_files_vectors_in_either_form(make):
    encoder = make(layers=0, dropout=0.0)
    # The last two are no words of the training text.
    found = word_vectors(encoder, ["in", "Oslo", "was", "oslo", "Paris"])
    assert found == [[1, 2, 3], [7, 8, 9], [16, 17, 18], [4, 5, 6], [10, 11, 12]]


def test_training_words_without_a_vector_get_a_random_one_within_its_bounds(make):
    encoder = make(layers=0)
    found = torch.tensor(word_vectors(encoder, ["Anna", "so", "Tired"]))
    # sqrt(3 / 3) = 1
    assert found.abs().max() <= 1
    assert len(found.unique(dim=0)) == 3
    wide = make(layers=0, vectors="")
    assert wide.parts["word"] == 100
    table = wide.known.weight
    assert 0.95 * math.sqrt(3 / 100) < table.abs().max().item() <= math.sqrt(3 / 100)
    assert make(layers=0, vectors="", word_width=7).parts["word"] == 7


def test_unknown_words_share_one_vector(make):
    encoder = make(layers=0)
    found = word_vectors(encoder, ["xyzzy", "Berlin", ""])
    assert found[0] == found[1] == found[2] == encoder.known.weight[UNKNOWN].tolist()


def test_a_vector_too_large_for_half_precision_is_refused_by_name(make, tmp_path):
    path = tmp_path / "large.txt"
    path.write_text("oslo 1 2 3\nlima 65504 0 0\nrome 70000 0 0\n")
    message = r"a number of 'rome' is above 65504, .*; scale the vectors, or give .*keep = 0\.$"
    with pytest.raises(UserError, match=message):
        make(vectors=str(path))
    make(vectors=str(path), keep=2)


@pytest.mark.parametrize(
    ("keep", "known"), [(0, []), (4, ["oslo", "paris"]), (99, ["oslo", "paris", "rome"])]
)
def test_keep_is_how_many_of_the_files_words_stay_for_text_to_come(make, keep, known):
    # The file begins in, oslo, Oslo, paris; in and Oslo are training words.
    encoder = make(layers=0, keep=keep)
    assert list(encoder.vocabulary.further) == known
    assert encoder.further.shape == (len(known), 3)
    unknown = encoder.known.weight[UNKNOWN].tolist()
    for word, vector in (("oslo", [4, 5, 6]), ("Paris", [10, 11, 12]), ("rome", [13, 14, 15])):
        expected = vector if word.lower() in known else unknown
        assert word_vectors(encoder, [word]) == [expected]


def test_training_words_train_and_the_further_ones_do_not(make):
    encoder = make(layers=0, dropout=0.0).train()
    text = encoder(inputs(encoder, [["in", "Paris", "rome"]]), None)
    text.words.square().sum().backward()
    trained = {name for name, p in encoder.named_parameters() if p.requires_grad}
    assert trained == {"known.weight"}
    assert encoder.further.dtype == torch.float16
    touched = encoder.known.weight.grad.any(dim=1).nonzero().flatten().tolist()
    assert touched == [encoder.vocabulary.word_id("in")]
    assert not make(train_vectors=False).known.weight.requires_grad


@pytest.mark.parametrize("chars", ["none", "cnn", "lstm"])
def test_one_layer_is_the_lstms_equations_over_words_and_characters(make, chars):
    encoder = make(chars=chars)
    found = states(encoder, SENTENCES)
    lstm = encoder.lstms[0]
    assert found.words.shape == (3, 6, 8)
    for row, sentence in enumerate(SENTENCES):
        n = len(sentence)
        x = torch.cat([found.parts[p][row, :n] for p in ("word", "char") if p in found.parts], 1)
        forward = every_state(lstm, x.tolist(), "")
        backward = every_state(lstm, x.tolist()[::-1], "_reverse")[::-1]
        expected = [f + b for f, b in zip(forward, backward, strict=True)]
        torch.testing.assert_close(found.words[row, :n], torch.tensor(expected), atol=1e-5, rtol=0)
        assert found.vector[row].tolist() == pytest.approx(forward[-1] + backward[0], abs=1e-5)
        torch.testing.assert_close(found.parts["forward"], found.words[..., :4])
        torch.testing.assert_close(found.parts["backward"], found.words[..., 4:])


def test_the_characters_of_each_word_stand_at_the_word(make):
    encoder = make(chars="lstm")
    found = states(encoder, SENTENCES).parts["char"]
    for row, sentence in enumerate(SENTENCES):
        for place, word in enumerate(sentence):
            ids = torch.tensor([encoder.vocabulary.character_ids(word)])
            torch.testing.assert_close(found[row, place], encoder.characters(ids)[0])


@pytest.mark.parametrize("options", [{}, {"chars": "cnn"}, {"chars": "lstm", "layers": 2}])
def test_a_sentence_gives_the_same_alone_in_a_batch_and_in_any_order(make, options):
    encoder = make(**options)
    together, backwards = states(encoder, SENTENCES), states(encoder, SENTENCES[::-1])
    for row, sentence in enumerate(SENTENCES):
        alone = states(encoder, [sentence])
        for batch, place in ((together, row), (backwards, len(SENTENCES) - 1 - row)):
            assert batch.words.isfinite().all()
            for found, expected in (
                (batch.words[place, : len(sentence)], alone.words[0]),
                (batch.vector[place], alone.vector[0]),
            ):
                torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_what_is_announced_is_what_comes(make):
    for layers in (0, 1, 2):
        for chars, own in (("none", {}), ("cnn", {"char": 30}), ("lstm", {"char": 50})):
            encoder = make(layers=layers, chars=chars)
            found = states(encoder, SENTENCES)
            both = {"forward": 4, "backward": 4} if layers == 1 else {}
            assert encoder.parts == {"word": 3, **own, **both}
            assert {name: part.shape for name, part in found.parts.items()} == {
                name: (3, 6, width) for name, width in encoder.parts.items()
            }
            assert encoder.width == found.words.shape[2] == (8 if layers else 3 + sum(own.values()))
            assert encoder.sentence == (8 if layers else 0)
            assert (found.vector is None) == (layers == 0)


def test_forward_has_seen_nothing_after_and_backward_nothing_before_its_word(make):
    encoder = make(chars="lstm")
    one = states(encoder, [["Anna", "was", "in", "Paris"]]).parts
    other = states(encoder, [["Anna", "was", "so", "tired"]]).parts
    torch.testing.assert_close(one["forward"][0, :2], other["forward"][0, :2])
    assert not torch.allclose(one["forward"][0, 2], other["forward"][0, 2])
    other = states(encoder, [["so", "tired", "in", "Paris"]]).parts
    torch.testing.assert_close(one["backward"][0, 2:], other["backward"][0, 2:])
    assert not torch.allclose(one["backward"][0, 1], other["backward"][0, 1])


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_words_seen_once_become_unknown_at_the_rate_in_training_only(make, rate):
    encoder = make(layers=0, dropout=0.0, unknown_rate=rate).train()
    words = ["Anna", "was", "Oslo", "Tired", "so", "Paris"]
    batch = inputs(encoder, [words] * 1000)
    unknown = encoder.known.weight[UNKNOWN]
    share = (encoder(batch, None).words == unknown).all(dim=2).float().mean(dim=0)
    for word, found in zip(words, share.tolist(), strict=True):
        # Four standard deviations of 1000 draws.
        margin = 4 * math.sqrt(rate * (1 - rate) / 1000)
        assert found == pytest.approx(rate if word in ONCE else 0, abs=margin)
    assert not (encoder.eval()(batch, None).words == unknown).all(dim=2).any()


def test_dropout_is_drawn_for_each_word_or_once_for_the_sentence():
    torch.manual_seed(0)
    words = torch.ones(40, 10, 50)
    each = WordDropout(0.5, variational=False)(words)
    once = WordDropout(0.5, variational=True)(words)
    for found in (each, once):
        assert sorted(found.unique().tolist()) == [0, 2]
        assert found.mean().item() == pytest.approx(1, abs=0.1)
    assert (once == once[:, :1]).all()
    assert not (once == once[:1]).all()
    assert not (each == each[:, :1]).all(dim=2).any(dim=0)[1:].any()
    assert (WordDropout(0.5, variational=True).eval()(words) == 1).all()


def test_the_parts_are_slices_of_what_dropout_left(make):
    encoder = make(chars="cnn", layers=0).train()
    found = encoder(inputs(encoder, SENTENCES), None)
    torch.testing.assert_close(
        torch.cat([found.parts["word"], found.parts["char"]], 2), found.words
    )
    assert 0.3 < (found.words == 0).float().mean() < 0.7
    encoder = make().train()
    found = encoder(inputs(encoder, SENTENCES), None)
    both = torch.cat([found.parts["forward"], found.parts["backward"]], dim=2)
    torch.testing.assert_close(both, found.words)


def test_dropout_is_on_what_each_lstm_reads_and_gives_and_on_characters(make):
    encoder, read = make(chars="cnn", layers=2, hidden=30, dropout=0.4).train(), []
    for lstm in encoder.lstms:
        lstm.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0].data))
    torch.manual_seed(0)
    given = inputs(encoder, SENTENCES)
    found = encoder(given, None)
    for lost in (*(data == 0 for data in read), found.words[given.mask] == 0):
        assert lost.float().mean().item() == pytest.approx(0.4, abs=0.1)
    assert encoder.characters.dropout.p == 0.4


def test_an_lstm_begins_with_open_forget_gates(make):
    """Biases 0, of the forget gates (the second of i, f, g, o) 1; Glorot's range for matrices."""
    (lstm,) = make(hidden=4).lstms
    expected = [0.0] * 4 + [1.0] * 4 + [0.0] * 8
    for way in ("", "_reverse"):
        assert getattr(lstm, f"bias_ih_l0{way}").tolist() == expected
        assert not getattr(lstm, f"bias_hh_l0{way}").any()
        for gate in getattr(lstm, f"weight_hh_l0{way}").chunk(4):
            # sqrt(6 / (4 + 4)), which torch's own range, 1 / sqrt(4), stays well below.
            assert 0.5 < gate.abs().max() <= math.sqrt(6 / 8)


def test_every_weight_has_a_gradient(make):
    encoder = make(chars="lstm", layers=2, dropout=0.0).train()
    encoder(inputs(encoder, SENTENCES), None).words.square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": 0}, "^text encoder 'bilstm': hidden = 0; .*1"),
        ({"layers": -1}, "layers = -1; .*0"),
        ({"dropout": 1.0}, "dropout = 1.0; .*0 .*1"),
        ({"unknown_rate": 1.5}, "unknown_rate = 1.5; .*0 .*1"),
        ({"learning_rate": -1.0}, r"learning_rate = -1.0; it must be at least 0\."),
        ({"keep": -1}, "keep = -1; .*0"),
        ({"word_width": -3}, r"word_width = -3; it must be at least 0\."),
        ({"word_width": 50}, r"word_width = 50.*vectors\.txt .*3 wide"),
        ({"vectors": "", "train_vectors": False}, r"train_vectors = false: random vectors .* must"),
        ({"chars": "cn"}, "'chars': 'cn' .*'none' .*'cnn' .*'lstm'"),
    ],
)
def test_options_out_of_range_are_told(make, options, message):
    with pytest.raises(UserError, match=message):
        make(**options)


@pytest.fixture
def run(vectors, tiny_data, tmp_path):
    """The folder of a run on the tiny data that has seen every one of its words."""
    config = Config.from_preset(
        "hbilstm-crf",
        {
            "text_encoder.vectors": vectors,
            "text_encoder.hidden": 16,
            "text_encoder.learning_rate": 1e-2,
            "train.learning_rate": 1e-2,
            "train.epochs": 20,
            "train.batch_size": 4,
            "train.device": "cpu",
        },
    )
    return train(config, tiny_data, tmp_path / "run", reporter=Reporter(quiet=True))


def test_a_run_learns_and_predicts_the_same_elsewhere_without_the_vectors_file(
    run, vectors, tiny_data, tmp_path
):
    scores = json.loads((run / "metrics.json").read_text())
    # Six names of a kind, two of them of both: more than chance, and less than all.
    assert scores["test"]["f1"] > 60
    lines = (tiny_data / "test.jsonl").read_text().splitlines()
    sentences = [json.loads(line)["tokens"] for line in lines]
    sentences += [["Paris", "and", "ROME"], ["xyzzy"]]
    before = load(run).predict(sentences)
    elsewhere = shutil.move(run, tmp_path / "elsewhere")
    (tmp_path / "vectors.txt").unlink()
    tagger = load(elsewhere)
    assert tagger.predict(sentences) == before
    encoder = tagger.model.text_encoder
    assert encoder.further[encoder.vocabulary.further.index("rome")].tolist() == [13, 14, 15]


def test_a_bad_vectors_file_is_one_line_and_exit_code_2(run_cli, tiny_data, tmp_path):
    (tmp_path / "bad.txt").write_text("a 1 2\nb 1\n")
    result = run_cli(
        "train", tiny_data, "--text-encoder", "bilstm", "--fusion", "none", "--aux", "none",
        "--set", f"text_encoder.vectors={tmp_path / 'bad.txt'}", "--output", tmp_path / "run",
    )  # fmt: skip
    assert result.code == 2
    assert f"{tmp_path / 'bad.txt'}:2: 1 numbers after 'b', where 2" in " ".join(result.err.split())
    assert not (tmp_path / "run").exists()

"""The contract checks bite: readers and callbacks wrong in one way each are refused by name."""

from functools import partial

import pytest

import mmseq
from mmseq import Example, UserError
from mmseq.testing import ContractError, check_callback, check_reader


class Lines(mmseq.Reader):
    """Right: ``word/TAG word/TAG``, a sentence a line."""

    suffixes = (".slash",)

    def read(self, path):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield self.example(path, number, [pair.rpartition("/") for pair in line.split()])

    def example(self, path, number, pairs):
        if not all(word and tag[:1] in ("O", "B", "I") for word, _, tag in pairs):
            raise UserError(f"{path}:{number}: write word/TAG.")
        tokens, _, tags = zip(*pairs, strict=True)
        return Example(tokens, tags, (), f"{number}", file=path, line=number)


class CountsFromZero(Lines):
    def example(self, path, number, pairs):
        return super().example(path, number - 1, pairs)


class Nameless(Lines):
    def example(self, path, number, pairs):
        try:
            return super().example(path, number, pairs)
        except UserError as error:
            raise UserError("A line is wrong.") from error


class TagsMissing(Lines):
    def example(self, path, number, pairs):
        right = super().example(path, number, pairs)
        return Example(right.tokens, right.tags[1:], (), right.id, file=path, line=number)


class Crashes(Lines):
    def read(self, path):
        yield from list(super().read(path)) or [{}["sentence"]]


class GivesNothing(Lines):
    def read(self, path):
        list(super().read(path))


class TakesNames(Lines):
    """Right: what the engine tells readers that take it."""

    def __init__(self, *, fields=None, tag_names=None) -> None:
        self.fields, self.tag_names = fields, tag_names


class HasOptions(Lines):
    def __init__(self, *, mark: str = "/") -> None:
        self.mark = mark


class TakesAnyColumn(Lines):
    def __init__(self, columns=None) -> None:
        self.columns = columns


SLASH = "Anna/B-PER ran/O\nin/O Oslo/B-LOC\n"


class TrustsItsColumns(Lines):
    """As csv.DictReader has it: what is not there is None."""

    def example(self, path, number, pairs):
        words = [word or None for word, _, _ in pairs]
        right = super().example(path, number, pairs) if all(words) else None
        return right or Example(tuple(word.strip() for word in words), file=path, line=number)


READERS = {
    TrustsItsColumns: "line . cut short: .*AttributeError: .*mmseq.UserError",
    CountsFromZero: "where: .*train.slash:0\\. Right: file .* a line from 1 to 3",
    Nameless: "line 2: .*'A line is wrong.'.*place",
    TagsMissing: "tags of .*tuple of 2",
    GivesNothing: "read: .*NoneType.*mmseq.Example",
    HasOptions: "options: .*mark.*ending",
    TakesAnyColumn: "columns = .'no such name': 1.: no error.*UserError",
    Crashes: "an empty file: .*KeyError",
}
check_slashes = partial(check_reader, text=SLASH, broken={"a/O\nb/X\n": 2})


@pytest.mark.parametrize("right", [Lines, TakesNames])
def test_a_right_reader_passes(right):
    check_slashes(right)


class KeepsWhatIsFaulty(Lines):
    """Right while faults are raised; where they are counted, it yields the sentence nonetheless."""

    def example(self, path, number, pairs):
        good = [pair for pair in pairs if pair[0] and pair[2][:1] in ("O", "B", "I") and pair[2]]
        if len(good) < len(pairs):
            self.fault(f"{path}:{number}", "write word/TAG.")
        tokens, _, tags = zip(*pairs, strict=True)
        return Example(tokens, tuple(p[2] for p in good), (), f"{number}", file=path, line=number)


def test_a_reader_that_keeps_a_faulty_sentence_is_refused():
    with pytest.raises(ContractError, match="fault: . words, tags .*left out"):
        check_slashes(KeepsWhatIsFaulty)


@pytest.mark.parametrize(
    ("wrong", "message"), READERS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_reader_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"reader {wrong.__name__}, .*{message}"):
        check_slashes(wrong)


class Patience(mmseq.Callback):
    """Right: stops after three epochs."""

    def __init__(self) -> None:
        self.epochs = 0

    def on_epoch(self, event):
        self.epochs += 1
        return "three epochs are enough" if self.epochs == 3 else None

    def state(self):
        return {"epochs": self.epochs}

    def load_state(self, state):
        self.epochs = state.get("epochs", 0)


class NoState(Patience):
    def state(self):
        return {}


class StateIsNoJson(Patience):
    def state(self):
        return {"epochs": {self.epochs}}


class NeedsState(Patience):
    def load_state(self, state):
        self.epochs = state["epochs"]


class ClosesNothing(Patience):
    def on_start(self, folder, resumed_step):
        self.file = (folder / "log").open("w")

    def close(self):
        self.file.close()


class Empties(Patience):
    def on_step(self, event):
        event.losses.clear()


class StopsAllTheSame(Patience):
    steers = False


class SteersInWords(Patience):
    steers = "no"


class IdleInNumbers(Patience):
    def idle(self, run):
        return int(not run.valid)


class Reads(Patience):
    """Right: it says that it never stops, and never does."""

    steers = False

    def on_epoch(self, event):
        self.epochs += 1


CALLBACKS = {
    IdleInNumbers: "idle: it gives 0",
    StopsAllTheSame: "on_epoch: it asks to stop .*steers = False",
    SteersInWords: "steers: it is 'no'",
    NoState: "state \\(a resumed run\\): .*its state",
    StateIsNoJson: "state \\(kept as JSON\\): .*TypeError",
    NeedsState: "load_state\\(\\{\\}\\): .*KeyError",
    ClosesNothing: "close without on_start: .*AttributeError",
    Empties: "on_step: it changes the event",
}


def test_a_right_callback_passes():
    check_callback(Patience)
    check_callback(Reads)


@pytest.mark.parametrize(
    ("wrong", "message"), CALLBACKS.items(), ids=lambda part: getattr(part, "__name__", "")
)
def test_a_wrong_callback_is_refused_and_the_message_names_the_fault(wrong, message):
    with pytest.raises(ContractError, match=f"callback {wrong.__name__}, .*{message}"):
        check_callback(wrong)


class Shown(Lines):
    example_file = "Anna/B-PER ran/O\nin/O Oslo/B-LOC\n"


def test_a_readers_own_example_file_is_read_where_no_other_is_given():
    check_reader(Shown)
    with pytest.raises(ContractError, match="Lines, example_file: .*empty"):
        check_reader(Lines)

    class One(Shown):
        example_file = "Anna/B-PER\n"

    with pytest.raises(ContractError, match="One, read: 1 example"):
        check_reader(One)

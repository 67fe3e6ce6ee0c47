"""Sentences a chunk at a time: taken, prepared, and without those that cannot be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from mmseq.contracts.example import Example
from mmseq.errors import UserError
from mmseq.model.collate import Collator, Prepared
from mmseq.model.prediction import CHUNK, Prediction
from mmseq.tagging.ahead import one_ahead
from mmseq.tagging.sentences import Sentence, TaggedSentence, tagged, wordless

Refuse = Callable[[UserError, int], None]
"""Takes what is wrong with a sentence, and its line; raises, or leaves the sentence out"""


@dataclass(frozen=True)
class TaggedChunk:
    """What became of sentences that were taken together."""

    sentences: tuple[TaggedSentence, ...]
    """Without those that were left out"""
    taken: int
    """So many were taken of the input"""
    whole: bool
    """Whether that is as many as make a chunk: of a file, the next one begins there in any case"""
    last_line: int
    """Of the input, that they take; 0: not known"""


Ready = Callable[[], tuple[Collator, Sequence[Prepared]]]
"""Gives the sentences with words prepared, with their collator; raises what is wrong with any"""


def raised(error: UserError, line: int) -> None:
    """The `Refuse` that leaves nothing out."""
    raise error


def tagged_chunks(
    sentences: Iterable[Sentence | None],
    look: Callable[[Sentence], None],
    collator_of: Callable[[Sequence[Example]], Collator],
    run: Callable[[Collator, Sequence[Prepared]], list[Prediction]],
    best: int | None,
    refuse: Refuse,
) -> Iterator[TaggedChunk]:
    """Chunks of `CHUNK` sentences tagged in order; the next one is prepared while `run` works.

    Where None stands among the sentences, none is waited for, and those before it are tagged.
    `look` sees each sentence as it is taken. An error comes behind the sentences before it.
    """
    with ThreadPoolExecutor(1) as pool:
        for chunk, ready in one_ahead(_begun(sentences, look, collator_of, pool)):
            kept, stop = chunk, None
            try:
                collator, prepared = ready()
            except UserError:
                kept, collator, prepared, stop = sifted(chunk, collator_of, refuse)
            found = iter(run(collator, prepared))
            done = tuple(
                # A string without a word is a sentence without entities.
                tagged(sentence, next(found) if sentence.example.tokens else wordless(best))
                for sentence in kept
            )
            last = max(chunk[-1].last_line, chunk[-1].example.line)
            yield TaggedChunk(done, len(chunk), len(chunk) == CHUNK and not stop, last)
            if stop is not None:
                raise stop


def _begun(
    sentences: Iterable[Sentence | None],
    look: Callable[[Sentence], None],
    collator_of: Callable[[Sequence[Example]], Collator],
    pool: Executor,
) -> Iterator[tuple[list[Sentence], Ready] | None]:
    """Chunks whose preparation is under way."""
    first = True
    for chunk in chunks_of(sentences, CHUNK):
        if chunk is None:
            yield None
            continue
        for sentence in chunk:
            look(sentence)
        examples = [s.example for s in chunk if s.example.tokens]
        # The first has nothing to be made beside; one sentence needs no thread.
        yield chunk, _preparation(examples, collator_of, None if first else pool)
        first = False


def _preparation(
    examples: Sequence[Example],
    collator_of: Callable[[Sequence[Example]], Collator],
    pool: Executor | None,
) -> Ready:
    """What gives them prepared; in `pool` that is begun now."""
    try:
        collator = collator_of(examples)
    except UserError as error:
        # Told when it is their turn.
        return partial(_again, error)
    made = partial(collator.prepared, examples)
    ready: Callable[[], Sequence[Prepared]] = pool.submit(made).result if pool else made
    return lambda: (collator, ready())


def _again(error: UserError) -> NoReturn:
    raise error


def chunks_of(sentences: Iterable[Sentence | None], size: int) -> Iterator[list[Sentence] | None]:
    """Lists of at most `size` sentences, never empty. A None among them ends a list, and stands
    behind it; an error comes behind the sentences before it, an interruption at once.
    """
    iterator, ended = iter(sentences), False
    while not ended:
        found: list[Sentence] = []
        error: Exception | None = None
        pause = False
        try:
            while len(found) < size and not pause:
                sentence = next(iterator)
                if sentence is None:
                    pause = True
                else:
                    found.append(sentence)
        except StopIteration:
            ended = True
        except Exception as caught:
            error = caught
        if found:
            yield found
        if error is not None:
            raise error
        if pause:
            yield None


def sifted(
    sentences: Sequence[Sentence],
    collator_of: Callable[[Sequence[Example]], Collator],
    refuse: Refuse,
) -> tuple[list[Sentence], Collator, list[Prepared], UserError | None]:
    """Those of the sentences that can be prepared, up to the one for which `refuse` raises; their
    collator, those with words prepared, and the error.
    """
    # One that is wrong by itself must not make others wrong that are compared with it.
    alone, _, stop = _tried(sentences, lambda e: collator_of([e]).prepare(e), refuse)
    collator = collator_of([s.example for s in alone if s.example.tokens])
    kept, prepared, earlier = _tried(alone, collator.prepare, refuse)
    return kept, collator, prepared, earlier or stop


def _tried(
    sentences: Sequence[Sentence], prepare: Callable[[Example], Prepared], refuse: Refuse
) -> tuple[list[Sentence], list[Prepared], UserError | None]:
    kept: list[Sentence] = []
    prepared: list[Prepared] = []
    for sentence in sentences:
        if sentence.example.tokens:
            try:
                prepared.append(prepare(sentence.example))
            except UserError as error:
                try:
                    refuse(error, sentence.example.line)
                except UserError as stop:
                    return kept, prepared, stop
                continue
        kept.append(sentence)
    return kept, prepared, None

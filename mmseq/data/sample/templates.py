"""The templates of the sample sentences and the grammar made of them.

`{any}` takes an open name, `{PER}` a name of that type, `{PER told}` an open name that its context
settles, `{start}`, `{when}` and `{end}` fillers. The contexts of open names suit every type alike.
"""

from collections.abc import Mapping

from mmseq.data.sample.grammar import NO_SUBJECT, OPEN_SLOT, Grammar, Group, Phrase, Slot, Template
from mmseq.data.sample.pictures import CLUTTER
from mmseq.data.sample.words import FILLERS, NAMES, OPEN_NAMES, TYPES

NO_PICTURE = "none"

OPEN = """
{start} just look at {any} {when} {end}
{start} can't stop thinking about {any} {when} {end}
{start} so much love for {any} {when} {end}
{start} {any} never gets old , does it {end}
{start} this is why I adore {any} {end}
{start} still my favourite : {any} {when} {end}
{start} found this old shot of {any} {end}
{start} say what you like , {any} is special {end}
{start} nothing beats {any} {when} {end}
{start} first glimpse of {any} {when} {end}
{start} everyone is talking about {any} {when} {end}
{start} not sure what I think of {any} {end}
{start} {any} looks different {when} {end}
{start} my sister sent me {any} {when} {end}
{start} is it just me or is {any} amazing {end}
{start} here it comes : {any} , as promised {end}
{start} tell me one thing about {any} {end}
{start} {any} {when} , and I am speechless {end}
{start} who else likes {any} as much as me {end}
{start} good things start with {any} {end}
{start} a little bit of {any} for you {when} {end}
{start} we need more of {any} {when} {end}
{start} {any} made me smile {when} {end}
{start} remember {any} ? I do {end}
{start} {any} or {any} ? hard to choose {end}
{start} we compared {any} with {any} {when} {end}
{start} both {any} and {any} in one post {end}
{start} {PER} can't stop talking about {any} {when} {end}
{start} {PER} showed me {any} {when} {end}
{start} {any} , as seen by {PER} {when} {end}
{start} thanks to {ORG} for this view of {any} {end}
{start} a story about {any} on {ORG} {when} {end}
{start} back from {LOC} , and all I saw was {any} {end}
{start} hello from {LOC} , thinking of {any} {when} {end}
{start} during {OTHER} I only thought of {any} {end}
{start} more about {any} after {OTHER} {end}
"""

SETTLED = """
{start} happy birthday to my friend {PER} {end}
{start} {PER} was singing in the kitchen {when} {end}
{start} my cousin {PER} got a new haircut {when} {end}
{start} had coffee with {PER} and {PER} {when} {end}
{start} dinner at the house of {PER} {when} {end}
{start} {PER} and her husband {PER} got married {when} {end}
{start} {PER} is feeling much better {when} {end}
{start} proud of my son {PER} {when} {end}
{start} actor {PER told} gave an interview {when} {end}
{start} the singer {PER told} told us her age {end}
{start} landed safely in {LOC} {when} {end}
{start} the weather in {LOC} is lovely {when} {end}
{start} driving from {LOC} to {LOC} {when} {end}
{start} heavy snow on the roads near {LOC} {end}
{start} best street food in {LOC} , no doubt {end}
{start} our hotel in {LOC} has no heating {end}
{start} walking around {LOC} with a map {when} {end}
{start} the train to {LOC told} was late {when} {end}
{start} a week of holidays in the town of {LOC told} {end}
{start} {ORG} announced new jobs {when} {end}
{start} shares of {ORG} fell sharply {when} {end}
{start} the spokesman of {ORG} said nothing {when} {end}
{start} got a letter from {ORG} {when} {end}
{start} {ORG} signed a contract with {ORG} {when} {end}
{start} my first day of work at {ORG} {end}
{start} {ORG} elected a new board {when} {end}
{start} investors of {ORG told} met the management {when} {end}
{start} staff at {ORG told} went on strike {when} {end}
{start} watching {OTHER} with the kids {when} {end}
{start} I still have not seen {OTHER} {end}
{start} cannot wait for {OTHER} {when} {end}
{start} the review of {OTHER} is out {when} {end}
{start} got {OTHER} as a present {when} {end}
{start} {OTHER} is better than {OTHER} {end}
{start} the film {OTHER told} won three awards {when} {end}
{start} reading a novel called {OTHER told} {when} {end}
{start} {PER} is moving to {LOC} {when} {end}
{start} {PER} now works for {ORG} in {LOC} {end}
{start} {ORG} opens an office in {LOC} {when} {end}
{start} {PER} bought tickets for {OTHER} {when} {end}
{start} {OTHER} is on at {LOC} {when} {end}
{start} {ORG} sponsors {OTHER} {when} , apparently {end}
{start} met {PER} of {ORG} {when} {end}
{start} {ORG} thanked {PER} for the help {end}
{start} {LOC} , here we come , says {PER} {end}
{start} {PER} , {PER} and I saw {OTHER} {when} {end}
"""

EMPTY = """
{start} cannot believe it is already so late {end}
{start} my phone battery died {when} and I am lost {end}
{start} who wants to get pizza {when} ? {end}
{start} I need a nap and a holiday {end}
{start} the best things in life are free {end}
{start} three exams {when} , wish me luck {end}
{start} new shoes , new me , same old jokes {end}
{start} it never rains but it pours {when} {end}
{start} we laughed so hard {when} that we cried {end}
{start} nobody told me about this {when} {end}
{start} thinking about what to cook {when} {end}
{start} that awkward moment when you wave back {end}
{start} this queue has not moved {when} {end}
{start} working late {when} , send some snacks {end}
{start} good morning to everyone but my alarm clock {end}
{start} some days you just have to dance {end}
"""

# Of a hundred sentences: with open names, with other names only, without any name.
SHARES = {"open": 50.0, "settled": 38.0, "empty": 12.0}

# With an open name the picture nearly always tells; the rest keeps the best score below 100.
_TOLD, _UNTOLD = 0.96, 0.02


def _template(line: str, weight: float) -> Template:
    parts: list[str | Slot] = []
    # Splitting at the braces leaves the slots at the odd places.
    for place, piece in enumerate(line.replace("{", "}").split("}")):
        if place % 2 == 0:
            parts += piece.split()
        else:
            type_ = piece.removesuffix(" told")
            parts.append(Slot(piece, type_ if type_ in TYPES else None))
    return Template(tuple(parts), weight)


def _templates(text: str, share: float) -> tuple[Template, ...]:
    lines = text.strip().splitlines()
    return tuple(_template(line, share / len(lines)) for line in lines)


def grammar_of(names: Mapping[str, tuple[Phrase, ...]], open_names: tuple[Group, ...]) -> Grammar:
    """The grammar that writes sentences with these names, each type's under its own key, and
    with these open names, which also fill the slots `PER told` and so on.
    """
    if OPEN_SLOT in names or OPEN_SLOT in FILLERS:
        raise AssertionError(f"{OPEN_SLOT!r} is kept for open names")
    # A telling context settles the type without a picture.
    told = {
        f"{type_} told": tuple(
            name for group in open_names if type_ in group.types for name in group.names
        )
        for type_ in TYPES
    }
    settled = {type_: {type_: 0.55, CLUTTER: 0.2, NO_PICTURE: 0.25} for type_ in TYPES}
    anything = dict.fromkeys(TYPES, 0.1)
    return Grammar(
        templates=(
            *_templates(OPEN, SHARES["open"]),
            *_templates(SETTLED, SHARES["settled"]),
            *_templates(EMPTY, SHARES["empty"]),
        ),
        lists={**names, **told, **FILLERS},
        groups=open_names,
        open_pictures={
            type_: {type_: _TOLD, CLUTTER: _UNTOLD, NO_PICTURE: _UNTOLD} for type_ in TYPES
        },
        settled_pictures={**settled, NO_SUBJECT: {**anything, CLUTTER: 0.3, NO_PICTURE: 0.3}},
    )


def sample_grammar() -> Grammar:
    """The grammar that writes the sample data set."""
    return grammar_of(NAMES, OPEN_NAMES)

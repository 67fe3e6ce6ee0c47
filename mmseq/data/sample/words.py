"""The words of the sample sentences: names whose type the picture settles, names, and fillers."""

from collections.abc import Mapping

from mmseq.data.sample.grammar import Group, Phrase

TYPES = ("PER", "LOC", "ORG", "OTHER")


def _phrases(text: str) -> tuple[Phrase, ...]:
    """The phrases of a text in which commas part them and spaces part their words."""
    return tuple(tuple(phrase.split()) for phrase in text.split(","))


def _group(names: str, *types: str) -> Group:
    # A group weighs as much as it has names, so that all open names are about equally frequent;
    # its types are equally probable, so that words alone leave nothing to learn.
    phrases = _phrases(names)
    return Group(phrases, {type_: 1 / len(types) for type_ in types}, weight=len(phrases))


# Each set of three types is as large as the others, so that no type is more probable over all.
OPEN_NAMES: tuple[Group, ...] = (
    _group(
        "Jordan, Phoenix, Chelsea, Orlando, Paris, Lincoln, Florence, Mercury, Aurora, Apollo,"
        "Santa Cruz, Saint George",
        *TYPES,
    ),
    _group("Houston, Charlotte, Kingston, San Martin", "PER", "LOC", "ORG"),
    _group("Georgia, Victoria, Savannah, Saint Helena", "PER", "LOC", "OTHER"),
    _group("Tesla, Hamilton, Ferrari, Harley Davidson", "PER", "ORG", "OTHER"),
    _group("Amazon, Chicago, Philadelphia, Notre Dame", "LOC", "ORG", "OTHER"),
)


NAMES: Mapping[str, tuple[Phrase, ...]] = {
    "PER": _phrases(
        "Emily Carter, Marcus Webb, Priya Nair, Tom, Sofia Alvarez, Daniel Osei, Hannah,"
        "Luca Bianchi, Aunt Rosa, Kenji Mori, Olivia Grant, Ben, Fatima Khan, Jonas Lind,"
        "Grace Okafor, Pete, Ingrid Dahl, Noah Fischer, Mia, Carlos Mendes, Ruth Adler,"
        "Sam Whitaker, Leila Haddad, Oscar Van Dyk"
    ),
    "LOC": _phrases(
        "Berlin, New York, Lake Tahoe, Tokyo, Cape Town, Lisbon, Rio de Janeiro, Nairobi, Oslo,"
        "Hyde Park, Mumbai, Vancouver, Times Square, Scotland, Peru, Mount Fuji, Toronto, Kyoto,"
        "Los Angeles, Dublin, Central Station, Iceland"
    ),
    "ORG": _phrases(
        "NASA, Red Cross, BBC, Google, United Nations, Greenpeace, Toyota, Lufthansa, FIFA, UNICEF,"
        "World Bank, Siemens, Harvard University, Nokia, Real Madrid, Royal Opera, CNN,"
        "Deutsche Bank, Boston Celtics, Interpol, Netflix, State Library"
    ),
    "OTHER": _phrases(
        "Star Wars, iPhone, Moby Dick, Super Bowl, Oktoberfest, Game Boy, Hamlet, PlayStation,"
        "World Cup, Mona Lisa, Frozen, Kindle, Titanic, Eurovision, Grammys, Tour de France, Jaws,"
        "Christmas, Abbey Road, Nobel Prize"
    ),
}

FILLERS: Mapping[str, tuple[Phrase, ...]] = {
    "start": (
        *((),) * 5,
        *_phrases("@mia_k, @old_tom, @dj_rue, omg, honestly, ok, lol, guys, so, RT @nora_b :,"
                  "RT @thedaily :, wow, @kev_in @lou7, yes"),
    ),
    "when": _phrases(
        "today, tonight, again, this morning, right now, this weekend, at last, just now,"
        "this evening, these days, once more, this week"
    ),
    "end": (
        *((),) * 4,
        *_phrases("!, 😍, 🔥🔥, 😂, ❤️, 👀, 🙌, !!, ..., ✨ ✨, :), # mood, # nofilter,"
                  "# weekend vibes, # throwback, # blessed, # tbt 😎, https://t.co/x7Fq2LmA,"
                  "https://t.co/Zb09rTkd, https://t.co/pW4sE1uQ, 📷 https://t.co/hY6nC3vK,"
                  "via @snapdeck"),
    ),
}  # fmt: skip

"""`mmseq audit`: the conditions run, scored, tested and put into a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmseq.audit.ambiguous import ambiguous_entities
from mmseq.audit.changes import find_changes
from mmseq.audit.comparison import compare_conditions, compare_parts
from mmseq.audit.conditions import TEXT_ONLY, TRUE, Tagged, Tags, tag, tag_all
from mmseq.audit.naming import named_pictures
from mmseq.audit.report import AuditReport
from mmseq.audit.scores import condition_scores
from mmseq.audit.verdict import verdict
from mmseq.console import Reporter
from mmseq.data.naming import Naming
from mmseq.data.source import choose_split
from mmseq.data.splits import Split, require_tags, require_whole
from mmseq.data.tags import spans, split_tag
from mmseq.data.unknown_types import check_known, missed_line, unknown_entities
from mmseq.errors import UserError
from mmseq.runs.facts import read_metrics
from mmseq.scoring.calibration import calibration
from mmseq.scoring.entity_scores import exact_matches
from mmseq.tagging.tagger import Tagger, load


def audit(
    run: str | Path,
    data: str | Path | None = None,
    *,
    split: str = "test",
    images: str | Path | None = None,
    mapping: Mapping[str, str] | None = None,
    text_only: str | Path | None = None,
    permutations: int = 5,
    resamples: int = 10_000,
    seed: int = 0,
    alpha: float = 0.05,
    show: int = 10,
    reporter: Reporter | None = None,
    columns: Mapping[str, int | str] | None = None,
    scheme: str | None = None,
    naming: Naming | None = None,
) -> AuditReport:
    """Does the picture help the model of `run` on `data` (by default its own)?

    `data`, `split`, `images`, `mapping`, `columns`, `scheme` and `naming` as for ``mmseq
    evaluate``; `text_only` is a run without pictures to compare with. `permutations` of the
    pictures; `resamples` of the tests; `seed` of permutations, noise and resamples; `alpha`:
    adjusted p below which a difference is shown; `show`: sentences to read at most. Raises
    `UserError` for a text-only `run`, data without tags, entities or usable pictures, a `text_only`
    run that has pictures or other types, and too few resamples to show anything; `ValueError` for
    fewer than one permutation.
    """
    if permutations < 1:
        raise ValueError(f"{permutations} permutations: at least 1 is needed")
    family = 5 if text_only else 4
    if family / (resamples + 1) >= alpha:
        raise UserError(
            f"{resamples} resamples can show nothing at alpha {alpha} in {family} comparisons; "
            f"take at least {int(family / alpha)}."
        )
    tagger = load(run)
    tagger.reporter = reporter or Reporter(quiet=True)
    encoder = tagger.model.image_encoder
    if encoder is None:
        raise UserError(
            f"{run}: is a text-only run: without an image encoder there is nothing to audit; give "
            "a run trained with pictures."
        )
    other = _text_only(text_only, tagger) if text_only else None
    found = choose_split(
        tagger.config.data,
        split,
        data,
        images,
        mapping,
        columns=columns,
        scheme=scheme,
        naming=naming,
    )
    require_tags(found)
    require_whole(found)
    if data is not None:
        check_known(found, tagger.labels)
    gold = [example.tags or () for example in found.examples]
    types = Counter(kind for tags in gold for _, _, kind in spans(tags))
    if not types:
        raise UserError(f"{found.path}: holds no entity; audit data with entities.")
    training, notes = _training(tagger)
    notes += found.notes
    ambiguous = ambiguous_entities(found.examples, training.examples) if training else None
    if other is not None and _training_sha256(other) != _training_sha256(tagger):
        notes.append(f"{text_only} was trained on other data than {run}.")
    tagged = tag_all(tagger, encoder, found, permutations=permutations, seed=seed)
    notes += _notes_on_pictures(tagged)
    if unknown := unknown_entities(found, tagger.labels):
        notes.append(missed_line(split, unknown, "the run"))
    named = named_pictures(tagger, encoder, found, training) if training else None
    by_condition = dict(tagged.tags)
    if other is not None:
        by_condition[TEXT_ONLY] = [_tags_of(other, found)]
    scores = {name: condition_scores(gold, t, ambiguous) for name, t in by_condition.items()}
    comparisons = compare_conditions(gold, by_condition, resamples=resamples, seed=seed)
    return AuditReport(
        verdict=verdict({n: s.f1 for n, s in scores.items()}, comparisons, alpha=alpha),
        run=str(run),
        data={
            "path": str(found.path),
            "sha256": found.sha256,
            "images_sha256": tagged.images_sha256,
            "split": split,
            "sentences": len(gold),
            "with_pictures": sum(map(bool, tagged.own)),
            "entities": types.total(),
            "types": dict(sorted(types.items())),
        },
        conditions=scores,
        comparisons=comparisons,
        parts=compare_parts(gold, by_condition, ambiguous, resamples=resamples, seed=seed),
        ambiguous=ambiguous,
        named=named,
        changes=find_changes(found.examples, tagged, show=show),
        notes=notes,
        settings={
            "permutations": permutations,
            "resamples": resamples,
            "seed": seed,
            "alpha": alpha,
            "text_only": str(text_only) if text_only else None,
        },
        calibration=calibration(tagged.scores, exact_matches(gold, tagged.tags[TRUE][0])),
    )


def _text_only(run: str | Path, audited: Tagger) -> Tagger:
    tagger = load(run)
    if tagger.model.image_encoder is not None:
        raise UserError(
            f"--text-only {run}: is a run with pictures; give one trained with --fusion none."
        )
    if set(tagger.labels) != set(audited.labels):
        raise UserError(
            f"--text-only {run}: knows the types {_types(tagger)}, but {audited.folder} "
            f"{_types(audited)}; give a run trained with the same types."
        )
    tagger.reporter = audited.reporter
    return tagger


def _types(tagger: Tagger) -> str:
    return ", ".join(sorted({split_tag(label)[1] for label in tagger.labels} - {""}))


def _tags_of(tagger: Tagger, split: Split) -> Tags:
    collator = tagger.collator(split.examples)
    sentences = [collator.prepare(replace(example, tags=None)) for example in split.examples]
    return tag(tagger, collator, sentences, TEXT_ONLY)


def _notes_on_pictures(tagged: Tagged) -> list[str]:
    pictured = sum(map(bool, tagged.own))
    if not tagged.dealt:
        return [
            "Shuffled pictures are left out: only one sentence has pictures."
            if pictured == 1
            else "Shuffled pictures are left out: every sentence shares a picture with every other."
        ]
    if tagged.clashes:
        return [
            f"Shuffled: up to {tagged.clashes} of {pictured} sentences with pictures keep a "
            "picture like their own, since too many have it."
        ]
    return []


def _training(tagger: Tagger) -> tuple[Split | None, list[str]]:
    """The data that the run was trained on; a note where they are not to be had."""
    left_out = "Ambiguous names, and what pictures tell by themselves, are left out"
    try:
        training = choose_split(tagger.config.data, "train")
    except UserError as error:
        return None, [f"{left_out}: the run's training data cannot be read: {error}"]
    if training.sha256 != _training_sha256(tagger):
        return None, [f"{left_out}: {training.path} is not what the run was trained on."]
    return training, []


def _training_sha256(tagger: Tagger) -> str:
    seen = read_metrics(tagger.folder)["data"]
    if "train" not in seen:
        path = tagger.folder / "metrics.json"
        raise UserError(f"{path}: damaged: it has no data.train.sha256.")
    return str(seen["train"]["sha256"])

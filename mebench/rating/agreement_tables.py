"""The report's tables on agreement: between raters, on check lists, and with metrics."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mebench.rating.agreement import (
    Coefficient,
    icc,
    krippendorff_alpha,
    mean_kappa,
    percent_agreement,
)
from mebench.rating.bridge import HOW, Agreement
from mebench.rating.form import Checks, Choice, YesNo
from mebench.rating.scores import Scores
from mebench.rating.unblind import Panel
from mebench.report.model import Cell, Column, Row, Table


def agreement_table(panel: Panel, *, seed: int = 0) -> Table:
    """Return how far raters agree on each scale, and on each question asked of an AU."""
    columns = (
        Column("alpha", "Alpha", "", True, 2),
        Column("icc1", "ICC(2,1)", "", True, 2),
        Column("icck", "ICC(2,k)", "", True, 2),
        Column("kappa", "Kappa", "", True, 2),
        Column("same", "Same", "", True, 2),
        Column("within_one", "Within 1", "", True, 2),
    )
    none = Cell(reason="for scales only")
    rows = []
    for name, scale in panel.scales.items():
        marks = panel.entries(name)
        flat = marks.reshape(-1, marks.shape[2])
        groups = panel.subjects * marks.shape[0]
        both = icc(flat)
        labels = [[None if m != m else m for m in column] for column in flat.T.tolist()]
        found = {
            "alpha": _coefficient(krippendorff_alpha(flat, "ordinal", groups=groups, seed=seed)),
            "icc1": _coefficient(both.single),
            "icck": _coefficient(both.average),
            "kappa": Cell(reason="for action units only"),
            "same": _coefficient(percent_agreement(labels)),
            "within_one": _coefficient(percent_agreement(labels, within=1)),
        }
        rows.append(Row(name, scale.title["en"], False, found))
    for title, answers in _unit_answers(panel):
        found = {column.key: none for column in columns}
        found["kappa"] = _coefficient(mean_kappa(answers))
        found["same"] = _coefficient(percent_agreement(answers))
        rows.append(Row(title, title, False, found))
    notes = (
        "Alpha: Krippendorff's, ordinal, its interval over driving subjects. ICC: absolute "
        "agreement of one rater and of the mean of all, over clips that all have rated. Kappa: "
        "Cohen's, mean over pairs of raters. Same, Within 1: share of marks, chance not taken off.",
        "the methods' clips only, by the first look; planted real clips would flatter agreement.",
    )
    return Table(
        columns=columns,
        rows=tuple(rows),
        caption=f"Agreement of {len(panel.raters)} raters.",
        notes=notes,
        essential=len(notes),
        rows_are="question",
        protocol=f"{panel.key.protocol.id}-agreement",
    )


def _unit_answers(panel: Panel) -> Iterable[tuple[str, list[list[object | None]]]]:
    """Yield each AU's question and every rater's answers of the methods' clips."""
    asked = [f for f in panel.key.form.fields if f.per_au and isinstance(f, (YesNo, Choice))]
    found: dict[str, dict[tuple[str, str | None, str], dict[str, object]]] = {}
    for rater in panel.raters:
        for item in panel.key.raters[rater]:
            rating = panel.answers[rater].get(item.id)
            if item.kind != "entry" or rating is None:
                continue
            for unit, answers in rating.aus.items():
                for question in asked:
                    if question.id in answers:
                        place = (question.id, item.method, item.pair)
                        given = found.setdefault(unit, {}).setdefault(place, {})
                        given[rater] = answers[question.id]
    for unit in sorted(
        found, key=lambda name: (int("0" + "".join(filter(str.isdigit, name))), name)
    ):
        for question in asked:
            rows = [row for place, row in found[unit].items() if place[0] == question.id]
            if rows:
                title = f"AU {unit}, {question.title['en']}"
                yield title, [[row.get(rater) for row in rows] for rater in panel.raters]


def checks_tables(panel: Panel, scores: Scores) -> dict[str, Table]:
    """Return for each check list how often raters ticked each box, by method."""
    tables = {}
    order = [(one.id, one.title) for one in scores.methods]
    for field in panel.key.form.fields:
        if not isinstance(field, Checks) or field.per_au:
            continue
        columns = tuple(Column(box.id, box.en, "%", False, 0) for box in field.choices)
        rows = []
        for name, title in order:
            ticked = [
                rating.values.get(field.id, [])
                for rater in panel.raters
                for item in panel.key.raters[rater]
                if item.kind == "entry" and item.method == name
                for rating in [panel.answers[rater].get(item.id)]
                if rating is not None
            ]
            shares = {
                box.id: Cell(
                    100.0 * sum(box.id in t for t in ticked) / len(ticked), None, len(ticked)
                )
                if ticked
                else Cell(reason="not rated")
                for box in field.choices
            }
            rows.append(Row(name, title, False, shares))
        tables[field.id] = Table(
            columns=columns,
            rows=tuple(rows),
            caption=f"{field.title['en']}: share of ratings that name them.",
            protocol=f"{panel.key.protocol.id}-{field.id}",
        )
    return tables


def bridge_table(panel: Panel, found: Sequence[Agreement]) -> Table:
    """Return how far each objective metric ranks as the experts do."""
    columns = (
        Column("methods", "Methods", "", None, 2),
        Column("clips", "Clips", "", None, 2),
        Column("within", "Within a method", "", None, 2),
    )
    rows = tuple(
        Row(
            one.key,
            one.title,
            False,
            {
                "methods": _coefficient(one.methods),
                "clips": _coefficient(one.clips),
                "within": _coefficient(one.within),
            },
        )
        for one in found
    )
    points = max((one.methods.n for one in found), default=0)
    notes = (
        f"{HOW}. Methods: of {points} means. Clips: of all generated clips together. Within "
        "a method: mean over methods of tau over the method's own clips. Diagnostics and stand-in "
        "weights have no better end and are left out.",
    )
    return Table(
        columns=columns,
        rows=rows,
        caption="Objective metrics and the experts.",
        notes=notes,
        essential=1,
        rows_are="metric",
        protocol=f"{panel.key.protocol.id}-bridge",
    )


def _coefficient(one: Coefficient) -> Cell:
    return Cell(one.value, one.interval, one.n, one.reason)

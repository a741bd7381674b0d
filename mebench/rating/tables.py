"""The report's tables of methods, by data set too, and of raters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mebench.datasets.base import DATASETS
from mebench.rating.careless import RULE as FLAG_RULE
from mebench.rating.panel import Rater, Without
from mebench.rating.scores import COMPOSITE, HOW, RULE, WHOLE, MethodScores, Score, Scores, Unit
from mebench.rating.unblind import Panel
from mebench.registry import load_object
from mebench.report.model import Cell, Column, Mark, Row, Table, printed_number

FLAGGED = "†"
_UNITS: dict[Unit, tuple[str, int]] = {"raw": ("", 2), "z": (", z", 2), "share": (", 0–1", 3)}


def scores_table(panel: Panel, scores: Scores) -> Table:
    """Return the methods by place: every scale, and the score standardised and normalised."""
    score = panel.score
    title = panel.scales[score].title["en"]
    columns = [Column(score, title, "", True, 2)]
    columns += [
        Column(f"{score}~{unit}", title + end, "", True, digits)
        for unit, (end, digits) in _UNITS.items()
        if unit != "raw"
    ]
    columns += [
        Column(name, scale.title["en"], "", True, 2)
        for name, scale in panel.scales.items()
        if name != score
    ]

    def cells(one: MethodScores) -> dict[str, Score]:
        found = dict(one.scales)
        return {**found, **{f"{score}~{unit}": one.parts[unit, WHOLE] for unit in _UNITS}}

    own = panel.scales[score]
    ranked = any(one.rank is not None for one in scores.methods)
    notes = [f"rank: by {title}; {RULE}."] if ranked else []
    notes += [
        f"{title} from {own.low} to {own.high} as rated; z: in each rater's own standard "
        "deviations from the own mean; 0–1: of the way from the lowest mark to the highest.",
        "a clip counts once a rater, by the first look; the hidden repeats tell of the raters.",
    ]
    if scores.constant:
        notes.append(f"no z of {', '.join(scores.constant)}: gave one mark only.")
    return Table(
        columns=tuple(columns),
        rows=_method_rows(scores, columns, cells),
        caption=f"{_data(panel)} Mean and interval ({HOW}).",
        notes=tuple(notes),
        essential=len(notes),
        ranked_by=score if ranked else "",
        protocol=f"{panel.key.protocol.id}-experts",
    )


def datasets_table(panel: Panel, scores: Scores) -> Table | None:
    """Return the score by data set and their composite, None for a single data set."""
    if len(panel.datasets) < 2:
        return None
    title = panel.scales[panel.score].title["en"]
    columns = [
        Column(f"{panel.score}~{unit}:{part}", title + end, "", True, digits, _part(part))
        for unit, (end, digits) in _UNITS.items()
        for part in (*panel.datasets, COMPOSITE)
    ]

    def cells(one: MethodScores) -> dict[str, Score]:
        return {f"{panel.score}~{unit}:{part}": s for (unit, part), s in one.parts.items()}

    note = "composite: the mean of the data sets' means, each counting the same."
    return Table(
        columns=tuple(columns),
        rows=_method_rows(scores, columns, cells),
        caption=f"{_data(panel)} By data set of the driving clip.",
        notes=(note,),
        essential=1,
        protocol=f"{panel.key.protocol.id}-experts-datasets",
    )


def _method_rows(
    scores: Scores, columns: Sequence[Column], cells: Callable[[MethodScores], dict[str, Score]]
) -> tuple[Row, ...]:
    found = [(one, cells(one)) for one in scores.methods]
    marks = {c.key: _best_two([values[c.key].value for _, values in found], c) for c in columns}
    rows = [
        Row(
            one.id,
            one.title,
            False,
            {c.key: _cell(values[c.key], c, marks[c.key]) for c in columns},
            rank=one.rank,
        )
        for one, values in found
    ]
    if scores.real is not None:
        values = cells(scores.real)
        shown = {c.key: _cell(values[c.key], c, {}) for c in columns}
        rows.append(Row(scores.real.id, scores.real.title, True, shown))
    return tuple(rows)


def raters_table(panel: Panel, raters: Sequence[Rater], without: Sequence[Without]) -> Table:
    """Return what can be said of each rater."""
    taus = {one.rater: one.tau for one in without}
    columns = (
        Column("clips", "Clips", "", None, 0),
        Column("bias", "Bias", "", None, 2),
        Column("mean", "Mean", "", None, 2),
        Column("spread", "Spread", "", None, 2),
        Column("consensus", "With the others", "", True, 2),
        Column("chance", "Chance p", "", None, 3),
        Column("exact", "Repeats same", "", True, 2),
        Column("within_one", "Repeats within 1", "", True, 2),
        Column("gap", "Repeats apart", "", False, 2),
        Column("real_auc", "Real AUC", "", None, 2),
        Column("seconds", "Time", "s", None, 0),
        Column("without", "Ranking without", "tau", None, 2),
    )

    def cells(one: Rater) -> dict[str, Cell]:
        plain = {
            "clips": (float(one.clips), one.shown, ""),
            "mean": (one.mean, one.clips, "no marks"),
            "spread": (one.spread, one.clips, "one mark"),
            "consensus": (one.consensus, one.clips, "nobody to compare with, or one mark only"),
            "chance": (one.chance, one.clips, "too few clips"),
            "exact": (one.exact, one.repeats, "no repeats"),
            "within_one": (one.within_one, one.repeats, "no repeats"),
            "gap": (one.gap, one.repeats, "no repeats"),
            "real_auc": (one.real_auc, one.reals, "no planted real clips"),
            "seconds": (one.seconds, one.clips, "not known"),
            "without": (taus.get(one.id), one.clips, "needs 3 raters and 2 methods"),
        }
        found = {key: _plain(*value) for key, value in plain.items()}
        return {**found, "bias": _plain(one.bias, one.clips, "one rater", one.bias_interval)}

    notes = [
        "bias: from the mean of the panel on the same clips, severe below 0; its interval is over "
        "driving subjects. With the others: Spearman's correlation with the mean of the raters "
        "that are not flagged.",
        "Real AUC: how often a planted real clip is marked above a method's, ties counting half; "
        "0.5 is chance. Ranking without: Kendall's tau-b with the ranking by all.",
    ]
    told = [f"{FLAGGED} {one.id}: {'; '.join(one.flags)}." for one in raters if one.flags]
    notes += [*told, f"{FLAG_RULE}."]
    notes += [f"{one.id}: {remark}." for one in raters for remark in one.remarks]
    notes += [
        f"without {one.rater} {panel.key.methods[one.winner].title} would be first."
        for one in without
        if one.changed
    ]
    return Table(
        columns=columns,
        rows=tuple(
            Row(one.id, one.id, False, cells(one), (FLAGGED,) if one.flags else ())
            for one in raters
        ),
        caption=f"Raters, on {panel.scales[panel.score].title['en']}.",
        notes=tuple(notes),
        essential=len(notes),
        rows_are="rater",
        protocol=f"{panel.key.protocol.id}-raters",
    )


def _data(panel: Panel) -> str:
    return (
        f"{panel.key.protocol.id}: {len(panel.pairs)} clips a method, driving clips of "
        f"{len(set(panel.subjects))} subjects, {len(panel.raters)} raters."
    )


def _part(name: str) -> str:
    if name in DATASETS:
        title: str = load_object(DATASETS[name]).info.title
        return title
    return name.capitalize() if name == COMPOSITE else name


def _best_two(values: Sequence[float | None], column: Column) -> dict[str, Mark]:
    """Return the printed values that are best and second; what prints alike shares its mark."""
    there = sorted((v for v in values if v is not None), reverse=True)
    printed = list(dict.fromkeys(printed_number(v, column) for v in there))
    if len(printed) < 2:
        return {}
    marks: dict[str, Mark] = {printed[0]: "best"}
    if sum(printed_number(v, column) == printed[0] for v in there) == 1:
        marks[printed[1]] = "second"
    return marks


def _cell(score: Score, column: Column, marks: Mapping[str, Mark]) -> Cell:
    if score.value is None:
        return Cell(reason="not rated")
    mark = marks.get(printed_number(score.value, column))
    return Cell(score.value, score.interval, score.n, mark=mark)


def _plain(
    value: float | None, n: int, reason: str, interval: tuple[float, float] | None = None
) -> Cell:
    return Cell(value, interval, n, "" if value is not None else reason)

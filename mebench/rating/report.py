"""A panel's report: everything that is said of it, as text, Markdown, LaTeX, CSV, JSON or HTML."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mebench.errors import UsageError, did_you_mean
from mebench.rating.agreement_tables import agreement_table, bridge_table, checks_tables
from mebench.rating.bridge import Agreement, compare
from mebench.rating.careless import CHANCE
from mebench.rating.form import Text
from mebench.rating.model import Key, Ratings
from mebench.rating.panel import Rater, Without, leave_one_out, rate_raters
from mebench.rating.scores import WHOLE, Scores, score_methods
from mebench.rating.tables import datasets_table, raters_table, scores_table
from mebench.rating.unblind import Panel, unblind
from mebench.record import Record
from mebench.report import escape
from mebench.report.formats import FORMATS
from mebench.report.latex import render_latex
from mebench.report.model import Table

SCHEMA = "mebench-rating-report/1"
SCORES = "scores"
_HEADINGS = {
    SCORES: "Methods",
    "datasets": "By data set",
    "raters": "Raters",
    "agreement": "Agreement",
    "bridge": "Objective metrics",
}
_FEW = 5


@dataclass(frozen=True)
class Comment:
    """What a rater wrote on a clip."""

    rater: str
    method: str
    pair: str
    text: str


@dataclass(frozen=True)
class Report:
    """What a panel found.

    Attributes:
        facts: what was rated by how many, in order.
        notes: what a reader must know first.
        tables: by name, with their headings in `headings`.
    """

    panel: Panel
    facts: Mapping[str, str]
    notes: tuple[str, ...]
    tables: Mapping[str, Table]
    headings: Mapping[str, str]
    scores: Scores
    raters: tuple[Rater, ...]
    without: tuple[Without, ...]
    bridge: tuple[Agreement, ...]
    comments: tuple[Comment, ...]


def build_report(
    key: Key,
    ratings: Ratings,
    *,
    records: Sequence[Record] = (),
    without: Collection[str] = (),
    resamples: int = 2000,
    seed: int = 0,
) -> Report:
    """Return the report of a panel.

    Args:
        key: of the bundle.
        ratings: collected from it.
        records: of the rated methods, for the bridge to objective metrics.
        without: raters to leave out.
        resamples: of every bootstrap but the bridge's.
        seed: equal input and seed give an equal report.

    Raises:
        UsageError: for ratings or records of something else than the key's.
    """
    panel = unblind(key, ratings, without=without)
    scores = score_methods(panel, resamples=resamples, seed=seed)
    raters = rate_raters(panel, resamples=resamples, seed=seed)
    left_out = leave_one_out(panel)
    bridge = compare(panel, records, seed=seed) if records else []
    tables = {SCORES: scores_table(panel, scores)}
    by_dataset = datasets_table(panel, scores)
    if by_dataset is not None:
        tables["datasets"] = by_dataset
    tables["raters"] = raters_table(panel, raters, left_out)
    tables["agreement"] = agreement_table(panel, seed=seed)
    checks = checks_tables(panel, scores)
    tables.update(checks)
    if bridge:
        tables["bridge"] = bridge_table(panel, bridge)
    asked = {field.id: field.title["en"] for field in key.form.fields}
    return Report(
        panel=panel,
        facts=_facts(panel, ratings),
        notes=_notes(panel, ratings, scores, raters),
        tables=tables,
        headings={name: _HEADINGS.get(name) or asked[name] for name in tables},
        scores=scores,
        raters=tuple(raters),
        without=tuple(left_out),
        bridge=tuple(bridge),
        comments=_comments(panel),
    )


def _facts(panel: Panel, ratings: Ratings) -> dict[str, str]:
    key, shown = panel.key, sum(len(panel.key.raters[rater]) for rater in panel.raters)
    given = sum(len(panel.answers[rater]) for rater in panel.raters)
    return {
        "Protocol": f"{key.protocol.id} ({key.protocol.digest[:12]})",
        "Bundle": key.bundle,
        "Form": f"{key.form.id}: {key.form.title['en']}",
        "Raters": f"{len(panel.raters)} of {len(key.raters)} ({', '.join(panel.raters)})",
        "Methods": str(len(panel.methods)),
        "Clips": f"{len(panel.pairs)} a method, of {len(set(panel.subjects))} driving subjects",
        "Ratings": f"{given} of {shown} shown, {len(ratings.files)} files read",
    }


def _notes(
    panel: Panel, ratings: Ratings, scores: Scores, raters: Sequence[Rater]
) -> tuple[str, ...]:
    notes = [f"{one.id} is flagged: {'; '.join(one.flags)}" for one in raters if one.flags]
    if notes:
        notes.append("flagged raters count here; the option without leaves a rater out")
    notes += [*panel.notes, *ratings.notes]
    if panel.key.private:
        notes.append(f"the clips show gated data ({', '.join(panel.key.gated)}); the marks do not")
    if len(panel.raters) == 1:
        notes.append("one rater: intervals are over driving subjects alone, agreement is unknown")
    elif len(panel.raters) < _FEW:
        notes.append(
            f"{len(panel.raters)} raters say little about raters in general: intervals are wide, "
            "and those of agreement and of places would move with one more rater"
        )
    blind = [one.id for one in raters if one.chance is not None and one.chance >= CHANCE]
    if blind and not any(one.flags for one in raters):
        notes.append(
            f"{', '.join(blind)} agree with the panel no better than chance; as that is most of "
            "the panel, nobody is flagged: the clips may not differ enough"
        )
    by_z = sorted(scores.methods, key=lambda one: -(one.parts["z", WHOLE].value or 0.0))
    if [one.id for one in by_z] != [one.id for one in scores.methods]:
        order = ", ".join(one.title for one in by_z)
        notes.append(f"by z, without the raters' severity and spread, the order is: {order}")
    return tuple(notes)


def _comments(panel: Panel) -> tuple[Comment, ...]:
    asked = [f.id for f in panel.key.form.fields if isinstance(f, Text) and not f.per_au]
    titles = {name: method.title for name, method in panel.key.methods.items()}
    return tuple(
        Comment(rater, titles.get(item.method or "", "real clip"), item.pair, str(text))
        for rater in panel.raters
        for item in panel.key.raters[rater]
        for rating in [panel.answers[rater].get(item.id)]
        if rating is not None
        for text in [rating.values.get(name) for name in asked]
        if text
    )


def render(report: Report, form: str, table: str | None = None) -> str:
    """Return the report, or one of its tables, in a format.

    A CSV is one table: the methods' where none is named.

    Raises:
        UsageError: for an unknown format or table.
    """
    if form not in FORMATS:
        raise UsageError(f"unknown format '{form}'.{did_you_mean(form, FORMATS)}")
    if table is None and form == "csv":
        table = SCORES
    if table is not None:
        if table not in report.tables:
            known = ", ".join(report.tables)
            raise UsageError(f"the report has no table '{table}'; it has {known}")
        return FORMATS[form](report.tables[table])
    return _WHOLE[form](report)


def _text(report: Report) -> str:
    lines = [f"{name}: {escape.text(value)}" for name, value in report.facts.items()]
    lines += ["", *(f"- {escape.text(note)}" for note in report.notes)]
    for name, table in report.tables.items():
        heading = report.headings[name]
        lines += ["", heading, "=" * len(heading), "", FORMATS["text"](table)]
    if report.comments:
        lines += ["", "Comments", "========", ""]
        lines += [
            escape.text(f"{c.rater}, {c.method}, {c.pair}: {c.text}") for c in report.comments
        ]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(report: Report) -> str:
    clean = escape.markdown
    lines = ["# Expert ratings", ""]
    lines += [f"- {name}: {clean(value)}" for name, value in report.facts.items()]
    lines += ["", *(f"- {clean(note)}" for note in report.notes)]
    for name, table in report.tables.items():
        lines += ["", f"## {clean(report.headings[name])}", "", FORMATS["markdown"](table)]
    if report.comments:
        lines += ["", "## Comments", ""]
        lines += [
            f"- {clean(f'{c.rater}, {c.method}, {c.pair}: {c.text}')}" for c in report.comments
        ]
    return "\n".join(lines).rstrip() + "\n"


def _latex(report: Report) -> str:
    facts = [f"{name}: {value}" for name, value in report.facts.items()]
    lines = [f"% {escape.latex(line)}" for line in (*facts, *report.notes)]
    return "\n".join([*lines, *(render_latex(t, fit=True) for t in report.tables.values())])


def _json(report: Report) -> str:
    tables: dict[str, Any] = {
        name: json.loads(FORMATS["json"](table)) for name, table in report.tables.items()
    }
    data = {
        "schema": SCHEMA,
        "bundle": report.panel.key.bundle,
        "facts": report.facts,
        "notes": report.notes,
        "tables": tables,
        "raters": [asdict(one) for one in report.raters],
        "without": [asdict(one) for one in report.without],
        "comments": [asdict(one) for one in report.comments],
    }
    return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _html(report: Report) -> str:
    from mebench.rating.report_page import render_page

    return render_page(report)


_WHOLE: dict[str, Callable[[Report], str]] = {
    "text": _text,
    "markdown": _markdown,
    "latex": _latex,
    "json": _json,
    "html": _html,
}

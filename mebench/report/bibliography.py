"""BibTeX of whatever a table or a reader names; every entry once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mebench import __version__
from mebench.errors import UsageError, did_you_mean
from mebench.record import Record
from mebench.registry import load_object, spec_files
from mebench.report import escape
from mebench.report.metric_papers import BIBTEX as METRIC_PAPERS
from mebench.report.metric_papers import COMPOSITES as PAPER_OF_COMPOSITE
from mebench.report.metric_papers import papers_of
from mebench.report.model import Table

MEBENCH = "mebench"
_HEAD = re.compile(r"@\s*([A-Za-z]+)\s*\{\s*([^\s,{}]+)\s*,")
_NOT_ENTRIES = {"comment", "preamble", "string"}


@dataclass(frozen=True)
class Source:
    """A thing that can be cited, with its BibTeX; empty where it has no paper."""

    kind: str
    name: str
    bibtex: str


def mebench_bibtex() -> str:
    """Return the entry of mebench itself."""
    return (
        "@software{mebench,\n"
        "  title   = {mebench: prepare data for, run, score and publish micro-expression "
        "generation},\n"
        "  author  = {{The mebench maintainers}},\n"
        f"  version = {{{__version__}}}\n"
        "}"
    )


def mebench_citation() -> str:
    """Return mebench's citation as a ``CITATION.cff``."""
    return (
        "cff-version: 1.2.0\n"
        'title: "mebench: prepare data for, run, score and publish micro-expression generation"\n'
        'message: "If you use mebench, cite it and what you ran: mebench cite ID..."\n'
        "type: software\n"
        'authors:\n  - name: "The mebench maintainers"\n'
        f"version: {__version__}\n"
        "license: MIT\n"
    )


def find(names: Iterable[str]) -> list[Source]:
    """Return what each name means: any data set, protocol, baseline, metric or family so named.

    Raises:
        UsageError: for a name that is none of them, with the nearest one.
    """
    found: list[Source] = []
    for name in names:
        mine = [Source(MEBENCH, name, mebench_bibtex())] if name == MEBENCH else []
        mine += [*_dataset(name), *_protocol(name), *_baseline(name)]
        # Metrics last: they take a second to load.
        mine = mine or list(_metric(name))
        if not mine:
            raise UsageError(f"nothing is named '{name}'.{did_you_mean(name, _names())}")
        found += mine
    return found


def of_table(records: Sequence[Record], table: Table) -> str:
    """Return the BibTeX of everything in a table: mebench, data, methods, controls, metrics."""
    first = records[0]
    sources = [Source(MEBENCH, MEBENCH, mebench_bibtex())]
    sources += list(_protocol(first.protocol.id))
    for part in first.dataset.id.split("+"):
        sources += _dataset(part)
    for row in table.rows:
        sources += list(_baseline(row.id)) or [Source("method", row.title, "")]
    for column in table.columns:
        sources += _metric(column.key.partition(":")[0])
    return bibtex(sources)


def bibtex(sources: Iterable[Source]) -> str:
    """Return the entries of some sources, each once, and a comment for those without a paper."""
    comments: dict[str, None] = {}
    known: dict[str, str] = {}
    for source in sources:
        entries = entries_of(source.bibtex)
        if not entries:
            name = escape.bibtex_comment(source.name)
            comments[f"% {source.kind} {name}: no paper known to mebench"] = None
        for key, entry in entries.items():
            known.setdefault(key, entry)
    return "\n\n".join(["\n".join(comments), *known.values()]).strip() + "\n"


def entries_of(text: str) -> dict[str, str]:
    r"""Return the entries of a BibTeX text by key.

    >>> entries_of("% note\n@book{a, title = {A {B}}}")
    {'a': '@book{a, title = {A {B}}}'}
    """
    found: dict[str, str] = {}
    for head in _HEAD.finditer(text):
        if head[1].lower() not in _NOT_ENTRIES:
            found.setdefault(head[2], text[head.start() : _end(text, head.start())])
    return found


def _end(text: str, start: int) -> int:
    depth = 0
    for place in range(text.index("{", start), len(text)):
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return len(text)


def _dataset(name: str) -> Iterator[Source]:
    from mebench.datasets.base import DATASETS
    from mebench.datasets.composite import COMPOSITES

    if name in DATASETS:
        yield Source("data set", name, load_object(DATASETS[name]).info.bibtex)
    elif name in COMPOSITES:
        yield from _papers("composite", name, [PAPER_OF_COMPOSITE[name]])
        for part in load_object(COMPOSITES[name]).parts:
            yield from _dataset(part)


def _protocol(name: str) -> Iterator[Source]:
    from mebench.protocol.spec import SYNTHME, load_protocol

    files = spec_files("protocols")
    if name not in files:
        return
    own = files[name].with_suffix(".bib")
    if own.is_file():
        yield Source("protocol", name, own.read_text(encoding="utf-8"))
    protocol = load_protocol(name)
    for dataset in protocol.sources:
        if dataset == SYNTHME:
            yield Source("data set", SYNTHME, mebench_bibtex())
        yield from _dataset(dataset)
    if protocol.composite is not None:
        yield from _dataset(protocol.composite)


def _baseline(name: str) -> Iterator[Source]:
    files = spec_files("baselines")
    if name in files:
        own = files[name].parent / "references.bib"
        yield Source("baseline", name, own.read_text(encoding="utf-8") if own.is_file() else "")


def _metric(name: str) -> Iterator[Source]:
    from mebench.metrics.catalogue import families, metric_class

    for family in families():
        keys = [info.key for info in metric_class(family).infos]
        if name == family:
            papers = [paper for key in keys for paper in papers_of(family, key)]
            yield from _papers("metric family", name, list(dict.fromkeys(papers)))
        elif name in keys:
            yield from _papers("metric", name, papers_of(family, name))


def _papers(kind: str, name: str, papers: Sequence[str]) -> Iterator[Source]:
    known = entries_of(METRIC_PAPERS)
    yield Source(kind, name, "\n\n".join(known[paper] for paper in papers if paper in known))


def _names() -> list[str]:
    from mebench.datasets.base import DATASETS
    from mebench.datasets.composite import COMPOSITES
    from mebench.metrics.catalogue import families, metric_infos

    return [
        MEBENCH,
        *DATASETS,
        *COMPOSITES,
        *spec_files("protocols"),
        *spec_files("baselines"),
        *families(),
        *metric_infos(),
    ]

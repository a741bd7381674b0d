"""Records as a paper's table has them: several data sets, partial and self-reported rows."""

from __future__ import annotations

from mebench.record import DatasetStamp, MethodRow, MetricResult, ProtocolStamp, Record

PARTS = ("casme2", "samm", "smic")
PAIRS = {
    f"t/{part}.{n}.clip{k}": f"{part}.{n}" for part in PARTS for n in (1, 2, 3) for k in (1, 2)
}
HOSTILE = (
    r"a|b & 50% $x_1$ \input{/etc/passwd} <script>alert(1)</script> ~^#{}",
    r"[1ex] \end{tabular} * -- ``q'' \verb|x|",
    '=HYPERLINK("http://evil.example")',
    "@mention www.evil.example https://evil.example <b onload=x>",
    "\u202egnp.exe\x1b[2J\u200b 微表情 Łukasz Öğüt 50€ “é” – …",
    "007",
    "$\\frac{a}{",
    "_hidden",
)


def paper_row(name: str, base: float, step: float = 0.01) -> MethodRow:
    values = {pair: base + step * number for number, pair in enumerate(PAIRS)}
    parts = {
        part: sum(v for pair, v in values.items() if PAIRS[pair].startswith(part)) / 6
        for part in PARTS
    }
    parts["composite"] = sum(parts.values()) / 3
    whole = sum(values.values()) / len(values)
    fid = 100 - 40 * base
    return MethodRow(
        id=name,
        title=name,
        pixel_digest=f"pixels of {name}",
        metrics={
            "au_consistency": MetricResult(
                title="AU consistency",
                higher_is_better=True,
                headline=True,
                value=whole,
                ci95=(whole - 0.03, whole + 0.05),
                n=len(PAIRS),
            ),
            "fid": MetricResult(
                title="FID", higher_is_better=False, level="set", value=fid, n=len(PAIRS)
            ),
            "lpips~seeded": MetricResult(title="LPIPS", value=0.1, n=len(PAIRS), headline=True),
        },
        per_clip={pair: {"au_consistency": value} for pair, value in values.items()},
        by_dataset={
            part: {"au_consistency": value, "fid": fid + number}
            for number, (part, value) in enumerate(parts.items())
        },
    )


def paper_record(name: str, base: float, status: str = "verified", **more) -> Record:
    record = Record(
        result=paper_row(name, base, **more),
        controls=[paper_row("copy-template", -0.1)],
        protocol=ProtocolStamp(id="megc2022", digest="p"),
        dataset=DatasetStamp(
            id="megc2022", index_digest="i", clips=18, subjects=9, driving_subjects=9, pairs=18
        ),
        groups=dict(PAIRS),
        intervals="95 % BCa bootstrap over driving subjects",
        status=status,
    )
    if status == "partial":
        for pair in list(PAIRS)[:4]:
            del record.result.per_clip[pair]
    return record


def paper_records() -> list[Record]:
    return [
        paper_record("fomm-prior", 0.72),
        paper_record("linear-warp", 0.61),
        paper_record("claimed", 0.55, "self-reported"),
        paper_record("half", 0.95, "partial"),
    ]


def hostile_records() -> list[Record]:
    records = []
    for number, title in enumerate(HOSTILE):
        record = paper_record(f"team{number}", 0.5 + 0.01 * number, "self-reported")
        record.result.title = title
        record.notes = [title]
        records.append(record)
    return records

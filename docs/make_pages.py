"""Writes docs/data/<id>.md, one page a data set, from what the loaders know.

    python docs/make_pages.py            # facts and tables; the printed examples are kept
    python docs/make_pages.py --examples # runs `mebench data check` again for the examples

The examples are copies made of SynthME or of invented tables (those of the tests, which need
pytest), never of a gated data set.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from mebench.datasets.base import DATASETS, DatasetInfo, dataset_class
from mebench.datasets.composite import COMPOSITES, Composite
from mebench.datasets.corrections import Correction, corrections_of
from mebench.datasets.layout import Layout
from mebench.registry import load_object

DOCS = Path(__file__).parent
PAGES = DOCS / "data"
MARK = "## What `mebench data check` prints"
GUIDE = (
    "What is taken for a clip, who is its subject, what a CSV may say, and which protocols take "
    "such clips: [Clips of your own](../own-clips.md).\n"
)
"""Stands for the counts of a data set that nobody published."""
IN_SYNTHME = {
    "casme2": "casme2", "samm": "samm", "smic": "smic", "megc2021": "MEGC2021_generation",
}  # fmt: skip


def pages() -> dict[str, str]:
    """Return the text of every page above its example, by id."""
    found = {name: _dataset_page(dataset_class(name)) for name in DATASETS}
    for name, entry in COMPOSITES.items():
        found[name] = _composite_page(load_object(entry))
    return found


def index() -> str:
    """Return the table of all data sets for docs/datasets.md."""
    rows = []
    for name in DATASETS:
        info = dataset_class(name).info
        clips = " or ".join(map(str, info.clips)) or "any"
        rate = f"{info.fps:g}, {'grey' if info.colour == 'gray' else 'colour'}"
        rows.append(
            f"| [`{name}`](data/{name}.md) | {info.title} | {clips} | {info.subjects or 'any'} | "
            f"{rate if info.clips else 'as stated'} |"
        )
    for name, entry in COMPOSITES.items():
        kind: type[Composite] = load_object(entry)
        clips = sum(n for (_, what), n in kind.published.items() if what == "clips")
        people = sum(n for (_, what), n in kind.published.items() if what == "subjects")
        rows.append(f"| [`{name}`](data/{name}.md) | {kind.title} | {clips} | {people} | |")
    head = "| id | data set | clips | subjects | frames per second |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def _dataset_page(kind: type) -> str:
    info: DatasetInfo = kind.info
    text = f"# {info.title} (`{info.id}`)\n\n{_first_line(kind)}\n\n"
    text += _counts(info) if info.clips else GUIDE
    text += f"\n**Licence.** {info.licence}\n\n**Where to ask.** {info.request}\n\n"
    text += f"## Folder tree\n\n```\n{info.tree}\n```\n\n{_layouts(kind.layouts)}"
    if info.releases:
        text += "## Releases of the annotation file\n\nTold apart by their counts.\n\n"
        text += "| release | rows | frames onset..offset | class column |\n|---|---|---|---|\n"
        for release in info.releases:
            column = "yes" if release.objective else ""
            text += f"| {release.name} | {release.rows} | {release.frames or ''} | {column} |\n"
        text += "\n"
    text += _corrections(corrections_of(info.id))
    return f"{text}## Cite\n\n```bibtex\n{info.bibtex}\n```\n\n" if info.bibtex else text


def _counts(info: DatasetInfo) -> str:
    text = "| | |\n|---|---|\n"
    text += f"| clips | {' or '.join(map(str, info.clips))} |\n| subjects | {info.subjects} |\n"
    text += f"| frames per second | {info.fps:g} |\n"
    text += f"| colour | {'grey' if info.colour == 'gray' else 'yes'} |\n"
    if info.emotions:
        stated = ", ".join(f"{name} {count}" for name, count in info.emotions.items())
        text += f"| emotions | {stated} |\n"
    return text


def _layouts(layouts: tuple[Layout, ...]) -> str:
    if not layouts:
        return ""
    names = ", ".join(f"`{layout.name}`" for layout in layouts)
    if len(layouts) == 1:
        return f"Any folders may lie above these. Layout: {names}.\n\n"
    return (
        "Any folders may lie above these. Of several layouts the first is taken; `--layout` "
        f"chooses another: {names}.\n\n"
    )


def _corrections(items: dict[str, tuple[Correction, ...]]) -> str:
    if not items:
        return ""
    text = "## Corrections\n\nApplied only to a row that holds these values.\n\n"
    text += "| clip | row holds | taken | rule | reason | source |\n|---|---|---|---|---|---|\n"
    for key, each in sorted(items.items()):
        for item in each:
            held = "no row" if item.file is None else _values(item.file) or "anything"
            taken = "left out" if item.drop else _values(item.values)
            text += (
                f"| `{key}` | {held} | {taken} | {item.apply} | {item.reason} | {item.source} |\n"
            )
    return text + "\n"


def _values(values: object) -> str:
    pairs = dict(values or {})  # type: ignore[call-overload]
    return ", ".join(f"{name} {'none' if v is None else v}" for name, v in pairs.items())


def _composite_page(kind: type[Composite]) -> str:
    text = f"# {kind.title} (`{kind.id}`)\n\n{_first_line(kind)}\n\n"
    text += f"Parts: {', '.join(f'[`{part}`]({part}.md)' for part in kind.parts)}. "
    text += f"Labels: {', '.join(f'{n} {name}' for n, name in enumerate(kind.labels))}.\n\n"
    text += "| part | what | published |\n|---|---|---|\n"
    for (part, what), count in kind.published.items():
        text += f"| {part} | {what} | {count} |\n"
    if kind.sha256:
        text += f"\nsha256 of the sorted lines `dataset,subject,clip,label`: `{kind.sha256}`.\n"
    return text + (
        "\nRebuilt from the annotation files: `mebench data check "
        f"{kind.id} --annotations-only --root DIR`, where DIR holds the parts, or each part's own "
        "setting (`mebench config set data.<part> DIR`). Corrections never decide who is a "
        "member.\n\n"
    )


def _first_line(kind: type) -> str:
    module = sys.modules[kind.__module__].__doc__ or ""
    return (kind.__doc__ or module).strip().splitlines()[0]


def _example(name: str, place: Path) -> str | None:
    """Return what the check prints for a copy that was made up; None where none is made."""
    told, root, more = _copy(name, place)
    if root is None:
        return None
    command = [sys.executable, "-m", "mebench", "data", "check", name, *more, "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        # A copy of the tests may hold no frames that this data set reads.
        more = [*command, "--annotations-only"]
        done = subprocess.run(more, capture_output=True, text=True, check=True)
        told += " (`--annotations-only`)"
    printed = done.stdout
    for spelling in (str(root.resolve()), str(root)):
        printed = printed.replace(spelling, "ROOT")
    return f"{told}:\n\n```\n{printed}```\n"


def _copy(name: str, place: Path) -> tuple[str, Path | None, list[str]]:
    """Return what a made-up copy is, where it lies, and the options its check needs."""
    if name in IN_SYNTHME:
        told = f"For a SynthME export (`mebench data check {name} --root ROOT`)"
        return told, place / "synthme" / IN_SYNTHME[name], []
    root = place / name
    root.mkdir()
    if name in ("smic-vis", "smic-nir"):
        base = place / "synthme/smic/SMIC_all_raw/HS"
        shutil.copytree(base, root / "SMIC_all_raw" / name.removeprefix("smic-").upper())
        return "For SynthME's SMIC under the name of this part", root, []
    if name == "clips":
        return "For clips of SynthME in folders of three people", _own(root, place / "synthme"), []
    if name == "megc2022":
        return (
            "For SynthME's pack, which has the two templates of MEGC2021",
            place / "synthme" / IN_SYNTHME["megc2021"],
            [],
        )
    if name.startswith("smic-e") or name in COMPOSITES:
        import full_tables as full

        table = "SMIC-NIR-E_annotation" if name == "smic-e-nir" else "SMIC-HS-E_annotation_orig"
        full.write_smic(root / f"{table}.xlsx")
        if name in COMPOSITES:
            full.write_casme2(root / "CASME2-coding-20140508.xlsx", full.casme2_rows())
            full.write_objective(root / "CASME2-ObjectiveClasses.xlsx", full.casme2_rows())
            full.write_samm(root / "SAMM_Micro_FACS_Codes_v2.xlsx", full.samm_rows())
        told = "For a table of the published form with invented values (`--annotations-only`)"
        return told, root, ["--annotations-only"]
    module = {"casme3-c": "casme3"}.get(name, name).replace("-", "_")
    try:
        found = importlib.import_module(f"test_dataset_{module}")
    except ModuleNotFoundError:
        return "", None, []
    told = "For the small copy, with every quirk in it, that the tests make"
    if name == "mmew":
        return told, found.save_tree(root, found.ROWS), []
    fixture = found.part_c if name == "casme3-c" else found.root
    return told, fixture._get_wrapped_function()(root), []


def _own(root: Path, synthme: Path) -> Path:
    """Copy clips as somebody might keep them: a folder each, one as mp4, and a CSV."""
    from mebench.io.frames import index_folder, read_frames
    from mebench.io.video import write_mp4

    source = synthme / "casme2/CASME2_RAW_selected"
    shutil.copytree(source / "sub01/EP02_01f", root / "anna/smile 01")
    shutil.copytree(source / "sub01/EP04_03", root / "anna/frown")
    shutil.copytree(source / "sub02/EP02_01f", root / "bo/smile 01")
    frames = read_frames(list(index_folder(synthme / "samm/006/006_1_2").values()))
    write_mp4(root / "cy/smile.mp4", frames, 60)
    (root / "clips.csv").write_text(
        "clip,fps,AUs,emotion,camera\nanna/smile 01,100,6+12,happiness,A\n"
        "bo/smile 01,,6+12,happiness,B\ncy/smile,,12,smirk,B\n"
    )
    return root


def main(examples: bool) -> None:
    """Write every page; keep the examples that are there unless they are asked for."""
    PAGES.mkdir(exist_ok=True)
    shown: dict[str, str | None] = {}
    if examples:
        from mebench.synthme.export import export

        with tempfile.TemporaryDirectory() as folder:
            sys.path.insert(0, str(DOCS.parent / "tests/datasets"))
            export(Path(folder) / "synthme", preset="tiny", seed=0)
            shown = {name: _example(name, Path(folder)) for name in (*DATASETS, *COMPOSITES)}
    for name, text in pages().items():
        path = PAGES / f"{name}.md"
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        kept = before.partition(MARK)[2]
        example = f"\n\n{shown[name]}" if shown.get(name) else kept
        path.write_text(text + (MARK + example if example else ""), encoding="utf-8")
    path = DOCS / "datasets.md"
    before = path.read_text(encoding="utf-8")
    table = re.compile(r"\| id \| data set \|.*?\n\n", re.DOTALL)
    path.write_text(table.sub(lambda _: index() + "\n", before, count=1), encoding="utf-8")


if __name__ == "__main__":
    main("--examples" in sys.argv)

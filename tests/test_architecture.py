"""The house rules that can be read off the code: who imports whom, and what is imported when."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "mebench"

# Lower rooms know nothing of higher ones. A room may import rooms of its own or a lower level.
LEVELS = [
    {"types", "errors", "io.files", "io.kinds"},
    {"spec", "registry", "settings", "content", "weights", "environment"},
    {"synthme", "facs", "io"},
    {"datasets"},
    {"preprocess"},
    {"views"},
    {"metrics", "protocol", "record", "stats", "comparison", "board"},
    {"submission", "methods"},
    {"scoring", "aggregate"},
    {"runner", "scorer", "scored_before", "generate", "report", "rating", "calibration"},
    {"cli"},
]
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
FORBIDDEN = {
    "metrics": {"methods", "datasets"},
    "methods": {"metrics", "scoring", "datasets", "protocol"},
    "report": {"methods"},
}
HEAVY = {"torch", "torchvision", "cv2", "lpips", "matplotlib", "pandas", "skimage", "sklearn"}
ONLY_CLI = {"click", "rich"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def room_of(name: str) -> str | None:
    """Return the room of ``mebench.x.y``, None for the package itself."""
    parts = name.split(".")[1:]
    if ".".join(parts[:2]) in ("io.files", "io.kinds"):
        return ".".join(parts[:2])
    return parts[0] if parts else None


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found += [(name, node.lineno) for name in names]
    return found


def own_rooms(path: Path) -> list[tuple[str, int]]:
    rooms = [(room_of(name), line) for name, line in imports(path) if name.startswith("mebench.")]
    return [(room, line) for room, line in rooms if room in LEVEL]


def test_every_module_has_a_room():
    unknown = {room_of(module_name(path)) for path in MODULES} - set(LEVEL) - {None, "__main__"}
    assert not unknown


@pytest.mark.parametrize("path", MODULES, ids=lambda p: module_name(p))
def test_imports_point_down(path):
    room = room_of(module_name(path))
    if room is None or room == "__main__":
        return
    wrong = [
        f"line {line}: {room} imports {other}"
        for other, line in own_rooms(path)
        if LEVEL[other] > LEVEL[room] or other in FORBIDDEN.get(room, ())
    ]
    assert not wrong


@pytest.mark.parametrize("path", MODULES, ids=lambda p: module_name(p))
def test_only_the_command_line_imports_click(path):
    tops = {name.split(".")[0] for name, _ in imports(path)}
    if room_of(module_name(path)) != "cli":
        assert not tops & ONLY_CLI


def test_report_never_imports_torch():
    for path in (PACKAGE / "report").rglob("*.py"):
        assert "torch" not in {name.split(".")[0] for name, _ in imports(path)}, path


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement", ["import mebench", "import mebench.cli.main", "import mebench.metrics.base"]
)
def test_light_entries_load_nothing_heavy(statement):
    assert not loaded_after(statement) & HEAVY


def test_public_names_resolve():
    import mebench

    for name in mebench.__all__:
        assert getattr(mebench, name) is not None


def test_content_folders_hold_no_code():
    for kind in ("baselines", "protocols", "leaderboard"):
        assert not list((PACKAGE.parent / kind).rglob("*.py"))

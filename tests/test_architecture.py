"""The dependency rule, and what the house keeps out, read from the source by `ast`."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "gwiness"

# Who may import whom. `cli` may import everything, inside functions (below).
ALLOWED = {
    "core": set(),
    "config": {"core"},
    "signal": {"core"},
    "nn": {"core"},
    "io": {"core", "config", "signal"},
    "simulate": {"core", "config", "signal", "io"},
    "evaluate": {"core", "config", "signal"},
    "separate": {"core", "config", "signal", "nn"},
    "infer": {"core", "config", "signal", "nn"},
    "train": {
        *{"core", "config", "signal", "io", "nn", "separate", "infer"},
        # Training draws its data from the simulator's laws, and ends in a checkpoint.
        *{"simulate", "store"},
    },
    "plots": {"core", "signal", "evaluate"},
    "jobs": {"core", "config"},
    "store": {"core", "config", "nn", "separate", "infer"},
    "engine": {"core", "config", "store", "separate", "infer"},
}
TORCH = {"nn", "separate", "infer", "train", "store", "engine"}
WAVEFORMS = {"gbgpu", "bbhx", "few", "fastlisaresponse", "lisatools"}


def imports(path):
    """(module, runs when the file is imported) for every import in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING")
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) not in inner
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"gwiness.{alias.name}" for alias in node.names]
            for name in names if node.module == "gwiness" else [node.module]:
                yield name, id(node) not in inner


def part_of(path):
    """The part of the house that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_obey_the_dependency_rule(path):
    part = part_of(path)
    if part in ("cli", "__init__"):
        return
    for module, _ in imports(path):
        top, *rest = module.split(".")
        if top == "gwiness" and rest and rest[0] != "__version__":
            assert rest[0] in ALLOWED[part] | {part}, f"{path.name} imports {module}"
        if top in ("torch", "zuko", "lightning", "safetensors"):
            assert part in TORCH, f"{path.name} imports {module}"
        assert top != "streamlit", "streamlit only in app/"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_waveform_libraries_are_imported_inside_functions_of_their_adapters(path):
    for module, at_top in imports(path):
        if module.split(".")[0] in WAVEFORMS:
            assert part_of(path) == "simulate"
            assert not at_top


def test_command_line_needs_no_torch_at_import():
    heavy = {"torch", "zuko", "lightning", *WAVEFORMS}
    for path in (PACKAGE / "cli").glob("*.py"):
        for module, at_top in imports(path):
            parts = module.split(".")
            own = parts[1] if parts[0] == "gwiness" and len(parts) > 1 else ""
            light = TORCH - {"store"}  # store imports torch inside its functions
            assert not (at_top and (parts[0] in heavy or own in light)), f"{path.name}: {module}"


def test_app_imports_only_what_it_may():
    allowed = {"core", "config", "io", "signal", "plots", "jobs", "evaluate", "__version__"}
    for path in (ROOT / "app").rglob("*.py"):
        for module, _ in imports(path):
            parts = module.split(".")
            assert parts[0] not in ("torch", "h5py"), f"{path}: {module}"
            if parts[0] == "gwiness" and len(parts) > 1:
                extra = {"engine"} if path.name in ("cache.py", "galactic_search.py") else set()
                assert parts[1] in allowed | extra, f"{path}: {module}"


def test_no_dumping_ground_modules():
    names = {path.name for path in [*PACKAGE.rglob("*.py"), *(ROOT / "app").rglob("*.py")]}
    assert not names & {"utils.py", "helpers.py", "common.py", "misc.py"}


def test_no_pickle():
    for path in FILES:
        modules = {module.split(".")[0] for module, _ in imports(path)}
        assert not modules & {"pickle", "joblib", "dill", "cloudpickle"}, path
        assert "weights_only=False" not in path.read_text(encoding="utf-8"), path

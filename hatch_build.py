"""Hatchling's hook: a wheel gets the hot path compiled where that is possible (scripts/compile.py), and is pure Python where not.

MONZEN_COMPILE: all (default), c (only the C loop), 0 (nothing). An editable install compiles nothing here: `make` does, in place.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompileHook(BuildHookInterface):
    """Compiles before the files are collected, in a copy: the source may belong to somebody else, or be in use."""

    PLUGIN_NAME = "custom"
    work = ""

    def wanted(self) -> str:
        """What is to be compiled."""
        return os.environ.get("MONZEN_COMPILE", "all") if self.target_name == "wheel" else "0"

    def dependencies(self) -> list[str]:
        """mypyc, only where it is used."""
        return ["mypy>=1.20", "setuptools>=70"] if self.wanted() == "all" else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles in a copy and hands the results to the wheel; whatever fails leaves the wheel in Python."""
        if self.target_name != "wheel" or version == "editable":
            return
        root = Path(self.root)
        if (units := root / "packaging/systemd").is_dir():  # for `monzen init`, where no package brought them
            build_data["force_include"][str(units)] = "monzen/units"
        spec = importlib.util.spec_from_file_location("monzen_compile", root / "scripts/compile.py")
        if spec is None or spec.loader is None:
            return
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        try:
            self.work = tempfile.mkdtemp(prefix="monzen-")
            source = Path(self.work) / "src"
            left_out = shutil.ignore_patterns("*.so", "__pycache__", "locale")
            shutil.copytree(root / "src/monzen", source / "monzen", ignore=left_out)
            built = module.build(source, self.wanted())
        except OSError as error:  # no room, no temporary folder
            print(f"monzen: nothing was compiled ({error}): it reads in Python", file=sys.stderr)
            return
        if built:
            build_data["pure_python"] = False
            build_data["infer_tag"] = True
            build_data["force_include"].update({str(source / path): str(path) for path in built})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Removes the copy."""
        if self.work:
            shutil.rmtree(self.work, ignore_errors=True)

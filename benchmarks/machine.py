"""What machine and interpreter the figures come from."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig
from pathlib import Path


def build_kind() -> str:
    """``"PGO"`` or ``"plain"``: how this interpreter was built.

    A profile-guided build is known by its configure line, or by a profile named in its flags. The
    ones that distributions put under ``/usr`` call ``make profile-opt`` and leave no trace of it,
    and Windows has no configure line: both count as PGO.
    """
    names = ("CONFIG_ARGS", "OPT", "PY_CFLAGS", "PY_CORE_CFLAGS")
    flags = " ".join(str(sysconfig.get_config_var(name)) for name in names)
    if "--enable-optimizations" in flags or "-fprofile-" in flags:
        return "PGO"
    return "PGO" if sys.base_prefix == "/usr" or sys.platform == "win32" else "plain"


def cpu() -> str:
    """The processor's name, as far as the platform tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def machine() -> dict[str, str]:
    """CPU, cores, Python's version and build, for the head of a table."""
    free = "" if getattr(sys, "_is_gil_enabled", lambda: True)() else ", no GIL"
    return {
        "cpu": f"{cpu()}, {os.cpu_count()} cores",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "build": build_kind() + free,
        "system": f"{platform.system()} {platform.machine()}",
    }

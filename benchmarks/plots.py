"""The pictures: curves in small panels, as PNG and SVG, legible on light and dark pages alike.

The background is transparent; lines and letters are of middling lightness, with a contrast of 3 to
1 or more against white and against the docs' dark grey. Each policy has one colour everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")  # draws into files, needs no display

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

GREY = "#7d8590"
OTHER = {"color": GREY, "linestyle": (0, (4, 2)), "linewidth": 1.4}
STYLES: dict[str, dict[str, Any]] = {
    "tinylfu": {"color": "#e0457b", "linewidth": 2.4, "zorder": 4},
    "s3fifo": {"color": "#2f86e0"},
    "sieve": {"color": "#1fa187"},
    "lfu": {"color": "#a45fd0"},
    "lru": {"color": "#e0802a", "linewidth": 2.0},
    "fifo": {"color": "#a9793f", "linestyle": (0, (6, 1.5))},
    "random": {"color": "#8a9a3c", "linestyle": (0, (1.2, 1.2))},
    "optimum": OTHER,
    "lru_cache": OTHER,
}
LABELS = {"optimum": "Belady's optimum", "lru_cache": "functools.lru_cache"}
TITLES = {
    "hit": "hit, by equal keys",
    "same": "hit, by the stored keys",
    "miss": "miss while growing",
    "eviction": "miss with eviction",
    "scattered": "the same, keys far apart",
}
TEXT: Any = {
    "text.color": GREY,
    "axes.labelcolor": GREY,
    "axes.edgecolor": GREY,
    "axes.titlecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "svg.fonttype": "none",  # letters stay letters: smaller, and found by search
    "svg.hashsalt": "twat-cache",  # the same curves make the same file
    "font.family": "sans-serif",
}


class Panel(NamedTuple):
    """One small picture: the curves by name, each a list of x and y."""

    title: str
    curves: Mapping[str, Sequence[tuple[float, float]]]
    up: str
    log_up: bool = False


def grid(panels: Sequence[Panel], right: str, columns: int, path: Path) -> None:
    """Draws the panels on a grid and writes ``path`` with .png and .svg; the x axis is logarithmic.

    Args:
        panels: The panels, in reading order.
        right: What the x axes mean.
        columns: Panels in a row.
        path: Where to write, without a suffix; its folder is made.
    """
    rows = -(-len(panels) // columns)
    with mpl.rc_context(TEXT):
        figure = Figure(figsize=(3.1 * columns, 2.4 * rows + 0.5), layout="constrained")
        cells: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).flat)
        for cell, panel in zip(cells, panels, strict=False):
            _draw(cell, panel)
        for cell in cells[len(panels) :]:
            cell.set_visible(False)
        for at, cell in enumerate(cells[: len(panels)]):
            if at + columns >= len(panels):
                cell.set_xlabel(right)
        shown = {name for panel in panels for name in panel.curves}
        names = [name for name in STYLES if name in shown]
        lines = [cells[0].plot([], [], label=LABELS.get(n, n), **_style(n))[0] for n in names]
        figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), frameon=False)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path.with_suffix(".png"), dpi=150, transparent=True)
        figure.savefig(path.with_suffix(".svg"), transparent=True, metadata={"Date": None})


def _style(name: str) -> dict[str, Any]:
    return {"linewidth": 1.4, "zorder": 3} | STYLES.get(name, OTHER)


def _draw(cell: Axes, panel: Panel) -> None:
    cell.set_title(panel.title, loc="left")
    for name, points in panel.curves.items():
        cell.plot(*zip(*points, strict=True), **_style(name))
    cell.set_xscale("log")
    cell.xaxis.set_major_locator(_ticks(*cell.get_xlim()))
    cell.xaxis.set_major_formatter(FuncFormatter(_short))
    cell.xaxis.set_minor_locator(NullLocator())
    if panel.log_up:
        cell.set_yscale("log")
        cell.yaxis.set_major_formatter(FuncFormatter(_short))
    else:
        cell.set_ylim(bottom=0)
    cell.set_ylabel(panel.up)
    cell.grid(color=GREY, alpha=0.25, linewidth=0.6)
    for side in ("top", "right"):
        cell.spines[side].set_visible(False)


def _ticks(low: float, high: float) -> LogLocator:
    return LogLocator(
        subs=(1,) if high / low > 2_000 else (1, 3) if high / low > 100 else (1, 2, 5)
    )


def _short(number: float, _: object = None) -> str:
    for unit, sign in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:g}{sign}"
    return f"{number:g}"


def hit_ratios(
    curves: Mapping[str, Iterable[Mapping[str, Any]]], policies: Sequence[str], path: Path
) -> None:
    """A panel for each workload, from the rows of `hit_ratio`."""
    names = [*policies, "optimum"]
    panels = []
    for trace, rows in curves.items():
        found = list(rows)
        lines = {name: [(row["size"], row[name]) for row in found] for name in names}
        panels.append(Panel(trace, lines, "hit ratio, %"))
    grid(panels, "cache size, entries", 3, path)


def scales(
    curves: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]],
    unit: Callable[[str], str],
    path: Path,
) -> None:
    """A panel for each thing that `scale` measures, from its figures by contender."""
    panels = [Panel(TITLES.get(what, what), lines, unit(what)) for what, lines in curves.items()]
    grid(panels, "entries", 3, path)

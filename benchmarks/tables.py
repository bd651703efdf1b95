"""Tables as printed, and their way into a page of the docs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

Lines = Sequence[Sequence[str]]


def render(lines: Lines, markdown: bool = False) -> str:
    """The lines, whose first is the head, as a table; columns but the first are flush right."""
    if markdown:
        ruled = [lines[0], ["---"] + ["---:"] * (len(lines[0]) - 1), *lines[1:]]
        return "\n".join("| " + " | ".join(line) + " |" for line in ruled)
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if at else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def bold_best(cells: Sequence[str]) -> list[str]:
    """The cells, those with the highest number in bold for Markdown."""
    best = max(float(cell) for cell in cells)
    return [f"**{cell}**" if float(cell) == best else cell for cell in cells]


def write_into(page: Path, mark: str, text: str) -> None:
    """Puts the text in place of what stands between the page's two marks of that name."""
    begin, end = f"<!-- measured:{mark} -->", f"<!-- measured:{mark}-end -->"
    before, found, rest = page.read_text(encoding="utf-8").partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise SystemExit(f"{page} lacks {begin} or {end}")
    page.write_text(f"{before}{begin}\n\n{text}\n\n{end}{after}", encoding="utf-8")

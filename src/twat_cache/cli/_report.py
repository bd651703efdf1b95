"""The demo's findings as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def heading(facts: Mapping[str, Any]) -> str:
    """What runs, and on which sources."""
    return (
        f"twat-cache {facts['version']} on {facts['python']}\n"
        f"indexing {facts['library']}\n"
        f"(left out: {', '.join(facts['left_out'])})\n"
    )


def section(run: Mapping[str, Any]) -> str:
    """The figures of one core."""
    library = run["library"]
    lines = [
        f"{run['core']} core ({run['reason']})",
        _row(
            "cold pass", _seconds(run["cold_pass_s"]), f"{run['files']:,} files parsed, all misses"
        ),
        _row("", "", ", ".join(f"{count:,} {what}" for what, count in library.items())),
        _row("warm pass", _seconds(run["warm_pass_s"]), "the same files again, all hits"),
        _row("look-ups", _seconds(run["lookups_s"]), f"{run['lookups']:,}, Zipf-like, all checked"),
        _row(
            "hits",
            f"{run['hits']:,}",
            f"{run['misses']:,} misses, {_percent(run['hit_ratio'])} hits",
        ),
        _row(
            "one hit",
            _nanoseconds(run["hit_ns"]),
            f"{run['ratio_to_lru_cache']:.2f} of lru_cache's",
        ),
        _row(
            "", _nanoseconds(run["lru_cache_hit_ns"]), "functools.lru_cache, same entries and order"
        ),
        _row(
            "",
            _nanoseconds(run["undecorated_call_ns"]),
            "the undecorated call, mean of a few files",
        ),
    ]
    return "\n".join(lines) + "\n"


def comparison(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """One line that puts the two cores beside each other."""
    times = second["hit_ns"] / first["hit_ns"]
    same = all(first[fact] == second[fact] for fact in ("library", "hits", "misses"))
    return (
        f"A hit on the {second['core']} core takes {times:.1f} times as long as on the "
        f"{first['core']} one; answers and counts {'are the same' if same else 'DIFFER'}."
    )


def disk_tier(first: Mapping[str, Any], second: Mapping[str, Any]) -> str:
    """What a process found when it was started, and what it found when it was started again."""
    times = first["seconds"] / second["seconds"]
    same = first["lines"] == second["lines"]
    lines = ["\nbcache: results on the disk survive a restart"]
    for name, start in (("1st start", first), ("2nd start", second)):
        note = f"{start['computed']:,} files parsed, {start['from_disk']:,} answered from disk"
        lines.append(_row(name, _seconds(start["seconds"]), note))
    answers = "the same" if same else "DIFFERENT"
    lines.append(f"The second start took 1/{times:,.0f} of the time; its answers are {answers}.")
    return "\n".join(lines)


def no_second_run(core: str) -> str:
    """Why there is only one section."""
    if core == "pure":
        return "The compiled core is not in use here, so there is no second run to compare with."
    return "The run on the pure core was left out (--no-pure)."


def _row(name: str, figure: str, note: str) -> str:
    return f"  {name:<10} {figure:>14}   {note}".rstrip()


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.2f} ms"


def _nanoseconds(nanoseconds: float) -> str:
    return f"{nanoseconds:,.0f} ns"


def _percent(part: float) -> str:
    return f"{part:.2%}"

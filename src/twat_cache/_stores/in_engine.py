"""Results in an engine: as records, in the codec's bytes, with their tokens.

`look`, `depart` and `keep` never raise on an engine's trouble: they count it and tell it, and the
function answers.
"""

from __future__ import annotations

from time import perf_counter

from .. import events
from .._missing import MISSING
from .._run.call import UNSEEN, Found
from .._run.effects import Whole, ask
from .._run.exceptions import taken_apart
from .._run.tally import kind_of, label
from ..codecs.record import Damage, Record, in_pieces
from ..errors import CacheOperationError, ConfigurationError, EngineError
from .changes import Changes, Put
from .groups import NO_GROUPS
from .recording import Recording

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Any

    from .._run.call import Call
    from .._run.drive import Steps
    from .._run.early import Early
    from .._run.tally import Tally
    from ..codecs.transcoder import Transcoder
    from .changes import Note
    from .groups import Groups
    from .tokens import Tokens

__all__ = ["EngineStore"]

_NO_VALUE = Damage.VALUE  # looked up once: that of an enum takes a while
_UNKNOWN = -1
"""Stands for a number of drops that nobody noted."""


class EngineStore(Recording):
    """Results in one engine.

    Args:
        engine: Where they are.
        transcoder: Makes records of them.
        tally: What is counted.
        clock: The wall clock, in seconds.
        lasts: Gives the seconds that a value is good for: None is for ever, 0 or less not at all.
        tags_of: Gives the tags of a call; None where there are none.
        tokens: The tags' tokens.
        stale: How many seconds a value is kept past its time.
        idle: How many seconds a value is kept that isn't used; None is for ever.
        early: When a value is computed anew before its time.
        exceptions: Which exceptions are kept, and for how many seconds.
        strict: Whether a value that the codec can't carry is an error.

    Raises:
        ConfigurationError: The engine can't give what is used more time.
    """

    waits = True
    groups: Groups = NO_GROUPS
    """What all the records belong to."""

    def __init__(
        self,
        engine: Any,
        transcoder: Transcoder,
        tally: Tally,
        clock: Callable[[], float],
        lasts: Callable[[Any, Call], float | None],
        *,
        tags_of: Callable[[Call], Iterable[str]] | None = None,
        tokens: Tokens,
        stale: float = 0.0,
        idle: float | None = None,
        early: Early | None = None,
        exceptions: Sequence[tuple[type[Exception], float]] = (),
        strict: bool = False,
    ) -> None:
        if idle is not None and not engine.capabilities.touch:
            kind = kind_of(engine)
            raise ConfigurationError(f"a {kind} can't tell what is used, so it can't honour tti=")
        super().__init__(engine, transcoder, tally, clock, stale, idle, early, exceptions, strict)
        self.tokens = tokens
        self._fences: bool = getattr(engine, "fences", True)
        self._follows = hasattr(type(engine), "joining")
        self._lasts = lasts
        self._tags_of = tags_of
        self._changes = Changes()

    # -- for a hit ----------------------------------------------------------------------------

    @property
    def is_glanced_at(self) -> bool:
        """Whether to look at what the engine has before going by the steps, which `look`.

        Not where a hit takes more than a record that is fresh, which is asked of the engine or has
        to be decided.
        """
        return self._tags_of is None and self._idle is None and self._early is None

    def glance(self, place: str) -> Any:
        """The value for the key if it is there and `plain`, else `MISSING`.

        What isn't there is asked for twice: so this is for engines that are near.
        """
        try:
            data, *tokens = self.engine.get((place, *self.groups.keys))
        except Exception:
            return MISSING
        return MISSING if data is None else self.plain(place, data, tokens)

    def plain(self, place: str, data: Any, tokens: list[Any]) -> Any:
        """The value in these bytes if they are sound and fresh, and have no tags; else `MISSING`.

        But they have to have the groups' tags, with these tokens. Tells nobody of what is wrong:
        who looks next will.
        """
        transcoder, now = self._transcoder, self._clock()
        last, tags = self.groups.last
        if tokens != last:
            tags = self.groups.written(tokens)
        if tags is None:
            return MISSING
        value = transcoder.plain(place, data, now, tags)
        if value is not _NO_VALUE:
            return value
        record = transcoder.open(place, data)
        if type(record) is not Record or record.raised or record.fresh_until <= now:
            return MISSING
        if record.tags != dict(zip(self.groups.tags, tokens, strict=True)):
            return MISSING
        value = transcoder.value(record)
        return MISSING if type(value) is Damage else value

    # -- for the miss path --------------------------------------------------------------------

    def look(self, call: Call) -> Steps[Found | None]:
        """The record for the call, if it is sound and its tags are those of now."""
        tags = self._tagged(call)
        tokens = self.tokens
        glanced, call.glanced = call.glanced, UNSEEN
        known, drops = {}, _UNKNOWN
        if glanced is UNSEEN:
            known, drops = tokens.known(tags) if tags else {}, tokens.drops
        asked = [tag for tag in tags if tag not in known]
        call.extra = None
        call.is_cut_off = False
        call.seen = UNSEEN
        try:
            if glanced is UNSEEN:
                glanced = yield ask(self.engine, "get", [call.place, *map(tokens.key, asked)])
            elif isinstance(glanced, Exception):
                raise glanced  # noqa: TRY301 - as it would have been raised here
            data, *values = glanced
            call.seen = data
            if tags:
                call.extra = {**known, **tokens.learn(asked, values, drops)}
            if data is None:
                return None
            found = yield from self._found(call.place, data, call.extra or {})
        except Exception as error:
            call.is_cut_off = self.engine.capabilities.remote
            self._tally.engine_failed(self.engine, call.place, "get", error)
            return None
        finally:
            del glanced  # it may refer to this frame
        if found is not None and self._idle is not None:
            rest = found.left if found.raised else found.left + self._stale
            yield from self._touch(call.place, min(self._idle, rest))
        return found

    def depart(self, call: Call) -> Steps[Any]:
        """Notes that it begins, and the tokens that the record will have."""
        tags = self._tagged(call)
        is_cut_off = call.is_cut_off and not call.is_forced
        if self._follows and not is_cut_off:
            yield from self._joining()
        note = self._changes.depart(call.place)
        drops = self.tokens.drops
        if is_cut_off:
            return note, None, drops  # nobody waits for a far engine twice
        if not tags:
            return note, {}, drops
        asked = "get"
        try:
            found = call.extra
            if found is None or call.is_forced:
                found = yield from self.tokens.read(tags)
            asked = "add"
            return note, (yield from self.tokens.ensure(tags, found)), drops
        except Exception as error:
            self._tally.engine_failed(self.engine, call.place, asked, error)
            return note, None, drops
        except BaseException:  # nobody will abandon what never departed
            self._changes.end(note)
            raise

    def keep(self, call: Call, value: Any, departed: Any, raised: int = 0) -> Steps[bool]:
        """Stores the record, unless the key was changed or the tokens couldn't be read.

        Returns:
            Whether it is of use: nothing has taken its place or shall, even if it isn't stored.
        """
        note, tokens, drops = departed
        if tokens is None or note.grounded:
            return not note.grounded
        lasts: float | None
        if raised:
            cls, lasts = self._exceptions[raised - 1]
            if type(value) is not cls:  # another process wouldn't know it again
                return True
            value = taken_apart(value)
            if value is None:
                return True
        else:
            lasts = self._lasts(value, call)
        if lasts is not None and lasts <= 0:
            return True
        try:
            data, life = self._record(call.place, value, lasts, tokens, call.took, raised)
        except CacheOperationError as error:
            self._refuse(call.place, value, error)
            return True
        if call.lease is not None and not (yield from call.lease(call.took)):
            return False
        if tokens and not (yield from self._are_valid(tokens, drops)):
            return False
        start = perf_counter()
        is_fenced = call.lease is not None and self._fences
        if is_fenced and call.seen is UNSEEN:  # the engine couldn't tell what there is to replace
            return not note.grounded
        steps = self._put(
            [note],
            {call.place: data},
            life,
            expected=call.seen if is_fenced else UNSEEN,
            is_wanted=call.is_forced and not call.is_behind,
        )
        try:
            is_put = yield Whole(self.engine, steps)
        except Exception as error:
            self._tally.engine_failed(self.engine, call.place, "put", error)
            return not note.grounded
        if not is_put:
            return False
        if events.hooks:
            took, name = perf_counter() - start, label(self.engine)
            key = self._tally.shown(call)
            size = sum(memoryview(piece).nbytes for piece in in_pieces(data))
            events.emit(events.Stored(self._tally.name, key, name, took, size))
        return True

    def _put(
        self,
        notes: Collection[Note],
        records: Mapping[str, Any],
        life: float | None,
        *,
        expected: Any = UNSEEN,
        is_wanted: bool = False,
    ) -> Steps[bool]:
        """Puts the records whose keys weren't changed; tells whether there is one, and it stays.

        The bytes that are expected are the fencing token of who had a lease (Kleppmann, 2016):
        where they are no longer there, another has put a newer value since. What is wanted takes
        the place of a value that would be good still.
        """
        put = Put(self.engine.capabilities.async_)
        landed = False
        if self._follows and not is_wanted and getattr(self.engine, "is_deaf", False):
            self._changes.note(records)  # nobody knows what others have changed meanwhile
        try:
            going = yield from self._changes.begin(put, notes)
            if going and expected is not UNSEEN:
                if not (yield from self._put_fenced(going[0], records, life, expected)):
                    return False
            elif going:
                items = {note.key: records[note.key] for note in going}
                is_other = hasattr(self.engine, "keep")  # it tells what is computed from the rest
                if is_other and self._follows:
                    yield ask(self.engine, "keep", items, life, is_wanted)
                else:
                    method = "keep" if is_other and not is_wanted else "put"
                    yield ask(self.engine, method, items, life)
            # by who couldn't wait, or who changed it elsewhere
            dropped = [note.key for note in going if note.grounded]
            if dropped:
                yield ask(self.engine, "drop", dropped)
            landed = len(going) > len(dropped)
            return landed
        finally:
            self._changes.finish(put, notes, landed=landed)

    def _put_fenced(
        self, note: Note, records: Mapping[str, Any], life: float | None, expected: Any
    ) -> Steps[bool]:
        """Swaps the record for what was there, if it still is, or has come to its end."""
        key, there = note.key, None if expected is None else bytes(expected)
        record = b"".join(in_pieces(records[key]))
        swap = "keep_instead" if hasattr(type(self.engine), "keep_instead") else "swap"
        try:
            is_put = bool((yield ask(self.engine, swap, key, there, record, life)))
            if not is_put and there is not None and self._is_past(key, there):
                is_put = bool((yield ask(self.engine, swap, key, None, record, life)))
        except EngineError:  # what was there is of no use in any case
            yield ask(self.engine, "drop", [key])
            raise
        else:
            return is_put

    def _is_past(self, place: str, data: bytes) -> bool:
        """Whether a record has come to its end, so that it needn't be there any more."""
        record = self._transcoder.open(place, data)
        return type(record) is Record and record.stale_until <= self._clock()

    def _are_valid(self, tokens: Mapping[str, bytes], drops: int) -> Steps[bool]:
        """Whether these are the tokens still, as far as this process has dropped tags since.

        What was computed before such a drop would do no harm, but it might take the place of what
        was computed after it.
        """
        if self.tokens.drops == drops:
            return True
        try:
            return (yield from self.tokens.read(list(tokens))) == tokens
        except Exception:
            return False

    def _joining(self) -> Steps[None]:
        """What others change is told from now on."""
        joining = getattr(type(self.engine), "joining", None)
        if joining is not None:  # else it is closed
            yield from joining(self.engine)

    def abandon(self, departed: Any) -> None:
        """Ends the note."""
        self._changes.end(departed[0])

    # -- what they share ----------------------------------------------------------------------

    def _tagged(self, call: Call) -> Collection[str]:
        if call.tags is not None:
            tags: Collection[str] = call.tags
            return tags
        if self._tags_of is None:
            return ()
        call.tags = list(dict.fromkeys(self._tags_of(call)))
        return call.tags

    def _touch(self, place: str, seconds: float) -> Steps[None]:
        """A record that was used is kept for longer."""
        try:
            yield ask(self.engine, "touch", [place], seconds)
        except Exception as error:
            self._tally.engine_failed(self.engine, place, "touch", error)

    def _found(self, place: str, data: Any, known: Mapping[str, bytes]) -> Steps[Found | None]:
        record = self._opened(place, data)
        if record is None:
            return None
        unknown = [tag for tag in record.tags if tag not in known]
        if unknown:  # it was stored with other tags than this call has
            known = {**known, **(yield from self.tokens.read(unknown))}
        return self._made(place, record, known)

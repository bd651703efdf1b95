# W-TinyLFU with an adaptive window: who was seen more often lately stays; newcomers get a chance.
# The idea, the papers and what was measured stand in `_core_py/policies/tinylfu.py`, which this is a
# translation of; `sketch` has how often keys were seen, `simulation` how large the window should be.
#
# The queues link entries by `prev`, the newer one, and `next`, the older one; 0 is none. An entry's
# mark has its queue (two bits), its count (four) and the age in which that was right (two). When a
# new age begins, all entries are visited, some with each change or hit, and their counts halved.
# One that is used before its turn is halved then, and one that is looked at is seen as halved. The
# next age waits until all were visited. So no entry is ever more than one age behind, and two bits
# are enough. Entries are visited from the last number to the first: one that moves, moves down, to
# be visited again at worst.
#
# Memory, besides the entry: 8 bytes of the sketch an entry (16 for the first 2048), 8.2 KB a table.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from gate cimport tc_likely, tc_store_byte, tc_unlikely
from policies.simulation cimport (
    PROBATION, PROTECTED, QUEUES, STEP, WINDOW, Simulation, look_on, start_simulation, window_of
)
from policies.sketch cimport (
    Sketch, fit_sketch, forget_counts, frequency, halve_sketch, halve_some, raise_to, spread,
    start_sketch, stop_sketch
)
from store cimport MARKS, NOTE, Entry, Policy, Store, at, mark_of, place

cdef enum:                       # a mark
    QUEUE = 3
    NEXT_AGE = 4
    AGE = 12
    ONCE = 16
    TIMES = 240                  # as a mask, and the most there is

cdef enum:
    COUNTS = 10                  # uses for each entry, until a new age begins
    VISITS = 16                  # entries visited with one change or hit, while one begins
    ENOUGH = 2                   # uses of each entry without a newcomer, until all looks settled

cdef struct Segment:             # a queue
    uint32_t newest
    uint32_t oldest
    uint32_t length

cdef struct TinyLFU:
    Segment segments[QUEUES]
    uint32_t size                # entries in all of them
    uint8_t age                  # as in a mark
    bint was_full
    uint32_t unvisited           # entries up to this number may be of the age before
    uint32_t shown               # uses shown to the simulation since a newcomer was
    uint64_t counts
    uint64_t limit               # when `counts` comes to it, there is something to do
    Sketch sketch
    Simulation simulation


cdef inline TinyLFU* tinylfu_of(Store* s) noexcept nogil:
    return <TinyLFU*> s.state


cdef inline uint64_t seen_as(Entry* e) noexcept nogil:
    return spread(e.hash & ~<uint64_t> (MARKS - 1))


# -- counts ------------------------------------------------------------------------------------------

cdef inline uint8_t of_age(uint8_t mark, uint8_t age) noexcept nogil:
    """A mark as it is in this age."""
    cdef uint8_t ages = ((age - (mark & AGE)) & AGE) >> 2
    return (mark & QUEUE) | age | (mark >> ages & TIMES)


cdef inline uint32_t times_seen(Store* s, TinyLFU* t, uint32_t i) noexcept nogil:
    return of_age(mark_of(at(s, i))[0], t.age) >> 4


cdef inline void set_limit(TinyLFU* t) noexcept nogil:
    cdef bint is_begun = t.unvisited == 0 and not t.sketch.halving
    t.limit = <uint64_t> COUNTS * t.size if is_begun else 0


cdef inline void begin_age(TinyLFU* t) noexcept nogil:
    """Halves all counts, unless it is still at it."""
    if t.unvisited == 0 and not t.sketch.halving:
        t.age = (t.age + NEXT_AGE) & AGE
        t.counts = min(t.counts, <uint64_t> COUNTS * t.size) // 2
        t.unvisited = t.size
        halve_sketch(&t.sketch)
        set_limit(t)


cdef inline void keep_age(Store* s, TinyLFU* t) noexcept nogil:
    """Goes on with the beginning of an age, or sees that it is time for the next."""
    cdef uint32_t visits = VISITS
    cdef uint8_t* mark
    if t.unvisited == 0 and not t.sketch.halving:
        begin_age(t)
        return
    t.unvisited = min(t.unvisited, t.size)
    while visits and t.unvisited:
        mark = mark_of(at(s, t.unvisited))
        tc_store_byte(mark, of_age(mark[0], t.age))
        t.unvisited -= 1
        visits -= 1
    if t.sketch.halving:
        halve_some(&t.sketch)
    set_limit(t)


# -- queues ------------------------------------------------------------------------------------------

cdef inline void segment_unlink(Store* s, TinyLFU* t, Entry* e) noexcept nogil:
    cdef Segment* q = &t.segments[mark_of(e)[0] & QUEUE]
    if e.prev:
        at(s, e.prev).next = e.next
    else:
        q.newest = e.next
    if e.next:
        at(s, e.next).prev = e.prev
    else:
        q.oldest = e.prev
    q.length -= 1


cdef inline void segment_link(
    Store* s, TinyLFU* t, Entry* e, uint32_t i, uint32_t queue
) noexcept nogil:
    """Makes entry i the newest of a queue."""
    cdef Segment* q = &t.segments[queue]
    tc_store_byte(mark_of(e), (mark_of(e)[0] & ~<uint32_t> QUEUE) | queue)
    e.prev = 0
    e.next = q.newest
    if q.newest:
        at(s, q.newest).prev = i
    else:
        q.oldest = i
    q.newest = i
    q.length += 1


cdef inline void make_newest(Store* s, Segment* q, Entry* e, uint32_t i) noexcept nogil:
    """What unlinking it and linking it again would come to: most of all that happens here."""
    cdef char** chunks = s.chunks       # read once: the writes below might alias the Store
    cdef size_t stride = s.stride
    cdef uint32_t prev = e.prev, next = e.next, newest = q.newest
    if tc_likely(prev != 0):
        place(chunks, stride, prev).next = next
        if tc_likely(next != 0):
            place(chunks, stride, next).prev = prev
        else:
            q.oldest = prev
        e.prev = 0
        e.next = newest
        place(chunks, stride, newest).prev = i
        q.newest = i


cdef inline void put_on_probation(Store* s, TinyLFU* t, uint32_t queue) noexcept nogil:
    """Moves the oldest of a queue on."""
    cdef uint32_t i = t.segments[queue].oldest
    cdef Entry* e = at(s, i)
    segment_unlink(s, t, e)
    segment_link(s, t, e, i, PROBATION)


cdef inline void demote(Store* s, TinyLFU* t, uint64_t main) noexcept nogil:
    cdef uint32_t steps = STEP
    while steps and t.segments[PROTECTED].length > main * 4 // 5:
        put_on_probation(s, t, PROTECTED)
        steps -= 1


cdef inline void show(TinyLFU* t, uint64_t x, uint32_t times) noexcept nogil:
    """Lets the simulation see a key that takes part in it."""
    raise_to(&t.sketch, x, times)
    look_on(&t.simulation, &t.sketch, x, t.size)


# -- the policy --------------------------------------------------------------------------------------

cdef inline void* tinylfu_start() noexcept nogil:
    cdef TinyLFU* t = <TinyLFU*> malloc(sizeof(TinyLFU))
    if t == NULL:
        return NULL
    memset(t, 0, sizeof(TinyLFU))
    start_simulation(&t.simulation)
    if not start_sketch(&t.sketch):
        free(t)
        return NULL
    return t


cdef inline void tinylfu_stop(void* state) noexcept nogil:
    stop_sketch(&(<TinyLFU*> state).sketch)
    free(state)


cdef inline void tinylfu_cleared(Store* s) noexcept nogil:
    """Forgets everything, as if it were new."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef Sketch sketch
    forget_counts(&t.sketch)
    sketch = t.sketch
    memset(t, 0, sizeof(TinyLFU))
    t.sketch = sketch
    start_simulation(&t.simulation)


cdef inline void tinylfu_added(Store* s, uint32_t i) noexcept nogil:
    """Seen once more than before; into the window."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef Entry* e = at(s, i)
    cdef uint64_t x = seen_as(e)
    cdef uint32_t times = min(frequency(&t.sketch, x) + 1, <uint32_t> 15)
    cdef uint32_t steps = STEP, window
    t.size += 1
    t.counts += 1
    window = window_of(t.size, t.simulation.parts)
    tc_store_byte(mark_of(e), times << 4 | t.age)
    segment_link(s, t, e, i, WINDOW)
    while steps and t.segments[WINDOW].length > window:
        put_on_probation(s, t, WINDOW)
        steps -= 1
    demote(s, t, t.size - window)
    t.shown = 0
    if x & t.simulation.rest == 0:
        show(t, x, times)
    fit_sketch(&t.sketch, t.size)
    set_limit(t)
    if t.counts >= t.limit:
        keep_age(s, t)


cdef inline void tinylfu_used(Store* s, uint32_t i) noexcept nogil:
    """Seen once more; up to the end of its queue, or out of probation."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef Entry* e = at(s, i)
    cdef uint64_t x = seen_as(e)
    cdef uint8_t mark = mark_of(e)[0]
    cdef uint32_t queue = mark & QUEUE
    if tc_unlikely((mark & AGE) != t.age):
        mark = of_age(mark, t.age)
    if mark < TIMES:
        mark += ONCE
        t.counts += 1
    tc_store_byte(mark_of(e), mark)
    if tc_likely(queue != PROBATION):
        make_newest(s, &t.segments[queue], e, i)
    else:
        segment_unlink(s, t, e)
        segment_link(s, t, e, i, PROTECTED)
        demote(s, t, t.size - window_of(t.size, t.simulation.parts))
    if x & t.simulation.rest == 0 and t.shown < ENOUGH * (t.size >> t.simulation.shift):
        t.shown += 1
        show(t, x, mark >> 4)
    if tc_unlikely(t.counts >= t.limit):
        keep_age(s, t)


cdef inline void tinylfu_left(Store* s, uint32_t i) noexcept nogil:
    """Out of its queue; the sketch remembers it."""
    cdef TinyLFU* t = tinylfu_of(s)
    raise_to(&t.sketch, seen_as(at(s, i)), times_seen(s, t, i))
    segment_unlink(s, t, at(s, i))
    t.size -= 1


cdef inline uint32_t tinylfu_victim(Store* s) noexcept nogil:
    """Who was seen less often lately, of two."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef uint32_t new = t.segments[WINDOW].oldest
    cdef uint32_t old = t.segments[PROBATION if t.segments[PROBATION].length else PROTECTED].oldest
    if not t.was_full:
        t.was_full = True
        begin_age(t)
    if new == 0 or old == 0:
        return old if new == 0 else new
    if t.segments[WINDOW].length < window_of(t.size, t.simulation.parts):
        return old
    return old if times_seen(s, t, new) > times_seen(s, t, old) + 1 else new


cdef inline void tinylfu_moved(Store* s, uint32_t last, uint32_t i) noexcept nogil:
    cdef Entry* e = at(s, i)
    cdef Segment* q = &tinylfu_of(s).segments[mark_of(e)[0] & QUEUE]
    if e.prev:
        at(s, e.prev).next = i
    else:
        q.newest = i
    if e.next:
        at(s, e.next).prev = i
    else:
        q.oldest = i


cdef inline uint32_t tinylfu_warmer(Store* s, uint32_t i) noexcept nogil:
    """Window, probation, protected, each from its oldest on."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef uint32_t queue = WINDOW
    if i:
        if at(s, i).prev:
            return at(s, i).prev
        queue = (mark_of(at(s, i))[0] & QUEUE) + 1
    while queue < QUEUES:
        if t.segments[queue].oldest:
            return t.segments[queue].oldest
        queue += 1
    return 0


cdef inline void fill_tinylfu(Policy* p) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.name = b"tinylfu"
    p.on_hit = NOTE
    p.start = &tinylfu_start
    p.stop = &tinylfu_stop
    p.cleared = &tinylfu_cleared
    p.added = &tinylfu_added
    p.used = &tinylfu_used
    p.victim = &tinylfu_victim
    p.left = &tinylfu_left
    p.moved = &tinylfu_moved
    p.warmer = &tinylfu_warmer

# W-TinyLFU with an adaptive window: who was seen more often lately stays; newcomers get a chance.
# The idea, the papers and what was measured stand in `_core_py/policies/tinylfu.py`, which this is a
# translation of; `sketch` has how often keys were seen, `simulation` how large the window should be.
#
# The queues link entries by `prev`, the newer one, and `next`, the older one; 0 is none. Which queue
# an entry is in stands in its mark. Memory, besides the entry: 8 bytes of the sketch an entry (16
# for the first 2048), and 4.6 KB a table.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from policies.simulation cimport (
    PROBATION, PROTECTED, QUEUES, STEP, WINDOW, Simulation, see, start_simulation, window_of
)
from policies.sketch cimport (
    Sketch, count, fit_sketch, forget_counts, frequency, halve_sketch, spread, start_sketch, stop_sketch
)
from store cimport MARKS, NOTE, Entry, Policy, Store, at, mark_of, place

cdef struct Segment:             # a queue
    uint32_t newest
    uint32_t oldest
    uint32_t length

cdef struct TinyLFU:
    Segment segments[QUEUES]
    uint32_t size                # entries in all of them
    bint was_full
    Sketch sketch
    Simulation simulation


cdef inline TinyLFU* tinylfu_of(Store* s) noexcept nogil:
    return <TinyLFU*> s.state


cdef inline uint64_t seen_as(Entry* e) noexcept nogil:
    return spread(e.hash & ~<uint64_t> (MARKS - 1))


# -- queues ------------------------------------------------------------------------------------------

cdef inline void segment_unlink(Store* s, TinyLFU* t, Entry* e) noexcept nogil:
    cdef Segment* q = &t.segments[mark_of(e)[0]]
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
    mark_of(e)[0] = queue
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
    if prev:
        place(chunks, stride, prev).next = next
        if next:
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
    forget_counts(&t.sketch)
    start_simulation(&t.simulation)
    memset(t.segments, 0, sizeof(t.segments))
    t.size = 0
    t.was_full = False


cdef inline void tinylfu_added(Store* s, uint32_t i) noexcept nogil:
    """Seen once more; into the window."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef Entry* e = at(s, i)
    cdef uint64_t x = seen_as(e)
    cdef uint32_t steps = STEP, size, window
    t.size += 1
    size = t.size
    window = window_of(size, t.simulation.parts)
    fit_sketch(&t.sketch, size)
    count(&t.sketch, x, size)
    segment_link(s, t, e, i, WINDOW)
    while steps and t.segments[WINDOW].length > window:
        put_on_probation(s, t, WINDOW)
        steps -= 1
    demote(s, t, size - window)
    see(&t.simulation, &t.sketch, x, size)


cdef inline void tinylfu_used(Store* s, uint32_t i) noexcept nogil:
    """Seen once more; up to the end of its queue, or out of probation."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef Entry* e = at(s, i)
    cdef uint64_t x = seen_as(e)
    cdef uint32_t size = t.size, queue = mark_of(e)[0]
    count(&t.sketch, x, size)
    if queue != PROBATION:
        make_newest(s, &t.segments[queue], e, i)
    else:
        segment_unlink(s, t, e)
        segment_link(s, t, e, i, PROTECTED)
        demote(s, t, size - window_of(size, t.simulation.parts))
    see(&t.simulation, &t.sketch, x, size)


cdef inline void tinylfu_left(Store* s, uint32_t i) noexcept nogil:
    """Out of its queue; its counts stay."""
    segment_unlink(s, tinylfu_of(s), at(s, i))
    tinylfu_of(s).size -= 1


cdef inline uint32_t tinylfu_victim(Store* s) noexcept nogil:
    """Who was seen less often lately, of two."""
    cdef TinyLFU* t = tinylfu_of(s)
    cdef uint32_t new = t.segments[WINDOW].oldest
    cdef uint32_t old = t.segments[PROBATION if t.segments[PROBATION].length else PROTECTED].oldest
    if not t.was_full:
        t.was_full = True
        halve_sketch(&t.sketch)
    if new == 0 or old == 0:
        return old if new == 0 else new
    if t.segments[WINDOW].length < window_of(t.size, t.simulation.parts):
        return old
    if frequency(&t.sketch, seen_as(at(s, new))) > frequency(&t.sketch, seen_as(at(s, old))):
        return old
    return new


cdef inline void tinylfu_moved(Store* s, uint32_t last, uint32_t i) noexcept nogil:
    cdef Entry* e = at(s, i)
    cdef Segment* q = &tinylfu_of(s).segments[mark_of(e)[0]]
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
        queue = mark_of(at(s, i))[0] + 1
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

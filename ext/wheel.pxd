# The timing wheel: which entries are dead by now, found without looking at the others.
#
# A hierarchical timing wheel (Varghese and Lauck, 1987). Time is cut into ticks of 2^27 ns, 134 ms.
# A bucket is a list of entries: those of level 0 die in one and the same tick, those of level L in
# the same 64^L ticks. Six levels of 64 buckets reach 292 years, all that an int64 of nanoseconds
# can tell. An entry stands at the level of the highest six bits in which the tick of its deadline
# differs from the tick that the wheel has come to; so all that a bucket of a higher level holds
# lies ahead, until the wheel comes to it and hands it down.
#
# The wheel turns when somebody writes, and only as far as that one is willing to work: handing down
# stops after some entries, and goes on with the next write, so no write pays for all. A tick is
# dealt with once it is wholly over. What is found in it is dead, but for an entry that was used
# meanwhile and has a time to idle: a hit sets its deadline and leaves the wheel alone, and the
# wheel, when it comes to the entry, puts it where it belongs.

from libc.stdint cimport INT64_MAX, int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc

from gate cimport tc_trailing_zeros
from store cimport *

cdef enum:
    HANDED_DOWN = 64             # entries that one write hands down to lower levels

cdef extern from *:
    """
    #define TC_HEAD (UINT32_C(1) << 31)
    #define TC_LAST_TICK ((INT64_C(1) << 36) - 1)
    """
    const uint32_t HEAD "TC_HEAD"           # in `before`: the number of a bucket, not of an entry
    const int64_t LAST_TICK "TC_LAST_TICK"

cdef struct Timer:               # an entry's column; `before` is 0 while it is in no bucket
    uint32_t before
    uint32_t after

cdef inline Timer* timer_of(Store* s, uint32_t i) noexcept nogil:
    return <Timer*> narrow(at(s, i), s.timer_at)


cdef inline int64_t end_of(Store* s, Entry* e) noexcept nogil:
    """The moment from which on an entry is dead."""
    cdef int64_t end = wide(e, s.stale_at if s.stale_at else s.fresh_at)[0]
    if s.idle_at and wide(e, s.idle_at)[0] < end:
        return wide(e, s.idle_at)[0]
    return end


cdef inline int64_t tick_at(Wheel* w, int64_t moment) noexcept nogil:
    cdef int64_t tick = (moment >> TICK_BITS) - w.origin
    return min(tick, LAST_TICK)


cdef inline void unschedule(Store* s, uint32_t i) noexcept nogil:
    cdef Timer* timer = timer_of(s, i)
    cdef uint32_t bucket
    if timer.before == 0:
        return
    if timer.after:
        timer_of(s, timer.after).before = timer.before
    if timer.before & HEAD:
        bucket = timer.before & ~HEAD
        s.wheel.first[bucket] = timer.after
        if timer.after == 0:
            s.wheel.occupied[bucket >> SLOT_BITS] &= ~(<uint64_t> 1 << (bucket & 63))
    else:
        timer_of(s, timer.before).after = timer.after
    timer.before = 0


cdef inline void timer_moved(Store* s, uint32_t i) noexcept nogil:
    """Mends the bucket after an entry has been copied to i."""
    cdef Timer* timer = timer_of(s, i)
    if timer.before == 0:
        return
    if timer.after:
        timer_of(s, timer.after).before = i
    if timer.before & HEAD:
        s.wheel.first[timer.before & ~HEAD] = i
    else:
        timer_of(s, timer.before).after = i


cdef inline void schedule(Store* s, uint32_t i) noexcept nogil:
    """Puts an entry that is in no bucket where its deadline says; what never ends, nowhere."""
    cdef int64_t end = end_of(s, at(s, i))
    cdef Wheel* w = s.wheel
    cdef Timer* timer = timer_of(s, i)
    cdef int64_t tick
    cdef uint32_t level = 0, bucket
    timer.before = 0
    if end == INT64_MAX or w == NULL:
        return
    tick = max(tick_at(w, end), w.tick)
    while (tick ^ w.tick) >> (SLOT_BITS * (level + 1)):
        level += 1
    bucket = level << SLOT_BITS | (tick >> SLOT_BITS * level & 63)
    timer.before = HEAD | bucket
    timer.after = w.first[bucket]
    if timer.after:
        timer_of(s, timer.after).before = i
    w.first[bucket] = i
    w.occupied[level] |= <uint64_t> 1 << (bucket & 63)


cdef inline bint start_wheel(Store* s, int64_t now) noexcept:
    """Makes the wheel when the first entry comes; False if there is no memory."""
    cdef Wheel* w = s.wheel
    if w == NULL:
        w = <Wheel*> calloc(1, sizeof(Wheel))
        if w == NULL:
            return False
        w.origin = now >> TICK_BITS
        s.wheel = w
    return True


cdef inline bint hand_down(Store* s, int* moves) noexcept nogil:
    """Brings what the wheel has come to down to its level; False if `moves` did not suffice."""
    cdef Wheel* w = s.wheel
    cdef uint32_t level = LEVELS - 1, bucket, i
    while level:
        bucket = level << SLOT_BITS | (w.tick >> SLOT_BITS * level & 63)
        while w.first[bucket]:
            if moves[0] == 0:
                return False
            moves[0] -= 1
            i = w.first[bucket]
            unschedule(s, i)
            schedule(s, i)
        level -= 1
    return True


cdef inline int64_t next_tick(Wheel* w) noexcept nogil:
    """The next tick in which the wheel has anything to do."""
    cdef int level
    cdef int64_t here
    cdef uint64_t ahead
    for level in range(LEVELS):
        here = w.tick >> SLOT_BITS * level
        ahead = w.occupied[level] >> 1 >> (here & 63)
        if ahead:
            return (here + 1 + tc_trailing_zeros(ahead)) << SLOT_BITS * level
    return INT64_MAX


cdef inline bint is_turning(Store* s, int64_t now) noexcept nogil:
    """Whether a tick is over that has not been dealt with."""
    return s.wheel != NULL and tick_at(s.wheel, now) > s.wheel.tick


cdef inline uint32_t next_dead(Store* s, int64_t now, int* moves) noexcept nogil:
    """An entry whose tick is over, the earliest first, or 0. `moves` bounds how many are put elsewhere."""
    cdef Wheel* w = s.wheel
    cdef int64_t target
    cdef uint32_t i
    if w == NULL:
        return 0
    target = tick_at(w, now)
    while w.tick < target:
        if not hand_down(s, moves):
            return 0
        i = w.first[w.tick & 63]
        if i == 0:
            w.tick = min(next_tick(w), target)
        elif tick_at(w, end_of(s, at(s, i))) <= w.tick:
            return i
        elif moves[0] == 0:
            return 0
        else:
            moves[0] -= 1
            unschedule(s, i)            # used since then
            schedule(s, i)
    return 0

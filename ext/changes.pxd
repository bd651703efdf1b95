# Putting entries in and taking them out, in memory, index, order and wheel at once.

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

from gate cimport tc_is_gc, tc_prefetch
from index cimport *
from order cimport *
from store cimport *
from wheel cimport *

cdef inline void count_collectable(Store* s, PyObject* value, PyObject** key, int sign) noexcept:
    cdef uint32_t j
    if tc_is_gc(value):
        s.collectable += sign
    for j in range(s.width):
        if tc_is_gc(key[j]):
            s.collectable += sign


cdef inline void take_out(Store* s, uint32_t i, PyObject** spoils) noexcept:
    """Detaches entry i from order and index; its references become the caller's to drop.

    `spoils` has room for the value and `width` key objects. The place i is left blank: the
    caller fills it again or closes the gap.
    """
    cdef Entry* e = at(s, i)
    spoils[0] = e.value
    memcpy(spoils + 1, key_of(e), s.width * sizeof(void*))
    count_collectable(s, e.value, key_of(e), -1)
    if s.weight_at:
        s.weight -= wide(e, s.weight_at)[0]
    if s.timer_at:
        unschedule(s, i)
    index_remove(s, i)
    if s.policy.left != NULL:
        s.policy.left(s, i)
    else:
        unlink(s, e)
    s.changes += 1


cdef inline void put_in(Store* s, uint32_t i, uint64_t hash) noexcept:
    """Brings the entry at i, whose fields are filled, into index and order."""
    at(s, i).hash = hash
    index_add(s, i, hash)
    enrol(s, i)


cdef inline void close_gap(Store* s, uint32_t i) noexcept:
    """Moves the last entry to the blank place i; chains are the caller's business."""
    cdef uint32_t last = s.used
    cdef uint32_t* slot
    cdef Entry* e
    if i != last:
        slot = index_slot(s, last)
        slot[0] += i - last
        e = at(s, i)
        memcpy(e, at(s, last), s.stride)
        if s.policy.moved != NULL:
            s.policy.moved(s, last, i)
        else:
            ring_moved(s, i)
        if s.timer_at:
            timer_moved(s, i)
    s.used -= 1
    shrink_index(s)
    give_back(s)


# An eviction touches memory that nobody has looked at for long: the entry at the ring's end, the one
# before it, its slot, its objects. In a large table each is a cache miss, a hundred nanoseconds and
# more. So the write before fetches them. Besides, it fetches the line of slots where the keys after
# its own are, should they come in a row.

cdef inline void foresee(Store* s, uint64_t hash) noexcept nogil:
    """Fetches what the next write will touch, in a large table."""
    cdef Entry* e
    tc_prefetch(&s.slots[home_of(hash + GOLDEN, s.mask)])
    if s.policy.victim == NULL:
        e = at(s, at(s, 0).prev)
        tc_prefetch(&s.slots[home_of(e.hash, s.mask)])
        tc_prefetch(&s.slots[home_of(e.hash + GOLDEN, s.mask)])
        tc_prefetch(e.value)
        tc_prefetch(key_of(e)[0])
        tc_prefetch(at(s, e.prev))

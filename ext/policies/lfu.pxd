# LFU: the entry that was used least often leaves; of several, the one used longest ago. O(1).
#
# Buckets lie in an array, linked in a ring by their frequency, which begins and ends at number 0, of
# frequency 0. A bucket's entries are linked by `prev`, towards its oldest, and `next`. An entry's
# column has the number of its bucket. A use of the only entry of a bucket that has no neighbour in
# the way just changes the bucket's frequency. Out of memory for a bucket, the next one will do.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from store cimport NOTE, Entry, Policy, Store, at, narrow

cdef enum:
    FEW_BUCKETS = 8

cdef struct Bucket:
    uint64_t frequency
    uint32_t lower               # the buckets beside it
    uint32_t higher              # of a free one: the next free one
    uint32_t oldest
    uint32_t newest

cdef struct LFU:
    Bucket* buckets
    uint32_t room
    uint32_t made                # buckets that were ever used
    uint32_t free


cdef inline LFU* lfu_of(Store* s) noexcept nogil:
    return <LFU*> s.state


cdef inline uint32_t* bucket_of(Store* s, uint32_t i) noexcept nogil:
    return narrow(at(s, i), s.policy_at)


cdef inline void* lfu_start() noexcept nogil:
    cdef LFU* l = <LFU*> calloc(1, sizeof(LFU))
    if l == NULL:
        return NULL
    l.buckets = <Bucket*> calloc(FEW_BUCKETS, sizeof(Bucket))
    if l.buckets == NULL:
        free(l)
        return NULL
    l.room = FEW_BUCKETS
    l.made = 1
    return l


cdef inline void lfu_stop(void* state) noexcept nogil:
    free((<LFU*> state).buckets)
    free(state)


cdef inline void lfu_cleared(Store* s) noexcept nogil:
    cdef LFU* l = lfu_of(s)
    memset(l.buckets, 0, sizeof(Bucket))
    l.made = 1
    l.free = 0


cdef inline uint32_t new_bucket(LFU* l, uint32_t lower, uint64_t frequency) noexcept nogil:
    """An empty bucket beside a lower one; 0 if there is no memory."""
    cdef uint32_t b = l.free
    cdef Bucket* more
    if b:
        l.free = l.buckets[b].higher
    else:
        if l.made == l.room:
            more = <Bucket*> realloc(l.buckets, 2 * <size_t> l.room * sizeof(Bucket))
            if more == NULL:
                return 0
            l.buckets = more
            l.room *= 2
        b = l.made
        l.made += 1
    l.buckets[b].frequency = frequency
    l.buckets[b].oldest = l.buckets[b].newest = 0
    l.buckets[b].lower = lower
    l.buckets[b].higher = l.buckets[lower].higher
    l.buckets[l.buckets[b].higher].lower = b
    l.buckets[lower].higher = b
    return b


cdef inline void enter_bucket(Store* s, uint32_t i, uint32_t behind) noexcept nogil:
    """Makes entry i the newest of the bucket of the next frequency."""
    cdef LFU* l = lfu_of(s)
    cdef uint64_t frequency = l.buckets[behind].frequency + 1
    cdef uint32_t b = l.buckets[behind].higher
    cdef Entry* e = at(s, i)
    if l.buckets[b].frequency != frequency:
        b = new_bucket(l, behind, frequency)
        if b == 0:
            b = l.buckets[behind].higher if l.buckets[behind].higher else behind
    e.next = 0
    e.prev = l.buckets[b].newest
    if e.prev:
        at(s, e.prev).next = i
    else:
        l.buckets[b].oldest = i
    l.buckets[b].newest = i
    bucket_of(s, i)[0] = b


cdef inline void leave_bucket(Store* s, uint32_t i) noexcept nogil:
    cdef LFU* l = lfu_of(s)
    cdef uint32_t b = bucket_of(s, i)[0]
    cdef Bucket* bucket = &l.buckets[b]
    cdef Entry* e = at(s, i)
    if e.prev:
        at(s, e.prev).next = e.next
    else:
        bucket.oldest = e.next
    if e.next:
        at(s, e.next).prev = e.prev
    else:
        bucket.newest = e.prev
    if bucket.oldest == 0 and b:
        l.buckets[bucket.lower].higher = bucket.higher
        l.buckets[bucket.higher].lower = bucket.lower
        bucket.higher = l.free
        l.free = b


cdef inline void lfu_added(Store* s, uint32_t i) noexcept nogil:
    enter_bucket(s, i, 0)


cdef inline void lfu_used(Store* s, uint32_t i) noexcept nogil:
    cdef LFU* l = lfu_of(s)
    cdef uint32_t b = bucket_of(s, i)[0], lower
    cdef Bucket* bucket = &l.buckets[b]
    if bucket.oldest == bucket.newest and l.buckets[bucket.higher].frequency != bucket.frequency + 1:
        bucket.frequency += 1
        return
    if bucket.oldest == bucket.newest:
        lower = bucket.lower        # its bucket goes; the next one has the right frequency
        leave_bucket(s, i)
        b = l.buckets[lower].higher
        at(s, i).next = 0
        at(s, i).prev = l.buckets[b].newest
        at(s, l.buckets[b].newest).next = i
        l.buckets[b].newest = i
        bucket_of(s, i)[0] = b
        return
    leave_bucket(s, i)
    enter_bucket(s, i, b)


cdef inline uint32_t lfu_victim(Store* s) noexcept nogil:
    cdef LFU* l = lfu_of(s)
    return l.buckets[0].oldest if l.buckets[0].oldest else l.buckets[l.buckets[0].higher].oldest


cdef inline void lfu_moved(Store* s, uint32_t last, uint32_t i) noexcept nogil:
    cdef Bucket* bucket = &lfu_of(s).buckets[bucket_of(s, i)[0]]
    cdef Entry* e = at(s, i)
    if e.prev:
        at(s, e.prev).next = i
    else:
        bucket.oldest = i
    if e.next:
        at(s, e.next).prev = i
    else:
        bucket.newest = i


cdef inline uint32_t lfu_warmer(Store* s, uint32_t i) noexcept nogil:
    cdef LFU* l = lfu_of(s)
    cdef uint32_t b
    if i == 0:
        return lfu_victim(s)
    if at(s, i).next:
        return at(s, i).next
    b = l.buckets[bucket_of(s, i)[0]].higher
    return l.buckets[b].oldest if b else 0


cdef inline void fill_lfu(Policy* p) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.name = b"lfu"
    p.on_hit = NOTE
    p.room = 8
    p.start = &lfu_start
    p.stop = &lfu_stop
    p.cleared = &lfu_cleared
    p.added = &lfu_added
    p.used = &lfu_used
    p.victim = &lfu_victim
    p.left = &leave_bucket
    p.moved = &lfu_moved
    p.warmer = &lfu_warmer

# S3-FIFO: three queues, so that what is used once leaves early and what comes back stays.
#
# The small and the main queue link entries by `prev`, the newer one, and `next`, the older one; 0 is
# none. The mark has how often an entry was hit in its two lowest bits, and which queue it is in.

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from policies.ghosts cimport Ghosts, free_ghosts, remember, returns
from store cimport COUNT, MARKS, Entry, Policy, Store, at, mark_of

cdef enum:
    MAIN = 4                     # in the mark: in the main queue
    HITS = 3                     # in the mark

cdef struct Fifo:
    uint32_t newest
    uint32_t oldest
    uint32_t length

cdef struct S3FIFO:
    Fifo small
    Fifo main
    Ghosts ghosts


cdef inline S3FIFO* s3fifo_of(Store* s) noexcept nogil:
    return <S3FIFO*> s.state


cdef inline Fifo* queue_of(Store* s, Entry* e) noexcept nogil:
    return &s3fifo_of(s).main if mark_of(e)[0] & MAIN else &s3fifo_of(s).small


cdef inline uint64_t known_as(Entry* e) noexcept nogil:
    return e.hash & ~<uint64_t> (MARKS - 1)


cdef inline void* s3fifo_start() noexcept nogil:
    return calloc(1, sizeof(S3FIFO))


cdef inline void s3fifo_stop(void* state) noexcept nogil:
    free_ghosts(&(<S3FIFO*> state).ghosts)
    free(state)


cdef inline void s3fifo_cleared(Store* s) noexcept nogil:
    free_ghosts(&s3fifo_of(s).ghosts)
    memset(s.state, 0, sizeof(S3FIFO))


cdef inline void join(Store* s, uint32_t i, uint8_t mark) noexcept nogil:
    """Makes entry i the newest of its queue."""
    cdef Entry* e = at(s, i)
    cdef Fifo* q
    mark_of(e)[0] = mark
    q = queue_of(s, e)
    e.prev = 0
    e.next = q.newest
    if q.newest:
        at(s, q.newest).prev = i
    else:
        q.oldest = i
    q.newest = i
    q.length += 1


cdef inline void s3fifo_left(Store* s, uint32_t i) noexcept nogil:
    cdef Entry* e = at(s, i)
    cdef Fifo* q = queue_of(s, e)
    if e.prev:
        at(s, e.prev).next = e.next
    else:
        q.newest = e.next
    if e.next:
        at(s, e.next).prev = e.prev
    else:
        q.oldest = e.prev
    q.length -= 1


cdef inline void s3fifo_added(Store* s, uint32_t i) noexcept nogil:
    join(s, i, MAIN if returns(&s3fifo_of(s).ghosts, known_as(at(s, i))) else 0)


cdef inline uint32_t s3fifo_victim(Store* s) noexcept nogil:
    cdef S3FIFO* f = s3fifo_of(s)
    cdef uint64_t size = f.small.length + f.main.length
    cdef uint32_t i
    cdef uint8_t mark
    if f.small.length and <uint64_t> f.small.length * 10 >= size:
        while f.small.length:
            i = f.small.oldest
            if mark_of(at(s, i))[0] & HITS <= 1:
                remember(&f.ghosts, known_as(at(s, i)), max(size * 9 // 10, <uint64_t> 1))
                return i
            s3fifo_left(s, i)
            join(s, i, MAIN)
    while True:
        i = f.main.oldest
        if i == 0:
            return f.small.oldest
        mark = mark_of(at(s, i))[0]
        if mark & HITS == 0:
            return i
        s3fifo_left(s, i)
        join(s, i, mark - 1)


cdef inline void s3fifo_moved(Store* s, uint32_t last, uint32_t i) noexcept nogil:
    cdef Entry* e = at(s, i)
    cdef Fifo* q = queue_of(s, e)
    if e.prev:
        at(s, e.prev).next = i
    else:
        q.newest = i
    if e.next:
        at(s, e.next).prev = i
    else:
        q.oldest = i


cdef inline uint32_t s3fifo_warmer(Store* s, uint32_t i) noexcept nogil:
    """The small queue, then the main one, each from its oldest on."""
    cdef S3FIFO* f = s3fifo_of(s)
    if i == 0:
        return f.small.oldest if f.small.oldest else f.main.oldest
    if at(s, i).prev:
        return at(s, i).prev
    return 0 if mark_of(at(s, i))[0] & MAIN else f.main.oldest


cdef inline void fill_s3fifo(Policy* p) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.name = b"s3fifo"
    p.on_hit = COUNT
    p.counts = 3
    p.start = &s3fifo_start
    p.stop = &s3fifo_stop
    p.cleared = &s3fifo_cleared
    p.added = &s3fifo_added
    p.victim = &s3fifo_victim
    p.left = &s3fifo_left
    p.moved = &s3fifo_moved
    p.warmer = &s3fifo_warmer

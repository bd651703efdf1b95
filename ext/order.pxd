# Who is inside, and the order that a policy keeps.
#
# Two kinds of access. A hit *enters*: it reads index and entries, marks the entry it found or notes
# its number, and moves it in the ring if the policy is lru. Everything else *seizes*: nobody else
# is inside then, and what hits had noted has been handed to the policy, in order. Under the GIL
# both cost nothing. Without it a hit takes the latch of its thread's own Reader, so that hits on
# different threads share nothing that is written, and who seizes takes the table's lock and then
# all Readers' latches (a "big-reader" lock); lru's hits are noted there too. A policy hears
# of a thread's notes under the table's lock and that thread's latch only: it moves links and columns
# of its own, which no hit reads.
# While hits may be inside, nothing else may change what they read: index, entries, and values.

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from gate cimport *
from store cimport *

cdef extern from "gate.h" nogil:
    void hand_over "tc_hand_over"(void* s, void* reader) noexcept   # tells the policy of noted hits

# -- getting in ------------------------------------------------------------------------------------

cdef inline Reader* enter(Store* s) noexcept:
    """Lets a hit in; it has to `leave`."""
    cdef Reader* reader = &s.reader
    if FREE_THREADED:
        reader = <Reader*> tc_load_pointer(<void**> &s.readers[tc_thread_number() % TC_READERS])
        if tc_unlikely(reader == NULL):
            reader = new_reader(s, tc_thread_number() % TC_READERS)
        if tc_unlikely(not tc_try(&reader.latch)):
            tc_wait(&reader.latch, &s.lock)
    return reader


cdef inline void leave(Reader* reader) noexcept:
    tc_unlatch(&reader.latch)


cdef inline void shut(Reader* reader) noexcept:
    if not tc_try(&reader.latch):
        tc_wait(&reader.latch, NULL)


cdef inline void seize(Store* s) noexcept:
    """Shuts everybody else out until `let_go`, and lets the policy hear of the hits there were."""
    cdef int k
    tc_acquire(&s.lock)
    if FREE_THREADED:
        shut(&s.reader)
        for k in range(TC_READERS):
            if s.readers[k] != NULL and s.readers[k] != &s.reader:
                shut(s.readers[k])
                if s.readers[k].noted:
                    hand_over(s, s.readers[k])
    if tc_unlikely(s.reader.noted):
        hand_over(s, &s.reader)


cdef inline void let_go(Store* s) noexcept:
    cdef int k
    if FREE_THREADED:
        for k in range(TC_READERS):
            if s.readers[k] != NULL and s.readers[k] != &s.reader:
                tc_unlatch(&s.readers[k].latch)
        tc_unlatch(&s.reader.latch)
    tc_release(&s.lock)


cdef inline void settle_notes(Store* s, Reader* reader, bint must) noexcept:
    """Lets the policy hear of what a Reader noted, while other threads' hits go on.

    If somebody else has the table it can wait, unless it `must` be.
    """
    if must:
        tc_acquire(&s.lock)
    elif not tc_try_lock(&s.lock):
        return
    shut(reader)
    hand_over(s, reader)
    tc_unlatch(&reader.latch)
    tc_release(&s.lock)


cdef inline void break_locks(Store* s) noexcept:
    """In a forked child: what other threads had, or were about to get, is nobody's now."""
    cdef int k
    memset(&s.lock, 0, sizeof(tc_lock))
    s.reader.latch = 0
    for k in range(TC_READERS):
        if s.readers[k] != NULL:
            s.readers[k].latch = 0


cdef inline Reader* new_reader(Store* s, uint32_t number) noexcept:
    """A thread's own Reader, made when it comes first; out of memory it is the Store's."""
    cdef Reader* reader
    tc_acquire(&s.lock)
    reader = s.readers[number]
    if reader == NULL:
        # To the end of a pair of cache lines, which are fetched together: its neighbours stay apart.
        reader = <Reader*> tc_lines_new((sizeof(Reader) + 127) & ~<size_t> 127)
        if reader == NULL:
            reader = &s.reader
        else:
            memset(reader, 0, sizeof(Reader))
        tc_publish_pointer(<void**> &s.readers[number], reader)
    tc_release(&s.lock)
    return reader


cdef inline uint64_t hits_of(Store* s) noexcept:
    cdef uint64_t hits = s.reader.hits
    cdef int k
    if FREE_THREADED:
        for k in range(TC_READERS):
            if s.readers[k] != NULL and s.readers[k] != &s.reader:
                hits += s.readers[k].hits
    return hits


cdef inline void forget_hits(Store* s) noexcept:
    """Sets the count to zero and forgets what was noted."""
    cdef int k
    s.reader.hits = s.reader.noted = 0
    if FREE_THREADED:
        for k in range(TC_READERS):
            if s.readers[k] != NULL:
                s.readers[k].hits = s.readers[k].noted = 0


cdef inline void free_readers(Store* s) noexcept:
    cdef int k
    if FREE_THREADED:
        for k in range(TC_READERS):
            if s.readers[k] != &s.reader:
                tc_lines_free(s.readers[k])


# -- the ring, and what stands for a policy that has no say ------------------------------------------

cdef inline void unlink(Store* s, Entry* e) noexcept nogil:
    at(s, e.prev).next = e.next
    at(s, e.next).prev = e.prev


cdef inline void link_first(Store* s, Entry* e, uint32_t i) noexcept nogil:
    cdef Entry* ring = at(s, 0)
    cdef uint32_t first = ring.next
    e.prev = 0
    e.next = first
    at(s, first).prev = i
    ring.next = i


cdef inline void move_first(char** chunks, size_t stride, Entry* e, uint32_t i) noexcept nogil:
    """Moves an entry to the front of the ring. Told what it needs, for writes might alias a Store."""
    cdef uint32_t prev = e.prev, next = e.next, first
    cdef Entry* ring
    if prev != 0:
        place(chunks, stride, prev).next = next
        place(chunks, stride, next).prev = prev
        ring = <Entry*> chunks[0]
        first = ring.next
        e.prev = 0
        e.next = first
        place(chunks, stride, first).prev = i
        ring.next = i


cdef inline void to_front(Store* s, uint32_t i) noexcept nogil:
    move_first(s.chunks, s.stride, at(s, i), i)


cdef inline void ring_moved(Store* s, uint32_t i) noexcept nogil:
    """Mends the ring after an entry has been copied to i."""
    at(s, at(s, i).prev).next = i
    at(s, at(s, i).next).prev = i


cdef inline void count_use(Store* s, Entry* e) noexcept nogil:
    cdef uint8_t* mark = mark_of(e)
    cdef uint8_t marked = tc_load_byte(mark)
    if (marked & 3) < s.counts:
        tc_store_byte(mark, marked + 1)


cdef inline void touch(Store* s, uint32_t i) noexcept nogil:
    """A use of entry i by whoever has seized the Store; order is kept only where there is a bound."""
    if s.on_hit & ~IDLES == COUNT:
        count_use(s, at(s, i))
    elif s.on_hit & ~IDLES != NOTHING:
        if s.policy.used != NULL:
            s.policy.used(s, i)
        else:
            to_front(s, i)


cdef inline uint32_t victim_of(Store* s) noexcept nogil:
    return s.policy.victim(s) if s.policy.victim != NULL else at(s, 0).prev


cdef inline uint32_t warmer_than(Store* s, uint32_t i) noexcept nogil:
    return s.policy.warmer(s, i) if s.policy.warmer != NULL else at(s, i).prev


cdef inline void leave_office(Store* s) noexcept nogil:
    if s.policy != NULL and s.policy.stop != NULL:
        s.policy.stop(s.state)


cdef inline bint take_office(Store* s, const Policy* policy) noexcept nogil:
    """A policy begins, knowing no entries; False if there is no memory."""
    cdef void* state = NULL
    if policy.start != NULL:
        state = policy.start()
        if state == NULL:
            return False
    leave_office(s)
    s.policy = policy
    s.state = state
    s.counts = policy.counts
    return True


cdef inline void enrol(Store* s, uint32_t i) noexcept nogil:
    """Tells the policy of an entry that is new to it."""
    mark_of(at(s, i))[0] = 0
    if s.policy.added != NULL:
        s.policy.added(s, i)
    else:
        link_first(s, at(s, i), i)


cdef inline void use(Store* s, uint32_t i, int64_t now) noexcept nogil:
    """A hit on entry i by whoever has seized the Store."""
    touch(s, i)
    if s.idle_at:
        wide(at(s, i), s.idle_at)[0] = later(now, s.idle_for)


cdef inline void keep_order(Store* s, bint wanted) noexcept nogil:
    """Decides what hits do for the policy."""
    s.on_hit = s.policy.on_hit if wanted else NOTHING
    if FREE_THREADED and s.on_hit == MOVE:
        s.on_hit = NOTE
    if s.idle_at:
        s.on_hit |= IDLES

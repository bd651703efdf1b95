# Which share of the window is best just now? Small caches that hold nothing but hashes try it out.
# The scheme and its parameters stand in `_core_py/policies/simulation.py`; here is how it is stored.
#
# A `Trial` is W-TinyLFU over at most 192 hashes, in arrays of its own: 2.6 KB, three to a table. Its
# places are numbered from 0; the numbers after the last are the beginning and end of its three
# queues, which are rings, so that linking needs no branches. Free places are a fourth list, linked
# by `chain`, as are the places whose hashes have one bucket.

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from policies.sketch cimport Sketch, frequency

cdef enum:
    PLACES = 192
    FEWEST = 64                  # if they become fewer, more keys take part
    SAMPLED = 32                 # the bit of a hash at which sampling looks
    BUCKETS = 256
    NO_PLACE = 255
    TRIALS = 3
    ALL = (1 << TRIALS) - 1
    STEP = 16                    # items that move on with one change

cdef enum:                       # the queues, here and in the table
    WINDOW
    PROBATION
    PROTECTED
    QUEUES

cdef struct Trial:
    uint32_t parts               # the window is one part in so many
    uint32_t used
    uint32_t lengths[QUEUES]
    uint64_t hashes[PLACES]
    uint8_t newer[PLACES + QUEUES]
    uint8_t older[PLACES + QUEUES]
    uint8_t queues[PLACES]
    uint8_t chain[PLACES]
    uint8_t buckets[BUCKETS]
    uint8_t free

cdef struct Simulation:
    uint32_t parts               # the leader's
    int leader
    uint32_t shift               # one key in 2^shift takes part
    uint64_t rest                # the bits that are 0 in a hash that does
    int32_t ahead[TRIALS]        # of the leader, in hits
    Trial trials[TRIALS]


cdef inline uint32_t window_of(uint32_t size, uint32_t parts) noexcept nogil:
    return max(size // parts, 1)


cdef inline void start_simulation(Simulation* m) noexcept nogil:
    cdef Trial* t
    cdef int k, j
    memset(m, 0, sizeof(Simulation))
    m.trials[0].parts = m.parts = 100
    m.trials[1].parts = 4
    m.trials[2].parts = 1
    for k in range(TRIALS):
        t = &m.trials[k]
        memset(t.buckets, NO_PLACE, BUCKETS)
        for j in range(PLACES):
            t.chain[j] = j + 1
        t.chain[PLACES - 1] = NO_PLACE
        for j in range(PLACES, PLACES + QUEUES):
            t.newer[j] = t.older[j] = j


# -- a trial's queues -------------------------------------------------------------------------------

cdef inline void trial_unlink(Trial* t, uint32_t i) noexcept nogil:
    t.newer[t.older[i]] = t.newer[i]
    t.older[t.newer[i]] = t.older[i]
    t.lengths[t.queues[i]] -= 1


cdef inline void trial_link(Trial* t, uint32_t i, uint32_t queue) noexcept nogil:
    """Makes i the newest of a queue."""
    cdef uint32_t end = PLACES + queue
    cdef uint32_t newest = t.older[end]
    t.queues[i] = queue
    t.newer[i] = end
    t.older[i] = newest
    t.newer[newest] = i
    t.older[end] = i
    t.lengths[queue] += 1


cdef inline uint32_t trial_oldest(Trial* t, uint32_t queue) noexcept nogil:
    return t.newer[PLACES + queue]


cdef inline uint32_t trial_find(Trial* t, uint64_t x) noexcept nogil:
    cdef uint32_t i = t.buckets[x >> 56]
    while i != NO_PLACE and t.hashes[i] != x:
        i = t.chain[i]
    return i


cdef inline void trial_remove(Trial* t, uint32_t i) noexcept nogil:
    cdef uint8_t* link = &t.buckets[t.hashes[i] >> 56]
    trial_unlink(t, i)
    while link[0] != i:
        link = &t.chain[link[0]]
    link[0] = t.chain[i]
    t.chain[i] = t.free
    t.free = i
    t.used -= 1


cdef inline void trial_demote(Trial* t, uint32_t main) noexcept nogil:
    cdef uint32_t i, steps = STEP
    while steps and t.lengths[PROTECTED] > main * 4 // 5:
        i = trial_oldest(t, PROTECTED)
        trial_unlink(t, i)
        trial_link(t, i, PROBATION)
        steps -= 1


cdef inline uint32_t trial_victim(Trial* t, uint32_t size, Sketch* k) noexcept nogil:
    cdef uint32_t new = trial_oldest(t, WINDOW)
    cdef uint32_t old = trial_oldest(t, PROBATION if t.lengths[PROBATION] else PROTECTED)
    if new >= PLACES or old >= PLACES:
        return old if new >= PLACES else new
    if t.lengths[WINDOW] < window_of(size, t.parts):
        return old
    return old if frequency(k, t.hashes[new]) > frequency(k, t.hashes[old]) + 1 else new


cdef inline void trial_add(Trial* t, uint64_t x, uint32_t size) noexcept nogil:
    cdef uint32_t i = t.free, steps = STEP, window = window_of(size, t.parts)
    cdef uint8_t* bucket = &t.buckets[x >> 56]
    t.free = t.chain[i]
    t.hashes[i] = x
    t.chain[i] = bucket[0]
    bucket[0] = i
    t.used += 1
    trial_link(t, i, WINDOW)
    while steps and t.lengths[WINDOW] > window:
        i = trial_oldest(t, WINDOW)
        trial_unlink(t, i)
        trial_link(t, i, PROBATION)
        steps -= 1
    trial_demote(t, size - window)


cdef inline bint trial_hits(Trial* t, uint64_t x, uint32_t size, Sketch* k) noexcept nogil:
    """Sees to one request; whether its key was there."""
    cdef uint32_t i = trial_find(t, x), queue
    if i == NO_PLACE:
        while t.used >= size:
            trial_remove(t, trial_victim(t, size, k))
        trial_add(t, x, size)
        return False
    queue = t.queues[i]
    trial_unlink(t, i)
    trial_link(t, i, WINDOW if queue == WINDOW else PROTECTED)
    if queue == PROBATION:
        trial_demote(t, size - window_of(size, t.parts))
    return True


# -- all of them -------------------------------------------------------------------------------------

cdef inline void sample(Simulation* m, uint32_t size) noexcept nogil:
    """Decides how many keys take part; those that no more do are forgotten."""
    cdef int k, queue
    cdef uint32_t i, newer
    cdef Trial* t
    while size >> m.shift > PLACES:
        m.shift += 1
    while m.shift and size >> m.shift < FEWEST:
        m.shift -= 1
    m.rest = ((<uint64_t> 1 << m.shift) - 1) << SAMPLED
    for k in range(TRIALS):
        t = &m.trials[k]
        for queue in range(QUEUES):
            i = trial_oldest(t, queue)
            while i < PLACES:
                newer = t.newer[i]
                if t.hashes[i] & m.rest:
                    trial_remove(t, i)
                i = newer


cdef inline void judge(Simulation* m, uint32_t hits, int32_t n) noexcept nogil:
    """Somebody hit where somebody else missed."""
    cdef int32_t least = -(n // 5), most = 0
    cdef int32_t leaders = hits >> m.leader & 1
    cdef int k, best = m.leader
    for k in range(TRIALS):
        m.ahead[k] = max(m.ahead[k] + <int32_t> (hits >> k & 1) - leaders, least)
        if m.ahead[k] > most:
            most = m.ahead[k]
            best = k
    if most > 3 * n // 5:
        for k in range(TRIALS):
            m.ahead[k] = max(m.ahead[k] - most, least)
        m.leader = best
        m.parts = m.trials[best].parts


cdef inline void look_on(Simulation* m, Sketch* sketch, uint64_t x, uint32_t size) noexcept nogil:
    """Lets a request pass by, of a key that takes part as far as `rest` tells.

    `x` is the key's hash, spread; `size` is the real cache's.
    """
    cdef uint32_t n = size >> m.shift, hits = 0
    cdef int k
    if n > PLACES or (n < FEWEST and m.shift):
        sample(m, size)
        n = size >> m.shift
        if x & m.rest:
            return
    for k in range(TRIALS):
        hits |= <uint32_t> trial_hits(&m.trials[k], x, n, sketch) << k
    if 0 < hits < ALL:
        judge(m, hits, n)

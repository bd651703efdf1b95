# Random: any entry may leave, all with the same chance.
#
# Entries lie densely, so a random number is an entry. The numbers are Marsaglia's xorshift64*
# (2003; the multiplier is Vigna's, 2016). They begin where the table lies in memory, and need
# guard no secret.

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from store cimport Policy, Store


cdef inline void* random_start() noexcept nogil:
    cdef uint64_t* state = <uint64_t*> malloc(sizeof(uint64_t))
    if state != NULL:
        state[0] = <uint64_t> <size_t> state * <uint64_t> 0x9E3779B97F4A7C15 | 1
    return state


cdef inline void random_stop(void* state) noexcept nogil:
    free(state)


cdef inline uint32_t random_victim(Store* s) noexcept nogil:
    cdef uint64_t* state = <uint64_t*> s.state
    cdef uint64_t x = state[0]
    x ^= x >> 12
    x ^= x << 25
    x ^= x >> 27
    state[0] = x
    return 1 + <uint32_t> ((x * <uint64_t> 0x2545F4914F6CDD1D >> 32) * s.used >> 32)


cdef inline void fill_random(Policy* p) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.name = b"random"
    p.start = &random_start
    p.stop = &random_stop
    p.victim = &random_victim

# FIFO: the entry that came first leaves first; hits and being stored again change nothing.
#
# The ring as it is. Unbounded tables have it too, whatever their policy: order of insertion.

from libc.string cimport memset

from store cimport Policy


cdef inline void fill_fifo(Policy* p) noexcept nogil:
    memset(p, 0, sizeof(Policy))
    p.name = b"fifo"

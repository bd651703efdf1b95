# What stands outside of a table and points into it: the objects whose methods were called, and
# the computations that are on their way.

@cython.final
@cython.no_gc_clear
cdef class Owner(ReferenceType):
    """The object whose method was called, held weakly; head of the chain of its entries."""

    cdef Table table
    cdef size_t ident
    cdef uint32_t head              # 0 while it has no entries
    cdef bint listed                # in the table's `owners`


def _owner_died(Owner owner not None):
    """Called by the interpreter when an owner's object dies, in any thread, also in a collection."""
    if owner.table is not None:     # None: a copy that somebody made by its type
        owner.table.disown(owner)


cdef object owner_died = _owner_died


@cython.final
@cython.no_gc_clear
cdef class Flight:
    """A flight that outlives a C call: for coroutines and `refresh`."""

    cdef FlightLink link
    cdef Table table
    cdef object key
    cdef bint flying

    def __dealloc__(self):
        self.end()

    cdef void end(self) noexcept:
        cdef Store* s
        if self.table is None:
            return
        s = &self.table.store
        tc_acquire(&s.lock)
        if self.flying:
            self.flying = False
            touch_down(s, &self.link)
        tc_release(&s.lock)

    @property
    def grounded(self):
        return bool(self.link.grounded)

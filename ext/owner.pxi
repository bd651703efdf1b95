# What stands outside of a table and points into it: the objects whose methods were called, and
# the computations that are on their way.

@cython.final
@cython.no_gc_clear
cdef class Owner(ReferenceType):
    """The object whose method was called, held weakly; head of the chain of its entries."""

    cdef Table table
    cdef size_t ident
    cdef uint32_t head


def _owner_died(Owner owner not None):
    """Called by the interpreter when an owner's object dies, in any thread, also in a collection."""
    owner.table.disown(owner)


@cython.final
@cython.no_gc_clear
cdef class Flight:
    """A flight that outlives a C call: for coroutines and `refresh`."""

    cdef FlightLink link
    cdef Table table
    cdef object key
    cdef bint landed

    def __dealloc__(self):
        self.end()

    cdef void end(self) noexcept:
        if not self.landed:
            self.landed = True
            tc_acquire(&self.table.store.lock)
            touch_down(&self.table.store, &self.link)
            tc_release(&self.table.store.lock)

    @property
    def grounded(self):
        return bool(self.link.grounded)

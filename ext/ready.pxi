# The awaitable that a hit of a coroutine function gives.

@cython.final
@cython.no_gc
@cython.freelist(32)
cdef class Ready:
    """What a hit of a coroutine function gives to await: passes wherever a coroutine does."""

    cdef object value
    cdef bint awaited

    def __dealloc__(self):
        tc_forget_stop()

    def __await__(self):
        return self

    def __iter__(self):
        return self

    def __next__(self):
        return self.send(None)

    def send(self, _):
        """Raises StopIteration with the value, as a coroutine that returns at once."""
        if ready_next(<PyObject*> self) == NULL:
            raise_again()

    def throw(self, kind, value=None, traceback=None):
        """Raises what is thrown, as a coroutine that hasn't begun."""
        self.awaited = True
        self.value = None
        if value is None:
            raise kind
        raise value if isinstance(value, BaseException) else kind(value)

    def close(self):
        """Does away with the value."""
        self.awaited = True
        self.value = None


cdef PyObject* ready_next(PyObject* self) noexcept:
    cdef Ready ready = <Ready> self
    if ready.awaited:
        set_reused()
        return NULL
    ready.awaited = True
    tc_raise_stop(<PyObject*> ready.value)
    return NULL


cdef PySendResult ready_send(PyObject* self, PyObject* _, PyObject** result) noexcept:
    cdef Ready ready = <Ready> self
    if ready.awaited:
        set_reused()
        result[0] = NULL
        return PYGEN_ERROR
    ready.awaited = True
    result[0] = <PyObject*> ready.value
    tc_own(result[0])
    return PYGEN_RETURN

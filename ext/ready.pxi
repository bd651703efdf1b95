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
        cdef PyObject* taken = NULL
        if not take_value(self, &taken):
            raise_again()
        value = <object> taken
        tc_drop(taken)
        raise StopIteration(value)      # one of its own: it is for somebody to look at

    def throw(self, kind, value=None, traceback=None):
        """Raises what is thrown, as a coroutine that hasn't begun."""
        if not take_value(self, NULL):
            raise_again()
        if value is None:
            value = kind() if isinstance(kind, type) else kind
        elif not isinstance(value, BaseException):
            value = kind(value)
        raise value if traceback is None else value.with_traceback(traceback)

    def close(self):
        """Does away with the value."""
        if not take_value(self, NULL):
            PyErr_Clear()


cdef bint take_value(Ready ready, PyObject** value) noexcept:
    """Gives away the value, the first time; from then on sets an exception.

    It isn't kept: a task that is done holds on to what it awaited, and the value may hold the task.
    """
    cdef object given = None
    cdef bint awaited
    with cython.critical_section(ready):
        awaited = ready.awaited
        if not awaited:
            ready.awaited = True
            given, ready.value = ready.value, given
    if awaited:
        set_reused()
        return False
    if value != NULL:
        value[0] = <PyObject*> given
        tc_own(value[0])
    return True


cdef PyObject* ready_next(PyObject* self) noexcept:
    cdef PyObject* value = NULL
    if take_value(<Ready> self, &value):
        tc_raise_stop(value)
        tc_drop(value)
    return NULL


cdef PySendResult ready_send(PyObject* self, PyObject* _, PyObject** result) noexcept:
    result[0] = NULL
    return PYGEN_RETURN if take_value(<Ready> self, result) else PYGEN_ERROR

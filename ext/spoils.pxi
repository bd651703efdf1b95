# What has left a table in one operation, until nobody's lock is held: then the listener is told, and
# the references are dropped. Both may run anybody's code.

cdef enum:                          # why
    EXPIRED
    SIZE
    EXPLICIT
    REPLACED
    COLLECTED
    CLOSED
    UNTOLD                          # stored again over itself

cdef tuple CAUSES = ("expired", "size", "explicit", "replaced", "collected", "closed")

cdef struct Spoils:                 # records of a cause, a value and the key's objects
    PyObject** records
    uint32_t size                   # pointers in a record
    uint32_t n
    uint32_t room
    bint apart                      # `records` is a memory of its own

cdef enum:
    CROWD = 512                     # records that are dealt with before more are gathered


cdef inline void no_spoils(Spoils* spoils, uint32_t size, PyObject** first) noexcept:
    """Begins with room for one record, which the caller has on its stack."""
    spoils.records = first
    spoils.size = size
    spoils.n = 0
    spoils.room = 1
    spoils.apart = False


cdef bint more_room(Spoils* spoils) noexcept:
    cdef size_t size = spoils.size * sizeof(void*)
    cdef PyObject** more = <PyObject**> malloc(8 * size * spoils.room)
    if more == NULL:
        return False
    memcpy(more, spoils.records, size * spoils.n)
    if spoils.apart:
        free(spoils.records)
    spoils.records = more
    spoils.apart = True
    spoils.room *= 8
    return True


cdef inline PyObject** one_more(Spoils* spoils, int cause) noexcept:
    """The place for a value and a key; NULL if there is no memory."""
    cdef PyObject** more
    if tc_unlikely(spoils.n == spoils.room) and not more_room(spoils):
        return NULL
    more = spoils.records + <size_t> spoils.size * spoils.n
    more[0] = <PyObject*> <size_t> cause
    spoils.n += 1
    return more + 1


cdef void settle(Table table, Spoils* spoils) noexcept:
    """Tells of all records and drops what they refer to. An exception that is set stays set."""
    cdef PyObject* kind = NULL
    cdef PyObject* error = NULL
    cdef PyObject* traceback = NULL
    cdef PyObject** record
    cdef uint32_t k, j
    if tc_likely(spoils.n == 0):
        return
    if table.on_removal is not None:
        PyErr_Fetch(&kind, &error, &traceback)
        for k in range(spoils.n):
            record = spoils.records + <size_t> k * spoils.size
            tell(table, record + 1, <int> <size_t> record[0])
        PyErr_Restore(kind, error, traceback)
    for k in range(spoils.n):
        record = spoils.records + <size_t> k * spoils.size
        for j in range(1, spoils.size):
            tc_drop(record[j])
    spoils.n = 0
    if spoils.apart:
        free(spoils.records)
        spoils.records = NULL
        spoils.room = 0


cdef void tell(Table table, PyObject** record, int cause) noexcept:
    """Calls the listener; an error that it raises is nobody's, Python reports it."""
    cdef object listener = table.on_removal
    cdef PyObject* answer
    if listener is None or cause == UNTOLD:
        return
    answer = PyObject_CallObject(
        <PyObject*> listener,
        (table.show(record + 1, None), <object> record[0], CAUSES[cause]),
    )
    if answer == NULL:
        PyErr_WriteUnraisable(<PyObject*> listener)
    else:
        tc_drop(answer)

# Call shapes: how the keywords and defaults of a call become a key, worked out once.

cdef extern from "gate.h":
    Shape* load_shape "tc_load_pointer"(Shape**) noexcept
    void publish_shape "tc_publish_pointer"(Shape**, Shape*) noexcept


# -- call shapes ---------------------------------------------------------------------------------------

cdef Shape* find_shape(GateCore* core, Py_ssize_t nargs, PyObject* kwnames) noexcept:
    """A remembered shape: by the identity of the names' tuple first, then by the names."""
    cdef int known = tc_load(&core.shapes), i
    cdef Py_ssize_t j, named
    cdef Shape* shape
    for i in range(known):
        shape = core.shape[i]
        if shape.kwnames == kwnames and shape.nargs == nargs:
            return shape
    if kwnames == NULL:
        return NULL
    named = PyTuple_GET_SIZE(kwnames)
    for i in range(known):
        shape = core.shape[i]
        if shape.nargs != nargs or shape.kwnames == NULL:
            continue
        if PyTuple_GET_SIZE(shape.kwnames) != named:
            continue
        for j in range(named):
            if tc_same(PyTuple_GET_ITEM(shape.kwnames, j), PyTuple_GET_ITEM(kwnames, j)) != 1:
                break
        else:
            return shape
    return NULL


cdef Shape* shape_for(
    Gate gate, Py_ssize_t nargs, PyObject* kwnames, bint remember
) except? NULL:
    """Works out how a call becomes a key; NULL if it doesn't fit the function's signature.

    The gate remembers the first few that it was told to; `forget_shape` frees the others.
    """
    cdef GateCore* core = &gate.core
    cdef Shape* shape
    cdef Table table = gate.table
    cdef object plan = gate.plan
    cdef list sources = read_shape(gate, nargs, <object> kwnames if kwnames != NULL else ())
    cdef list constants = []
    cdef Py_ssize_t j, n
    if sources is None:
        return NULL
    n = len(sources)
    if table.exact >= 0 and n != table.exact:
        raise misfit(n, table.exact)
    shape = <Shape*> malloc(sizeof(Shape) + n * sizeof(int32_t))
    if shape == NULL:
        raise MemoryError
    for j in range(n):
        source = sources[j]
        if type(source) is tuple:
            constants.append(source[0])
            shape.source[j] = -len(constants)
        else:
            shape.source[j] = source
    held = tuple(constants)
    tc_own(<PyObject*> held)
    shape.constants = <PyObject*> held
    shape.kwnames = kwnames
    if kwnames != NULL:
        tc_own(kwnames)
    shape.nargs = nargs
    shape.n = n
    shape.straight = sources == list(range(n))
    tc_acquire(&table.store.lock)
    # Reading the plan may have run code that configured the gate anew.
    shape.remembered = (
        remember and core.shapes < SHAPES and gate.plan is plan and core.store == &table.store
    )
    if shape.remembered:
        publish_shape(&core.shape[core.shapes], shape)
        tc_publish(&core.shapes, core.shapes + 1)
    tc_release(&table.store.lock)
    return shape


cdef object misfit(Py_ssize_t n, Py_ssize_t width):
    return ValueError(f"keys of {n} objects don't fit a table of width {width}")


cdef list read_shape(Gate gate, Py_ssize_t nargs, tuple kwnames):
    """Where each object of the key comes from: an argument's number, TYPE_OF one, or (constant,)."""
    plan = gate.plan
    cdef tuple names = plan.names
    cdef Py_ssize_t i, taken = 0, positional = min(nargs, plan.positional)
    cdef list values = [], key
    cdef dict places = dict(zip(kwnames, range(nargs, nargs + len(kwnames))))   # of keywords
    cdef list extra = []
    if nargs > plan.positional and not plan.varargs:
        return None
    for i in range(len(names)):
        name = names[i]
        if i < positional:
            source = i
        elif i >= plan.positional_only and name in places:
            source = places[name]
            taken += 1
        elif i in plan.defaults:
            source = (plan.defaults[i],)
        else:
            return None
        if i not in plan.ignored:
            values.append(source)
    if taken != len(kwnames):
        known = names[plan.positional_only:]
        extra = sorted([name for name in kwnames if name not in known])
        if taken + len(extra) != len(kwnames) or (extra and not plan.varkw):
            return None
    if plan.keep_args:
        values += range(plan.positional, nargs)
    key = list(values)
    if extra and plan.keep_kwargs:
        key.append((THE_MARK,))
        for name in extra:
            source = places[name]
            key += ((name,), source)
            values.append(source)
    if gate.typed:
        for source in values:
            key.append((type(source[0]),) if type(source) is tuple else source + TYPE_OF)
    return key


cdef inline void fill(Shape* shape, PyObject** args, PyObject** items) noexcept:
    cdef Py_ssize_t j
    cdef int32_t source
    for j in range(shape.n):
        source = shape.source[j]
        if source < 0:
            items[j] = PyTuple_GET_ITEM(shape.constants, -source - 1)
        elif source < TYPE_OF:
            items[j] = args[source]
        else:
            items[j] = <PyObject*> Py_TYPE(args[source - TYPE_OF])


cdef void forget_shape(Shape* shape) noexcept:
    if not shape.remembered:
        free_shape(shape)


cdef void free_shape(Shape* shape) noexcept:
    if shape.kwnames != NULL:
        tc_drop(shape.kwnames)
    tc_drop(shape.constants)
    free(shape)

# Gate: the callable object, and how it is configured.

cdef struct Shape:                  # how a call with these names becomes a key
    PyObject* kwnames               # owned, or NULL
    PyObject* constants             # owned tuple
    bint remembered
    bint straight                   # the arguments as they come are the key
    Shape* older                    # of an earlier configuration
    Py_ssize_t nargs
    Py_ssize_t n
    int32_t source[1]

cdef enum:
    SHAPES = 16                     # call shapes a gate remembers
    TYPE_OF = 1 << 30               # source: the type of argument (source - TYPE_OF)

cdef struct GateCore:
    vectorcallfunc call
    Py_ssize_t least                # positional calls with this many arguments …
    size_t span                     # … up to this many more are their own key
    Store* store
    bint plain                      # keys of fixed width, nothing held weakly
    bint lone                       # functools' rule for one int or str
    bint special                    # hits pass a copier or are awaited
    int shapes
    PyObject* function
    Shape* shape[SHAPES]            # `shapes` of them, the others NULL
    Shape* outlived


@cython.no_gc_clear
cdef class Gate:
    """The callable that stands in for a function. See `_core_py.Gate`."""

    cdef GateCore core
    cdef readonly object function
    cdef readonly Table table
    cdef object key, copier, decide, on_miss, on_key_error
    cdef bint typed, awaitable
    cdef object plan
    cdef list outlived              # what earlier configurations owned

    def __cinit__(self):
        self.core.call = <vectorcallfunc> &gate_unready

    def __init__(
        self,
        function,
        Table table not None,
        *,
        plan=None,
        bint typed=False,
        key=None,
        copier=None,
        bint awaitable=False,
        decide=None,
        on_miss=None,
        on_key_error=None,
    ):
        cdef GateCore* core = &self.core
        cdef Py_ssize_t least, most
        # A call in flight may still use what an earlier configuration owned.
        if core.function != NULL:
            if self.outlived is None:
                self.outlived = []
            self.outlived.append((self.function, self.table, self.key, self.copier, self.decide,
                                  self.on_miss, self.on_key_error))
        self.function = function
        self.table = table
        self.key = key
        self.copier = copier
        self.decide = decide
        self.on_miss = on_miss
        self.on_key_error = on_key_error
        self.typed = typed
        self.awaitable = awaitable
        self.plan = plan
        core.function = <PyObject*> function
        core.store = &table.store
        core.special = copier is not None or awaitable
        core.plain = not table.store.packed and not table.store.weak
        core.lone = plan is None and not typed and key is None
        while core.shapes:
            core.shapes -= 1
            core.shape[core.shapes].older = core.outlived
            core.outlived = core.shape[core.shapes]
            core.shape[core.shapes] = NULL
        # As in the pure core; an empty range is spelled -1.
        core.least, core.span = -1, 0
        if typed or key is not None:
            pass
        elif plan is None:
            core.least, core.span = 0, PY_SSIZE_T_MAX
        else:
            least = plan.least
            most = plan.most
            if least <= most and not (table.store.weak and least == 0):
                core.least, core.span = least, most - least
        core.call = entry_for(core, plan is None)

    def __dealloc__(self):
        cdef Shape* shape
        while self.core.shapes:
            self.core.shapes -= 1
            free_shape(self.core.shape[self.core.shapes])
        while self.core.outlived != NULL:
            shape = self.core.outlived
            self.core.outlived = shape.older
            free_shape(shape)

    def __call__(self, /, *args, **kwargs):
        return PyVectorcall_Call(self, args, kwargs)

    def __get__(self, instance, owner):
        return self if instance is None else MethodType(self, instance)

    def bind(self, tuple args not None, dict kwargs not None):
        cdef Py_ssize_t n = len(args), j
        cdef tuple names = tuple(kwargs)
        cdef tuple given = args + tuple(kwargs.values())
        cdef Shape* shape
        cdef PyObject** items
        if self.key is not None:
            return (self.key(*args, **kwargs),)
        if self.plan is None:
            if self.core.lone and n == 1 and not kwargs and type(args[0]) in (int, str):
                return args[0]
            return self.pattern(given, n, names)
        shape = shape_for(self, n, <PyObject*> names if names else NULL)
        if shape == NULL:
            return None
        try:
            items = <PyObject**> tc_alloca((shape.n + 1) * sizeof(void*))
            fill(shape, items_of(<PyObject*> given), items)
            return tuple([<object> items[j] for j in range(shape.n)])
        finally:
            forget_shape(shape)

    cdef tuple pattern(self, tuple given, Py_ssize_t n, tuple names):
        cdef list key = list(given[:n])
        if names:
            key.append(MARK)
            for pair in zip(names, given[n:]):
                key += pair
        if self.typed:
            key += map(type, given)
        return tuple(key)

    def through(self, key, tuple args not None, dict kwargs not None):
        cdef Look look
        cdef Call call
        cdef PyObject* value
        cdef tuple given = args + tuple(kwargs.values())
        cdef tuple names = tuple(kwargs)
        call.args = items_of(<PyObject*> given)
        call.nargsf = len(args)
        call.kwnames = <PyObject*> names if names else NULL
        view(self.core.store, key, &look)
        look.now = self.table.read_clock() if self.core.store.detour & WATCHFUL else UNREAD
        value = hash_and_answer(<PyObject*> self, &self.core, &look, &call)
        if value == NULL:
            raise_again()
        result = <object> value
        tc_drop(value)
        return result

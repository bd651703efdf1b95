/* Every trick on the C API that the core needs, each with its reason.

   The .pyx and .pxd files say what the core does; this file says how CPython lets it be done
   fast, version by version (3.10 to 3.15, with and without the GIL). Longer than 400 lines since
   half of it are reasons, and a trick that stood elsewhere would be looked for here. */

#ifndef TWAT_CACHE_GATE_H
#define TWAT_CACHE_GATE_H

#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(_WIN32)
#include <malloc.h>
#include <windows.h>
#define tc_alloca _alloca
#else
#include <sched.h>
#include <sys/mman.h>
#define tc_alloca __builtin_alloca
#endif
#if defined(_MSC_VER)
#include <intrin.h>
#endif

#if defined(__GNUC__) || defined(__clang__)
#define tc_prefetch(address) __builtin_prefetch((address), 1)
#define tc_likely(x) __builtin_expect(!!(x), 1)
#define tc_unlikely(x) __builtin_expect(!!(x), 0)
#define TC_APART __attribute__((noinline))
#else
#define tc_prefetch(address) ((void)(address))
#define tc_likely(x) (x)
#define tc_unlikely(x) (x)
#define TC_APART
#endif

/* ---- Locks ---------------------------------------------------------------------------------
   Under the GIL our C code is never interrupted, so a lock would only cost. Without it a PyMutex
   (one byte, public since 3.13) guards each table, and a latch each of its Readers; order.pxd tells
   who takes which. A policy's mark in an entry may be written by several hits at once: relaxed
   atomics, a lost count does no harm.

   A latch is an int that is 1 while somebody is inside. It is left by a plain store, a second locked
   instruction spared, a quarter of a hit. A hit keeps it for some nanoseconds and can't be suspended
   meanwhile, neither for a collection nor for a fork, as it might be while waiting for a PyMutex. So
   who seizes just tries again. A hit that finds its latch taken for long waits for the table's lock,
   asleep: whoever keeps a latch for long has that one, too.

   Threads are numbered as they come, to find their Reader. With glibc the number lies at a fixed
   distance from the thread's own pointer; elsewhere (musl) a library that was loaded late can't
   have that, and a call finds it. */

#ifdef Py_GIL_DISABLED
#define TC_FREE_THREADED 1
typedef PyMutex tc_lock;
#define tc_acquire(lock) PyMutex_Lock(lock)
#define tc_release(lock) PyMutex_Unlock(lock)
#define tc_load(pointer) _Py_atomic_load_int_acquire(pointer)
#define tc_publish(pointer, value) _Py_atomic_store_int_release((pointer), (value))
#define tc_load_pointer(pointer) _Py_atomic_load_ptr_acquire(pointer)
#define tc_publish_pointer(pointer, value) _Py_atomic_store_ptr_release((pointer), (value))
#define tc_load_byte(pointer) _Py_atomic_load_uint8_relaxed(pointer)
#define tc_store_byte(pointer, value) _Py_atomic_store_uint8_relaxed((pointer), (uint8_t)(value))
#define tc_store_wide(pointer, value) _Py_atomic_store_int64_relaxed((pointer), (value))
#define TC_READERS 16
#define TC_NOTES 256

static inline int tc_try_lock(tc_lock *lock)
{
    uint8_t expected = 0;
    return _Py_atomic_compare_exchange_uint8(&lock->_bits, &expected, 1);
}

typedef int tc_latch;
#define tc_try(latch) (_Py_atomic_exchange_int((latch), 1) == 0)
#define tc_unlatch(latch) _Py_atomic_store_int_release((latch), 0)

static inline void tc_yield(void)
{
#if defined(_WIN32)
    SwitchToThread();
#else
    sched_yield();
#endif
}

/* Takes a latch that was taken; `lock` is the table's, NULL for who has it. */
static TC_APART void tc_wait(tc_latch *latch, tc_lock *lock)
{
    for (int turns = 1;; turns++) {
        if (_Py_atomic_load_int_relaxed(latch) == 0 && tc_try(latch))
            return;
        if (turns % 64 == 0) {
            if (lock != NULL) {
                tc_acquire(lock);
                tc_release(lock);
            }
            tc_yield();
        }
    }
}

#if defined(_MSC_VER)
#define TC_THREAD_LOCAL static __declspec(thread)
#elif defined(__GLIBC__)
#define TC_THREAD_LOCAL static __thread __attribute__((tls_model("initial-exec")))
#else
#define TC_THREAD_LOCAL static __thread
#endif

static uint32_t tc_threads;
TC_THREAD_LOCAL uint32_t tc_thread;

static inline uint32_t tc_thread_number(void)
{
    if (tc_unlikely(tc_thread == 0))
        tc_thread = _Py_atomic_add_uint32(&tc_threads, 1) + 1;
    return tc_thread;
}
#else
#define TC_FREE_THREADED 0
typedef char tc_lock;
typedef char tc_latch;
#define tc_try_lock(lock) ((void)(lock), 1)
#define tc_try(latch) ((void)(latch), 1)
#define tc_unlatch(latch) ((void)(latch))
#define tc_wait(latch, lock) ((void)(latch), (void)(lock))
#define tc_acquire(lock) ((void)(lock))
#define tc_release(lock) ((void)(lock))
#define tc_load(pointer) (*(pointer))
#define tc_publish(pointer, value) (*(pointer) = (value))
#define tc_load_pointer(pointer) (*(pointer))
#define tc_publish_pointer(pointer, value) (*(pointer) = (value))
#define tc_load_byte(pointer) (*(pointer))
#define tc_store_byte(pointer, value) (*(pointer) = (uint8_t)(value))
#define tc_store_wide(pointer, value) (*(pointer) = (value))
#define TC_READERS 1
#define TC_NOTES 64
#define tc_thread_number() 0u
#endif

/* ---- Clock ---------------------------------------------------------------------------------
   Nanoseconds of the cheapest monotonic clock. Linux's coarse clock (a step of 1 to 4 ms) is
   read from memory that the kernel shares, 3 to 5 ns; the precise one takes 19 to 25 ns. */

static inline int64_t tc_now(void)
{
#if defined(CLOCK_MONOTONIC_COARSE)
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
#elif defined(__APPLE__)
    return (int64_t)clock_gettime_nsec_np(CLOCK_MONOTONIC_RAW_APPROX);
#elif defined(_WIN32)
    return (int64_t)GetTickCount64() * 1000000;
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
#endif
}

/* ---- Memory --------------------------------------------------------------------------------
   Entries begin at cache lines, so that one of 32 bytes never lies across two of them. */

static inline void *tc_lines_new(size_t size)
{
#if defined(_WIN32)
    return _aligned_malloc(size, 64);
#else
    void *memory;
    return posix_memalign(&memory, 64, size) ? NULL : memory;
#endif
}

static inline void tc_lines_free(void *memory)
{
#if defined(_WIN32)
    _aligned_free(memory);
#else
    free(memory);
#endif
}

/* Arrays that are all zero. Large ones are pages that the system gives as they are touched, so that
   none of it is written before it is used, and that can be given back piece by piece: a piece that
   is done is never read again but for zeros, or what stood in it. Large pages were tried, too: hits
   at random in ten million entries took 15 % less time, but where the memory of a virtual machine
   isn't backed yet, the first touch of each takes 5 ms. */

#if !defined(_WIN32) && !defined(MAP_ANONYMOUS)
#define MAP_ANONYMOUS MAP_ANON
#endif
#define TC_LARGE ((size_t)1 << 20)

static inline void *tc_zeros_new(size_t size)
{
#if !defined(_WIN32)
    if (size >= TC_LARGE) {
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return memory == MAP_FAILED ? NULL : memory;
    }
#endif
    return calloc(1, size);
}

static inline void tc_zeros_done(char *piece, size_t size)
{
#if !defined(_WIN32)
    madvise(piece, size, MADV_DONTNEED);
#endif
}

static inline void tc_zeros_free(void *memory, size_t size)
{
#if !defined(_WIN32)
    if (size >= TC_LARGE && memory != NULL) {
        munmap(memory, size);
        return;
    }
#endif
    free(memory);
}

/* Room for pointers that a call needs while it lasts: on the stack if they are few, so that it
   costs nothing; on the heap if f(*range(1000000)) needs them, where the stack would overflow.
   Given back by tc_vacate; NULL if there is no memory. Macros, since alloca is its caller's. */

#define TC_FEW 256
#define tc_room(n) \
    ((size_t)(n) <= TC_FEW ? (PyObject **)tc_alloca(((size_t)(n) + 1) * sizeof(PyObject *)) \
                           : (PyObject **)malloc(((size_t)(n) + 1) * sizeof(PyObject *)))
#define tc_vacate(room, n) ((size_t)(n) <= TC_FEW ? (void)0 : free(room))

/* The byte of a hash that is an entry's mark. */
#if PY_BIG_ENDIAN
#define tc_lowest_byte(hash) ((uint8_t *)(hash) + 7)
#else
#define tc_lowest_byte(hash) ((uint8_t *)(hash))
#endif

#if defined(_MSC_VER)
static inline int tc_leading_zeros(uint32_t x)
{
    unsigned long i;
    return _BitScanReverse(&i, x) ? 31 - (int)i : 32;
}
static inline int tc_trailing_zeros(uint64_t x)
{
    unsigned long i;
    return _BitScanForward64(&i, x) ? (int)i : 64;
}
#else
#define tc_leading_zeros(x) ((x) ? __builtin_clz(x) : 32)
#define tc_trailing_zeros(x) ((x) ? __builtin_ctzll(x) : 64)
#endif

/* ---- Keys ----------------------------------------------------------------------------------
   An int below the modulus of Python's hashes, 2^61 - 1, is its own hash (-1 hashes as -2), and a
   str remembers its hash: both spare a call. A compact int's value, of one digit, is public API
   since 3.12; before, it is the first digit. Ids and times often take two digits of 30 bits. */

#if PY_VERSION_HEX >= 0x030C0000
#define tc_is_compact(o) PyUnstable_Long_IsCompact((PyLongObject *)(o))
#define tc_compact_value(o) PyUnstable_Long_CompactValue((PyLongObject *)(o))
#else
#define tc_is_compact(o) ((size_t)(Py_SIZE(o) + 1) <= 2)
#define tc_compact_value(o) (Py_SIZE(o) * (Py_ssize_t)((PyLongObject *)(o))->ob_digit[0])
#endif

#if PY_VERSION_HEX >= 0x030C0000
#define tc_digits(o) (((PyLongObject *)(o))->long_value.ob_digit)
#define tc_two_digits(o) ((((PyLongObject *)(o))->long_value.lv_tag >> 3) == 2)
#define tc_is_negative(o) (((PyLongObject *)(o))->long_value.lv_tag & 2)
#else
#define tc_digits(o) (((PyLongObject *)(o))->ob_digit)
#define tc_two_digits(o) (Py_SIZE(o) == 2 || Py_SIZE(o) == -2)
#define tc_is_negative(o) (Py_SIZE(o) < 0)
#endif

/* The value of an exact int of one digit or two; 0 if it has more. */
static inline int tc_short_value(PyObject *o, Py_hash_t *value)
{
    if (tc_likely(tc_is_compact(o))) {
        *value = tc_compact_value(o);
        return 1;
    }
#if PYLONG_BITS_IN_DIGIT == 30 && SIZEOF_VOID_P == 8
    if (tc_two_digits(o)) {
        Py_hash_t size = (Py_hash_t)tc_digits(o)[1] << 30 | (Py_hash_t)tc_digits(o)[0];
        *value = tc_is_negative(o) ? -size : size;
        return 1;
    }
#endif
    return 0;
}

/* What is itself asked for only once: the hash of None, and where types belong to keys those of the
   types that are common there. These hash by their addresses in some way. */
static Py_hash_t tc_hash_of_none, tc_hash_of_int_type, tc_hash_of_str_type, tc_hash_of_bool_type,
    tc_hash_of_none_type;

static inline int tc_learn_hashes(void)
{
    tc_hash_of_none = PyObject_Hash(Py_None);
    tc_hash_of_int_type = PyObject_Hash((PyObject *)&PyLong_Type);
    tc_hash_of_str_type = PyObject_Hash((PyObject *)&PyUnicode_Type);
    tc_hash_of_bool_type = PyObject_Hash((PyObject *)&PyBool_Type);
    tc_hash_of_none_type = PyObject_Hash((PyObject *)Py_TYPE(Py_None));
    return PyErr_Occurred() ? -1 : 0;
}

/* The hash without calling anything, of exact ints and strs, bools and None; 0 if that takes a
   call. */
static inline int tc_plain_hash(PyObject *o, Py_hash_t *hash)
{
    if (PyLong_CheckExact(o)) {
        return tc_likely(tc_short_value(o, hash)) && tc_likely(*hash != -1);
    }
    if (PyUnicode_CheckExact(o)) {
        *hash = ((PyASCIIObject *)o)->hash;
        return *hash != -1;
    }
    if (o == Py_None) {
        *hash = tc_hash_of_none;
        return 1;
    }
    *hash = o == Py_True;
    return o == Py_True || o == Py_False;
}

/* The hash of the type of such an object. */
static inline Py_hash_t tc_plain_type_hash(PyObject *o)
{
    return PyLong_CheckExact(o)      ? tc_hash_of_int_type
           : PyUnicode_CheckExact(o) ? tc_hash_of_str_type
           : o == Py_None            ? tc_hash_of_none_type
                                     : tc_hash_of_bool_type;
}

/* The hash of an object of a type that is known to run nobody's code for it; 0 for any other. */
static inline int tc_known_hash(PyObject *o, Py_hash_t *hash)
{
    if (tc_plain_hash(o, hash))
        return 1;
    PyTypeObject *type = Py_TYPE(o);
    if (type == &PyType_Type || type == &PyLong_Type || type == &PyUnicode_Type
        || type == &PyFloat_Type || type == &PyBytes_Type) {
        *hash = type->tp_hash(o);
        if (tc_unlikely(*hash == -1))
            PyErr_Clear();              /* no memory: whoever asks again will hear of it */
        return *hash != -1;
    }
    return 0;
}

static inline Py_hash_t tc_hash(PyObject *o)
{
    Py_hash_t hash;
    return tc_plain_hash(o, &hash) ? hash : PyObject_Hash(o);
}

/* memcmp() == 0 without the call: words, the last ones overlapping. */
static inline int tc_same_bytes(const char *a, const char *b, size_t length)
{
    uint64_t x, y;
    if (length >= 8) {
        size_t last = length - 8;
        for (size_t i = 0; i < last; i += 8) {
            memcpy(&x, a + i, 8);
            memcpy(&y, b + i, 8);
            if (x != y)
                return 0;
        }
        memcpy(&x, a + last, 8);
        memcpy(&y, b + last, 8);
        return x == y;
    }
    for (size_t i = 0; i < length; i++)
        if (a[i] != b[i])
            return 0;
    return 1;
}

/* Whether two exact strs are equal. One that isn't ready (before 3.12) never is, here. */
static inline int tc_same_text(PyObject *a, PyObject *b)
{
#if PY_VERSION_HEX < 0x030C0000
    if (tc_unlikely(!PyUnicode_IS_READY(a) || !PyUnicode_IS_READY(b)))
        return 0;
#endif
    Py_ssize_t length = PyUnicode_GET_LENGTH(a);
    int kind = (int)PyUnicode_KIND(a);
    return length == PyUnicode_GET_LENGTH(b) && kind == (int)PyUnicode_KIND(b)
        && tc_same_bytes(PyUnicode_DATA(a), PyUnicode_DATA(b), (size_t)length * kind);
}

/* Whether objects are one, or equal ints of one digit or two: what a few instructions can tell. */
static inline int tc_instantly_same(PyObject *stored, PyObject *given)
{
    Py_hash_t a, b;
    return tc_likely(stored == given)
        || (PyLong_CheckExact(stored) && PyLong_CheckExact(given) && tc_short_value(stored, &a)
            && tc_short_value(given, &b) && a == b);
}

/* Whether objects are equal, as far as can be told without calling anything. */
static inline int tc_plainly_same(PyObject *stored, PyObject *given)
{
    return tc_instantly_same(stored, given)
        || (PyUnicode_CheckExact(stored) && PyUnicode_CheckExact(given)
            && tc_same_text(stored, given));
}

/* The same for more types, where there is time for it. */
static inline int tc_simply_same(PyObject *stored, PyObject *given)
{
    if (tc_plainly_same(stored, given))
        return 1;
    PyTypeObject *type = Py_TYPE(stored);
    if (type != Py_TYPE(given))
        return 0;
    if (type == &PyFloat_Type)
        return PyFloat_AS_DOUBLE(stored) == PyFloat_AS_DOUBLE(given);
    return type == &PyBytes_Type && PyBytes_GET_SIZE(stored) == PyBytes_GET_SIZE(given)
        && tc_same_bytes(PyBytes_AS_STRING(stored), PyBytes_AS_STRING(given),
                         (size_t)PyBytes_GET_SIZE(stored));
}

/* 1 equal, 0 different, -1 only their own __eq__ can tell (which may run anybody's code). */
static inline int tc_same(PyObject *stored, PyObject *given)
{
    if (tc_plainly_same(stored, given))
        return 1;
    PyTypeObject *type = Py_TYPE(stored);
    if (type == Py_TYPE(given)
        && (type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type
            || type == &PyBytes_Type))
        return PyObject_RichCompareBool(stored, given, Py_EQ);
    return -1;
}

/* ---- The type of a callable ----------------------------------------------------------------
   Cython has no syntax for a vectorcall slot. Setting offset and flag on the ready type, before
   any instance is called, is all that the interpreter looks at. METHOD_DESCRIPTOR lets it pass
   `self` as first argument of `obj.m(...)` without making a bound method. Python subclasses
   don't inherit either flag reliably (3.10, 3.11: never), so each one is told, unless it has a
   `__call__` of its own, which the flag would pass over. */

static inline void tc_make_callable(PyTypeObject *type, PyTypeObject *base, Py_ssize_t offset)
{
    if (type->tp_call != base->tp_call)
        return;
    type->tp_vectorcall_offset = offset;
    type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR;
    PyType_Modified(type);
}

/* ---- The callable's reference count --------------------------------------------------------
   Without the GIL every call of a Gate counts a reference to it, and with two threads the cache
   line of the count travels between them: that bounds all else (half of one thread's calls). CPython
   spares its own functions this: their references are counted later, by the collector (PEP 703), and
   so they are for a Gate that stands in for one of those functions. As there, a nested function is
   left out: what it keeps should be freed at once, not by the next collection.

   From 3.14 on there is API for it. 3.13 has the mechanism but can't count later yet: when the first
   thread is started it makes the objects that ask for it immortal. So we ask as it does itself for a
   function (the bit, one reference of the collector's own, and a shared count that says it is dealt
   with already), before another thread can know the Gate. A Gate made after that first thread is
   only freed later; to make it immortal, too, would leak a cache's contents, where CPython leaks a
   function. */

static inline void tc_count_later(PyObject *gate, PyObject *function)
{
#if defined(Py_GIL_DISABLED)
    if (!PyFunction_Check(function)
        || ((PyCodeObject *)PyFunction_GET_CODE(function))->co_flags & CO_NESTED)
        return;
#if PY_VERSION_HEX >= 0x030E0000
    PyUnstable_Object_EnableDeferredRefcount(gate);
#else
    Py_ssize_t shared = _Py_atomic_load_ssize_relaxed(&gate->ob_ref_shared);
    if (gate->ob_tid != _Py_ThreadId() || shared >> _Py_REF_SHARED_SHIFT != 0
        || (shared & _Py_REF_SHARED_FLAG_MASK) >= _Py_REF_QUEUED
        || !_Py_atomic_compare_exchange_ssize(&gate->ob_ref_shared, &shared, _Py_REF_QUEUED))
        return;
    gate->ob_gc_bits |= 64;         /* _PyGC_BITS_DEFERRED */
    gate->ob_ref_local += 1;
#endif
#else
    (void)gate;
    (void)function;
#endif
}

/* Cython refuses `def __init_subclass__` in an extension class: it is put there afterwards. */
static inline int tc_add_to_type(PyTypeObject *type, const char *name, PyObject *value)
{
    int failed = PyDict_SetItemString(type->tp_dict, name, value);
    PyType_Modified(type);
    return failed;
}

/* What an entry point hands on to must not be inlined into it: without the registers that calls
   need, the short way saves and restores none, a third of its time. */
static TC_APART PyObject *tc_take_otherwise(void *, void *, void *, uint32_t, int64_t);
static TC_APART void tc_hand_over(void *, void *);
static TC_APART PyObject *tc_call_hashing(PyObject *, PyObject **, size_t);
static TC_APART PyObject *tc_call_named(PyObject *, PyObject **, size_t, PyObject *);
static TC_APART PyObject *tc_call_named_timed(PyObject *, PyObject **, size_t, PyObject *);
static TC_APART PyObject *tc_call_named_aside(PyObject *, PyObject **, size_t, PyObject *);
static TC_APART PyObject *tc_call_pattern_of_many(PyObject *, PyObject **, size_t, PyObject *);
static TC_APART PyObject *tc_call_typed_of_many(PyObject *, PyObject **, size_t, PyObject *);
static TC_APART PyObject *tc_call_aside(PyObject *, PyObject **, size_t, PyObject *);

static inline int tc_is_gc(PyObject *o) { return PyType_IS_GC(Py_TYPE(o)) != 0; }

/* The object behind a weak reference without touching its reference count; only ever compared
   with an object that the caller holds, so that a race can make it differ, never match. */
static inline PyObject *tc_referent(PyObject *reference)
{
    return ((PyWeakReference *)reference)->wr_object;
}

static inline int tc_is_gone(PyObject *reference)
{
    return tc_referent(reference) == Py_None;
}

/* A new reference to the object behind a weak reference, or NULL if it is gone. */
static inline PyObject *tc_strong(PyObject *reference)
{
#if PY_VERSION_HEX >= 0x030D0000
    PyObject *object = NULL;
    if (PyWeakref_GetRef(reference, &object) < 0)
        PyErr_Clear();
    return object;
#else
    PyObject *object = PyWeakref_GetObject(reference);
    if (object == NULL || object == Py_None)
        return NULL;
    Py_INCREF(object);
    return object;
#endif
}

/* ---- Collector -----------------------------------------------------------------------------
   What entries and call shapes own are raw pointers that Cython's generated tp_traverse doesn't
   know: ours is chained in front of it. tp_clear of a table empties the entries only; attributes
   stay for whoever still calls. */

static inline traverseproc tc_chain_traverse(PyTypeObject *type, traverseproc traverse)
{
    traverseproc base = type->tp_traverse;
    type->tp_traverse = traverse;
    return base;
}

static inline void tc_set_clear(PyTypeObject *type, inquiry clear)
{
    type->tp_clear = clear;
}

static inline int tc_visit(PyObject *o, visitproc visit, void *arg)
{
    Py_VISIT(o);
    return 0;
}

/* ---- Awaiting a value that is there --------------------------------------------------------
   The interpreter drives `await` by am_send up to 3.11 and by tp_iternext from 3.12 on, where
   the value has to travel in a StopIteration. Making one is two thirds of the cost of a hit, so
   one instance is kept and used again while nobody else holds it; it never keeps a value. */

#if PY_VERSION_HEX >= 0x030C0000 && !defined(Py_GIL_DISABLED)
static PyObject *tc_spare_stop;

static inline void tc_forget_stop(void)
{
    PyStopIterationObject *stop = (PyStopIterationObject *)tc_spare_stop;
    if (stop != NULL && stop->value != NULL && Py_REFCNT(tc_spare_stop) == 1)
        Py_CLEAR(stop->value);
}

static inline void tc_raise_stop(PyObject *value)
{
    PyStopIterationObject *stop = (PyStopIterationObject *)tc_spare_stop;
    if (stop == NULL || Py_REFCNT(tc_spare_stop) != 1 || stop->traceback != NULL
        || stop->context != NULL || stop->cause != NULL || stop->dict != NULL
        || stop->notes != NULL || stop->suppress_context || PyTuple_GET_SIZE(stop->args) != 0) {
        Py_CLEAR(tc_spare_stop);
        tc_spare_stop = PyObject_CallNoArgs(PyExc_StopIteration);
        if (tc_spare_stop == NULL)
            return;
        stop = (PyStopIterationObject *)tc_spare_stop;
    }
    Py_INCREF(value);
    Py_XSETREF(stop->value, value);
    Py_INCREF(tc_spare_stop);
    PyErr_SetRaisedException(tc_spare_stop);
}
#else
static inline void tc_forget_stop(void) {}

static inline void tc_raise_stop(PyObject *value)
{
    PyObject *stop = PyObject_CallOneArg(PyExc_StopIteration, value);
    if (stop != NULL) {
        PyErr_SetObject(PyExc_StopIteration, stop);
        Py_DECREF(stop);
    }
}
#endif

static inline void tc_make_awaitable(PyTypeObject *type, iternextfunc next, sendfunc send)
{
    type->tp_iternext = next;
    type->tp_as_async->am_send = send;
    PyType_Modified(type);
}

#endif

# Reading records of the simplest kind. Whatever stands in them is anybody's: no byte is looked at
# before it is known to be there, and no length that a record tells is used but to be compared.

cdef enum:
    TAGS = 58                       # bytes before the tags
    SHORT = 4096                    # bytes: what is short is sooner copied than viewed
    LONG = 1 << 16                  # bytes that others shouldn't wait for


# -- CRC-32, sixteen bytes at a time (Kounavis and Berry, 2005) ----------------------------------------
#
# zlib's through Python costs a hundred nanoseconds a call and is no quicker below 2 KB.

cdef uint32_t crc_of[16][256]       # of a byte, followed by so many zeros


cdef void fill_crc() noexcept:
    cdef uint32_t crc
    cdef int byte, k
    for byte in range(256):
        crc = byte
        for k in range(8):
            crc = (crc >> 1) ^ (0xEDB88320u if crc & 1 else 0)
        crc_of[0][byte] = crc
    for byte in range(256):
        for k in range(1, 16):
            crc = crc_of[k - 1][byte]
            crc_of[k][byte] = (crc >> 8) ^ crc_of[0][crc & 255]


cdef inline uint32_t four(const unsigned char* p) noexcept nogil:
    """The least byte first, whatever the machine's order is."""
    return p[0] | <uint32_t> p[1] << 8 | <uint32_t> p[2] << 16 | <uint32_t> p[3] << 24


cdef inline uint32_t crc_four(uint32_t a, int k) noexcept nogil:
    return crc_of[k + 3][a & 255] ^ crc_of[k + 2][a >> 8 & 255] \
        ^ crc_of[k + 1][a >> 16 & 255] ^ crc_of[k][a >> 24]


cdef uint32_t crc_on(uint32_t crc, const unsigned char* p, size_t n) noexcept nogil:
    """Goes on from what came of the bytes before; all ones at first, and inverted in the end."""
    while n >= 16:
        crc = crc_four(crc ^ four(p), 12) ^ crc_four(four(p + 4), 8) \
            ^ crc_four(four(p + 8), 4) ^ crc_four(four(p + 12), 0)
        p += 16
        n -= 16
    while n >= 4:
        crc = crc_four(crc ^ four(p), 0)
        p += 4
        n -= 4
    while n:
        crc = (crc >> 8) ^ crc_of[0][(crc ^ p[0]) & 255]
        p += 1
        n -= 1
    return crc


fill_crc()


# -- records -------------------------------------------------------------------------------------------

cdef inline uint32_t big_four(const unsigned char* p) noexcept nogil:
    return <uint32_t> p[0] << 24 | <uint32_t> p[1] << 16 | <uint32_t> p[2] << 8 | p[3]


cdef inline uint64_t big_eight(const unsigned char* p) noexcept nogil:
    return <uint64_t> big_four(p) << 32 | big_four(p + 4)


cdef inline double big_double(const unsigned char* p) noexcept nogil:
    cdef uint64_t bits = big_eight(p)
    cdef double number
    memcpy(&number, &bits, 8)
    return number


cdef uint32_t crc_of_key(str key) except? 0:
    """The CRC-32 of the key as UTF-8, half surrogates too, to go on from."""
    cdef Py_ssize_t n = 0
    cdef const char* name = PyUnicode_AsUTF8AndSize(<PyObject*> key, &n)
    if name == NULL:
        if not PyErr_ExceptionMatches(UnicodeEncodeError):
            raise_again()
        PyErr_Clear()
        encoded = key.encode("utf-8", "surrogatepass")
        return crc_on(UINT32_MAX, encoded, len(encoded))
    return crc_on(UINT32_MAX, <const unsigned char*> name, n)


cdef object payload_of(
    object data, str key, bytes checked, bytes unchecked, double now, bytes tags
):
    """As `plain_payload`."""
    cdef const unsigned char* p
    cdef size_t tags_size = len(tags), start = (TAGS + tags_size + 4 + 15) & ~<size_t> 15
    cdef size_t size
    cdef double unknown
    cdef uint32_t check
    cdef bint is_checked
    if type(data) is not bytes or <size_t> len(<bytes> data) < start:
        return None
    p = <bytes> data
    size = len(<bytes> data) - start
    is_checked = len(checked) == 8 and memcmp(p, <const char*> checked, 8) == 0
    if not is_checked and (len(unchecked) != 8 or memcmp(p, <const char*> unchecked, 8) != 0):
        return None
    if big_four(p + 44) != tags_size or big_eight(p + 48) != size or p[56] or p[57]:
        return None
    if memcmp(p + TAGS, <const char*> tags, tags_size) != 0:
        return None
    unknown = big_double(p + 8) + big_double(p + 24) + big_double(p + 32)
    if not now < big_double(p + 16) or unknown != unknown:
        return None
    if ~crc_on(crc_of_key(key), p, start - 4) != big_four(p + start - 4):
        return None
    if is_checked:
        if size < LONG:
            check = crc_on(UINT32_MAX, p + start, size)
        else:
            with nogil:
                check = crc_on(UINT32_MAX, p + start, size)
        if ~check != big_four(p + 40):
            return None
    if len(<bytes> data) <= SHORT:
        return PyBytes_FromStringAndSize(<const char*> p + start, size)
    return PyMemoryView_FromObject(data)[start:]


def plain_payload(
    data, str key not None, tuple beginnings not None, double now, bytes tags not None=b""
):
    """The payload, if these are the bytes of a plain record of that key, sound and fresh."""
    checked, unchecked = beginnings
    return payload_of(data, key, checked, unchecked, now, tags)


def plain_values(
    names, keys, data, tuple beginnings not None, double now, bytes tags not None, decode
):
    """The values of plain records, by name; and the indices of what is there besides."""
    # Copies, lest `decode` change them.
    cdef tuple all_names = tuple(names), all_keys = tuple(keys), all_data = tuple(data)
    cdef Py_ssize_t at, n = len(all_names)
    cdef dict found = {}
    cdef list others = []
    if len(all_keys) != n or len(all_data) != n:
        raise ValueError(f"{n} names, {len(all_keys)} keys, {len(all_data)} data")
    checked, unchecked = beginnings
    for at in range(n):
        one = all_data[at]
        if one is None:
            continue
        payload = payload_of(one, all_keys[at], checked, unchecked, now, tags)
        try:
            if payload is not None:
                found[all_names[at]] = decode(payload)
                continue
        except Exception:
            pass
        others.append(at)
    return found, others

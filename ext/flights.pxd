# Computations that are on their way, and whether their result may still be stored.

from libc.stdint cimport uint64_t
from libc.stdlib cimport free, malloc

from store cimport *

# Never on the C stack of who calls: greenlets swap stacks in the middle of a call.

cdef inline void take_off(Store* s, FlightLink* flight, uint64_t hash) noexcept nogil:
    flight.hash = hash
    flight.grounded = False
    flight.prev = NULL
    flight.next = s.flights
    if s.flights != NULL:
        s.flights.prev = flight
    s.flights = flight


cdef inline void touch_down(Store* s, FlightLink* flight) noexcept nogil:
    if flight.prev != NULL:
        flight.prev.next = flight.next
    else:
        s.flights = flight.next
    if flight.next != NULL:
        flight.next.prev = flight.prev


cdef inline void ground(Store* s, uint64_t hash, bint all) noexcept nogil:
    cdef FlightLink* flight = s.flights
    while flight != NULL:
        if all or flight.hash == hash:
            flight.grounded = True
        flight = flight.next


cdef inline FlightLink* start_flight(Store* s, uint64_t hash) noexcept:
    """A flight of the C core's own, to be ended by `end_flight`; NULL if there is no memory."""
    cdef FlightLink* flight = s.spare_flights
    if flight != NULL:
        s.spare_flights = flight.next
    else:
        flight = <FlightLink*> malloc(sizeof(FlightLink))
        if flight == NULL:
            return NULL
    take_off(s, flight, hash)
    return flight


cdef inline void end_flight(Store* s, FlightLink* flight) noexcept nogil:
    touch_down(s, flight)
    flight.next = s.spare_flights
    s.spare_flights = flight


cdef inline void free_flights(Store* s) noexcept:
    cdef FlightLink* flight
    while s.spare_flights != NULL:
        flight = s.spare_flights
        s.spare_flights = flight.next
        free(flight)

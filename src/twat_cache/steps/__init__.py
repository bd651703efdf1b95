"""The steps of a miss, one module each, in their order.

    observe ► single_flight ► failsafe ► refresh ► stored ► lease ► retry ► timeout ► load

Each is a function that takes the step behind it and gives the two as one. What an option switches
off is left out when a function is decorated, so it costs nothing. See `_run.drive` for how steps
wait.
"""

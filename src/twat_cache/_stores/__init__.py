"""Where the miss path looks for results and keeps them: a table, an engine, or one before another.

Each has the methods of `_run.call.Store`. They are handed their tables and engines, and open none.
"""

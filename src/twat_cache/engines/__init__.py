"""Where bytes are kept: one module per engine, loaded when it is opened."""

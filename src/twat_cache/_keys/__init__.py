"""How a call becomes a key: the plan of its binding, and the bytes that stand for its values."""

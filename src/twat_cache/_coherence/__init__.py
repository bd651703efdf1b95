"""What keeps a table before a shared engine from answering with what others have changed."""

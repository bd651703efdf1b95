"""From values to bytes and back: codecs, and the records in which engines keep what they wrote."""

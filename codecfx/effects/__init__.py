"""Effects: a block in, a block of the same shape out, a declared number of samples later."""

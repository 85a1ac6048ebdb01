"""Decoders side by side: the same notes, size and optimizer; other nets, heads, inputs and ways to condition."""

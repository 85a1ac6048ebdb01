"""The memory of a piece: pointers into the notes so far, which propose how the next event goes on."""

"""The styles that a piece can be asked for."""

STYLES = (
    "hymn", "lied", "folk", "renaissance", "baroque", "classical", "romantic", "quartet", "orchestral", "march",
    "waltz", "ragtime", "swing", "blues", "pop", "rock", "funk", "latin", "techno", "ambient",
)  # fmt: skip

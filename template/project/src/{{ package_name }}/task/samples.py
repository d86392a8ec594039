"""Texts of many lengths, for which an export is compared with torch."""

TEXTS = [
    "Yes.",
    "A happy dog runs along the beach.",
    "How do I bake bread without an oven?",
    "Investors were surprised by the quarterly report, which nobody had expected so soon.",
    "It rains in Paris.",
    "def add(a, b): return a + b",
    "The committee met for the third time this year, and again it could not agree on where the money for the new "
    "bridge should come from, who would build it, and when the old one would have to be closed.",
    "Worst purchase I ever made, and the service was rude.",
]

"""The verbs that change or show the gate: one module each, with its options and what it does."""

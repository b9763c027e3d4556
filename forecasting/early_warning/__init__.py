"""Early warnings: which risks deserve one, what they say and how such warnings have done."""

"""The plan as a document: one list of blocks, drawn as HTML, Markdown, JSON and plain text."""

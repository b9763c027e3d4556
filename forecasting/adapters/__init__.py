"""The edges: everything that reads or writes a file, a database, a clock or a log. Nothing heavy is imported here."""

"""The words of the field as frozen data: no computation, no input, no output."""

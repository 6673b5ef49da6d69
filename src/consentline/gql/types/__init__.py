"""The public types, listed field by field."""

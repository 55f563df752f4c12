"""The sweep file: TOML -> a typed, checked sweep, with every mistake at once; and back to TOML."""

"""The terminal interface. It reads the store and starts `hvdsweep launch` as a separate process; it never trains.

`app` holds what is shared, `screens` one module per screen, `widgets` one per widget, `actions` the one table of keys,
`source` the one place that reads. Import `tui.app` only to run it: it pulls in Textual.
"""

"""Small widgets, each with its own style and messages; none of them reads the store."""

"""What the Compose screen works on, without Textual: a text that is edited in place, what it amounts to, where it begins,
and where it is kept until it is saved."""

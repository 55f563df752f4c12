"""The Compose screen without Textual: the draft and its edits in place, its check and plan, where it starts from, and where
it is kept until it is saved."""

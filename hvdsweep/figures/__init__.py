"""Figures as files, text or numbers: those of the paper, and one's own."""

"""``python -m numbering``: the command line."""

from numbering.cli import app

app(prog_name="numbering")

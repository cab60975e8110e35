"""Tasks that run commands and scripts of this machine."""

"""Kestra's REST API over an `Engine`, and the server that offers it.

`engine.api.app.create_api` makes the application. Everything here is imported by `penstock server` alone, so what it
needs costs other commands nothing.
"""

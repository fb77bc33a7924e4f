"""Serving REST requests: the web server, routing, authentication, parameters, pagination and errors."""

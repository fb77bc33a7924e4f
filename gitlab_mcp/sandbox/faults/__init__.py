"""Fault injection: failures, delays and dropped connections that tests put in the way of requests."""

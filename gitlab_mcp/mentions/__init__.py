"""What starts a run: a comment with the handle, a label, an assignment. Payloads in, decisions out, without I/O."""

"""How GitLab writes the sandbox's things as JSON: one function per entity of the REST API."""

"""The entities of the REST API: one function for each, which returns the JSON object that GitLab would send."""

"""The client of GitLab's REST API, and a module for each kind of object in GitLab."""

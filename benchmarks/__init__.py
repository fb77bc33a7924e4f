"""Measures this server beside other servers, all against one GitLab with known answers."""

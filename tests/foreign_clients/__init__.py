"""Other people's GitLab clients against the sandbox: each must find nothing that GitLab would answer otherwise."""

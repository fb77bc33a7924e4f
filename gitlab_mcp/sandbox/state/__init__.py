"""The state of one GitLab instance, from users to pipelines, and the rules by which it changes."""

"""What GitLab reads out of text: mentions, references, quick actions, suggestions, durations and .gitlab-ci.yml."""

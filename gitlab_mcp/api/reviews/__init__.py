"""Reviews of merge requests: where each comment is placed in the diff, draft notes, and submitting them."""

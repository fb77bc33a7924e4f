"""What may come in and what may go out: the policy of a run, secrets, and text that other people wrote."""

"""What is waited for, and what the looks at it come to: on a worker and in the triggerer alike."""

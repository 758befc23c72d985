"""What is still to be sent: entries, claims, retries, and the task that works through them."""

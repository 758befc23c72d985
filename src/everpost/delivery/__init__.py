"""What happens to a message: intake, routing, acceptance, the queue, sending to other hosts, notices."""

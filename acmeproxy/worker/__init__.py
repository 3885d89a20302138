"""What happens without a client waiting on the line."""

"""What is within a translator: its networks, the batches it cuts text into, and the answers it makes of a search."""

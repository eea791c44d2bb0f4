"""What a program needs of the machine it runs on: devices, processes, files written whole, locks, memory."""

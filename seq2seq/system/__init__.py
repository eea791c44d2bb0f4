"""Access to the machine: devices, processes, atomically written files, locks, memory."""

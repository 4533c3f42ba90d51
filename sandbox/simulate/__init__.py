"""SimPy control plane and the queueing model of the stack, in virtual time."""

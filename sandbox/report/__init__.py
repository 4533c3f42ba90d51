"""What people see of a run: the HTML report, the comparison, the terminal."""

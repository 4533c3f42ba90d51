"""What scenarios and designs may say: frozen, checked once at birth, located when wrong."""

"""Files of weights as they are stored: opened without running anything in them."""

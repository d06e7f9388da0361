"""Commands about this machine, and the options that say what of it is used."""

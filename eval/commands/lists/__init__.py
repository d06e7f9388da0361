"""Commands that list what there is: domains, editors, weight files, prompts."""

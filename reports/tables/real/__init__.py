"""Sets of edits against sets of real pictures, where no counterfactuals are known."""

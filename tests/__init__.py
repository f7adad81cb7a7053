"""The suite. It mirrors the house; files import each other as `tests...` or relatively."""

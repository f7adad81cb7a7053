"""authkit inside what people already have: a file for each framework's own way to authenticate, loaded by whoever uses it.

Each asks one guard, and takes its decision as it is: there is no second reading of a header anywhere.
"""

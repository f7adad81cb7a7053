"""One file per identity provider: what is peculiar to each, as settings of `authkit.oidc`."""

"""Where secret values come from, how they are remembered, and the handle that shows them to nobody."""

from .dotenv import Dotenv
from .environment import Environment
from .hardcoded import Hardcoded
from .memo import Secrets
from .secret import Secret
from .source import SecretSource
from .versions import SecretVersions

__all__ = ["Dotenv", "Environment", "Hardcoded", "Secret", "SecretSource", "SecretVersions", "Secrets"]

"""authkit: guards in front of any handler, the same decision on every host. Each name is loaded on first use."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._guard import Guard as Guard
    from ._guard import any_of as any_of
    from ._guard import chain as chain
    from ._guard import current_principal as current_principal
    from ._guard import guard as guard
    from ._guard import public as public
    from .decision import Allow as Allow
    from .decision import Challenge as Challenge
    from .decision import Deny as Deny
    from .decision import Principal as Principal
    from .endpoint import endpoint as endpoint

__version__ = "0.1.0.dev0"

"""The inner routes, one module per subject. Each gives its `routes(parts)`; `inner_routes` is the whole list.

Every one of them is reached through `server.inner`, which demands the in-process channel object before it routes.
"""

from confide.server.parts import Parts
from confide.server.routes import admission, aliases, models, packages, pipelines, receipts, uploads, v2
from confide.server.routing import Route


def inner_routes(parts: Parts) -> tuple[Route, ...]:
    """Every inner route of a node."""
    modules = (admission, aliases, models, packages, pipelines, receipts, uploads, v2)
    return tuple(route for module in modules for route in module.routes(parts))

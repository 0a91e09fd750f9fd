# SPDX-License-Identifier: Apache-2.0
"""`document.py`: the OpenAPI document, with what the framework cannot know: roles, limits,
idempotency keys and the refusals that shield and gate may give to each route; and `/docs`, the same
as a page without a script, because no script comes from elsewhere and none stands in a page.
"""

from __future__ import annotations

from html import escape
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hean.api.gate import BY_ADDRESS, DOCS, TICKET
from hean.api.idempotency import HEADER
from hean.api.permissions import Limit, Permissions, Row
from hean.api.problems import MEDIA_TYPE, Problem, title_of

ALWAYS = (400, 403, 408, 414, 421, 429, 431, 503)
"""Refusals that any route may give: shape, origin, time, size, host, rate, load."""
MUTATING = (409, 413, 415)
REFERENCE = "#/components/schemas/Problem"


def docs_router() -> APIRouter:
    """`/openapi.json` and `/docs`."""
    router = APIRouter()

    @router.get("/openapi.json", include_in_schema=False)
    async def openapi_json(request: Request) -> Response:
        return Response(request.app.state.openapi_json, media_type="application/json")

    @router.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(page(request.app.state.document))

    return router


def complete(document: dict[str, Any], permissions: Permissions) -> dict[str, Any]:
    """Add roles, limits, keys and refusals to every operation. Changes and returns *document*."""
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name, schema in (
        Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        .pop("$defs", {})
        .items()
    ):
        schemas[name] = schema
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    problem.pop("$defs", None)
    schemas["Problem"] = problem
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            row = permissions.find(method.upper(), path)
            assert row is not None  # `Permissions.check` has looked
            _complete(operation, row)
    return document


def queries_of(document: dict[str, Any], permissions: Permissions) -> dict[Row, frozenset[str]]:
    """What may stand behind the `?` of each route."""
    found = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            row = permissions.find(method.upper(), path)
            assert row is not None  # as above
            given = operation.get("parameters", ())
            names = {each["name"] for each in given if each["in"] == "query"}
            found[row] = frozenset(names | {TICKET} if path in BY_ADDRESS else names)
    docs = permissions.find("GET", DOCS)
    return found if docs is None else found | {docs: frozenset({TICKET})}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For a route that refuses with more than what all do: the descriptions of these."""
    return {
        status: {
            "description": title_of(status),
            "content": {MEDIA_TYPE: {"schema": {"$ref": REFERENCE}}},
        }
        for status in statuses
    }


def _complete(operation: dict[str, Any], row: Row) -> None:
    if row.role is not None:
        operation["security"] = [{"token": []}]
        operation["x-hean-role"] = row.role.word
    operation["x-hean-limit"] = str(row.limit)
    takes_key = row.is_mutating and row.role is not None and row.limit is not Limit.KILL
    if takes_key:
        operation.setdefault("parameters", []).append(
            {
                "name": HEADER,
                "in": "header",
                "required": row.needs_idempotency_key,
                "description": "Same key, same body: done once, same answer.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
            }
        )
    statuses = {*ALWAYS, *(MUTATING if row.is_mutating else ())}
    if row.role is not None or row.limit is Limit.AUTH:
        statuses.add(401)
    if "{" in row.path:
        statuses.add(404)
    if "422" in operation["responses"]:
        statuses.add(422)
    for status, described in refusals(*sorted(statuses)).items():
        operation["responses"][str(status)] = described


def page(document: dict[str, Any]) -> str:
    """The document for people."""
    info = document["info"]
    rows = [
        _row(method, path, operation)
        for path, item in sorted(document["paths"].items())
        for method, operation in item.items()
    ]
    shapes = [
        f"<h3 id='{escape(name)}'>{escape(name)}</h3><p>{escape(schema.get('description', ''))}</p>"
        f"<ul>{''.join(_field(field, rest) for field, rest in schema['properties'].items())}</ul>"
        for name, schema in sorted(document["components"]["schemas"].items())
        if "properties" in schema
    ]
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{escape(info['title'])}</title><style>{STYLE}</style>"
        f"<h1>{escape(info['title'])} {escape(info['version'])}</h1>"
        "<p>OpenAPI (Swagger) document: <code>/openapi.json</code>. Every request carries "
        "<code>Authorization: Bearer hean_...</code>; money and quantities are decimal strings; "
        "refusals are <code>application/problem+json</code>.</p>"
        "<table><thead><tr><th>Method<th>Path<th>Least role<th>Limit<th>What it does<th>Body"
        f"<tbody>{''.join(rows)}</table><h2>Documents</h2>{''.join(shapes)}</html>"
    )


STYLE = (
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;"
    "max-width:72rem;padding:0 1rem}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884}"
)


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    cells = (
        method.upper(),
        f"<code>{escape(path)}</code>",
        escape(operation.get("x-hean-role", "open to all")),
        escape(operation["x-hean-limit"]),
        escape(operation.get("description", operation.get("summary", ""))),
        _kind(body.get("schema", {})),
    )
    return f"<tr>{''.join(f'<td>{cell}' for cell in cells)}"


def _field(name: str, schema: dict[str, Any]) -> str:
    text = escape(schema.get("description", ""))
    return f"<li><code>{escape(name)}</code> {_kind(schema)} {text}"


def _kind(schema: dict[str, Any]) -> str:
    """A type in a word or two."""
    if "$ref" in schema:
        name = escape(schema["$ref"].rpartition("/")[2])
        return f"<a href='#{name}'>{name}</a>"
    if "enum" in schema:
        return escape(" | ".join(map(str, schema["enum"])))
    if "anyOf" in schema:
        return " or ".join(map(_kind, schema["anyOf"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return escape(str(schema.get("type", "")))

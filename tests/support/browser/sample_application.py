"""A small application with good and faulty pages, on which the rig for pages is proved."""

from fastapi import FastAPI, Response

__all__ = ["application"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

FRAME = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sample</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="/icon.svg"><link rel="stylesheet" href="/style.css"></head>
<body><main><h1>Signals</h1>{body}</main></body></html>"""

STYLE = """
:root { color-scheme: light dark; }
body { font: 16px sans-serif; transition: opacity 1s; }
.faint { color: #bbb; background: #fff; }
.tiny { display: inline-block; width: 8px; height: 8px; }
@media print { .screen { display: none; } }
"""

SCRIPTS = {
    "good": "document.querySelector('#said').textContent = 'script ran';",
    "log": "console.log('left in');",
    "throw": "throw new Error('thrown by the page');",
    "fetch": "fetch('/broken').then(() => {});",
    "abroad": "const i = new Image(); i.src = 'http://127.0.0.1:9/x.png';",
}

BODIES = {
    **{name: f'<p id="said">no script</p><script src="/{name}.js"></script>' for name in SCRIPTS},
    "numbers": '<p class="screen">n 1,234, IC −0.53 [−1.20, 0.14]</p><p>printed</p>',
    "inline-style": '<p style="color: red">red</p>',
    "inline-script": "<script>document.title = 'changed'</script>",
    "faint": '<p class="faint">hard to read</p>',
    "unnamed": '<img src="/icon.svg"><input type="text">',
    "tiny": '<a class="tiny" href="/a">a</a><a class="tiny" href="/b">b</a>',
}

ICON = '<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M0 0h8v8z"/></svg>'


def application() -> FastAPI:
    """Return the application: `/p/NAME` is a page of `BODIES`, `/broken` answers 500."""
    app = FastAPI(openapi_url=None)

    @app.get("/p/{name}")
    def page(name: str) -> Response:
        return _answer(FRAME.format(body=BODIES[name]), "text/html")

    @app.get("/lax/{name}")
    def lax(name: str) -> Response:
        """The page without a policy, on which only the rig itself refuses what is foreign."""
        return Response(FRAME.format(body=BODIES[name]), media_type="text/html")

    @app.get("/style.css")
    def style() -> Response:
        return _answer(STYLE, "text/css")

    @app.get("/icon.svg")
    def icon() -> Response:
        return _answer(ICON, "image/svg+xml")

    @app.get("/broken")
    def broken() -> Response:
        return Response("broken", status_code=500, media_type="text/plain")

    @app.get("/{name}.js")
    def script(name: str) -> Response:
        return _answer(SCRIPTS[name], "text/javascript")

    return app


def _answer(text: str, kind: str) -> Response:
    return Response(text, media_type=kind, headers={"content-security-policy": POLICY})

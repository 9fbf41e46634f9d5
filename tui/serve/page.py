"""The page a browser is given: one terminal, its program and font from this server, nothing from anywhere else."""

from __future__ import annotations

import html

# The browser sees to it that nothing of another host is loaded or spoken to. The terminal sets styles of its own.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
FONT_SIZE = 15

_STYLE = """
@font-face { font-family: "Roboto Mono"; font-weight: 100 700;
  src: url("static/fonts/RobotoMono-VariableFont_wght.ttf"); }
@font-face { font-family: "Roboto Mono"; font-weight: 100 700; font-style: italic;
  src: url("static/fonts/RobotoMono-Italic-VariableFont_wght.ttf"); }
html, body { height: 100%; margin: 0; overflow: hidden; background: #16181c; color: #d7dae0; }
body { font: 15px "Roboto Mono", monospace; }
#terminal { position: absolute; inset: 0; }
p { position: absolute; inset: 40% 0 auto; text-align: center; margin: 0; z-index: 1; }
p.end, body.-first-byte p.begin, body.-closed p.begin { display: none; }
body.-closed p.end { display: block; }
body.-closed #terminal { opacity: 0.15; }
a { color: inherit; }
"""


def workbench(socket: str) -> str:
    """The page; `socket` is the address of its websocket.

    The classes of `body` are set by textual-serve's script: `-first-byte`, `-closed`.
    """
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>fumehood</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="static/css/xterm.css">
<style>{_STYLE}</style>
<script src="static/js/textual.js"></script>
</head>
<body>
<p class="begin">fumehood</p>
<p class="end">This workbench has ended; its tasks go on. <a href="">Open it again</a></p>
<div id="terminal" class="textual-terminal" data-session-websocket-url="{html.escape(socket)}"
  data-font-size="{FONT_SIZE}"></div>
</body>
</html>
"""


def refused(reason: str) -> str:
    """The page of a request that gets nothing."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>fumehood: not allowed</title></head>
<body style="font: 15px monospace; margin: 4em">
<p>Not allowed: {html.escape(reason)}.</p>
<p>Each link of <b>fumehood serve</b> counts once. Press enter where it runs, and open the link it prints then.</p>
</body>
</html>
"""

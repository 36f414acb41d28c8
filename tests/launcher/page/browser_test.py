#!/usr/bin/env python3
"""Opens the page of a run whose ranks wrote hostile text, in a real browser.

    browser_test.py CONVERT EVENTS

CONVERT makes the page of EVENTS (a real run) with hostile text in every field that a worker can write. None of it may
become markup or run, the page may ask for nothing over the network, and its script must draw the timeline. Without
Chromium the test is skipped.
"""
import functools
import html
import http.server
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading

MARK = "document.documentElement.setAttribute('data-ran','1')"
TEXTS = (
    "</script><script>{mark}</script>", "<script src=\"{url}a.js\"></script>", "<img src={url}b.png onerror=\"{mark}\">",
    "'\"><svg onload=\"{mark}\">", "<!--<script>", "--></style></pre></details>", "</title><script>{mark}</script>",
    "<link rel=stylesheet href={url}c.css>", "javascript:{mark}", "&lt;b&gt; \u2028 \u2029 \0 \x1b[31m ]]> \\\" ${{{mark}}}",
    "<iframe srcdoc='<script>parent.{mark}</script>'></iframe>", "<meta http-equiv=refresh content='0;url={url}d'>",
)


class Requests(http.server.BaseHTTPRequestHandler):
    seen = []

    def do_GET(self):
        Requests.seen.append(self.path)
        self.send_response(404)
        self.end_headers()

    def log_message(self, *_):
        pass


def hostile_events(source, url):
    text = "\n".join(TEXTS).format(mark=MARK, url=url)
    line = text.replace("\n", " ")
    events = [json.loads(one) for one in pathlib.Path(source).read_text("utf-8").splitlines()]
    last = events.pop()
    for event in events:
        if event["event"] == "run_started":
            event |= {"run_id": line, "command": text, "host": line, "version": line, "wall": line}
        elif event["event"] == "failure":
            event |= {name: text for name in ("cause", "fault", "exception", "traceback", "diagnosis",
                                              "diagnosis_cause", "remedy", "evidence")}
        elif event["event"] == "fault_injected":
            event |= {"fault": line, "replay": line}
    now = {name: last[name] for name in ("v", "t_ns", "wall")}
    for more in ({"event": "last_lines", "text": text}, {"event": "hang_detected", "kind": line, "behind": line},
                 {"event": "lost", "what": text}, {"event": "leftover_killed", "command": text},
                 {"event": "expectation", "name": text, "expected": text, "measured": text}):
        events.append(now | {"gen": 1, "rank": 0} | more)
    return "".join(json.dumps(one) + "\n" for one in events + [last])


def opened(browser, path, folder):
    """The document as it is once its script has run."""
    done = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
         "--disable-dev-shm-usage", f"--user-data-dir={folder}/profile", "--window-size=1200,900",
         "--virtual-time-budget=3000", "--dump-dom", path.as_uri()],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=240, check=False)
    dom = done.stdout.decode("utf-8", "replace")
    if "</html>" not in dom:
        sys.exit(f"{browser} did not open the page, exit {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    return dom


def ran(dom):
    return 'data-ran="1"' in dom


# Uses the page with the keyboard and leaves what it saw in the document.
KEYS = """
(() => {
  const canvas = document.querySelector("#view canvas");
  const press = (key) => canvas.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
  const dark = document.getElementById("theme");
  const seen = [];
  for (const key of ["+", "+", "ArrowRight", "n"]) press(key);
  seen.push(document.querySelector("#view .spoken").textContent);
  dark.click();
  seen.push(document.documentElement.dataset.theme);
  press("0");
  document.documentElement.setAttribute("data-seen", JSON.stringify(seen));
})();
"""


def main():
    convert, events = sys.argv[1:]
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("skipped: there is no chromium")
        sys.exit(77)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/"
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        make = functools.partial(subprocess.run, check=True, timeout=60)
        source, page = folder / "events.jsonl", folder / "report.html"
        source.write_text(hostile_events(events, url), "utf-8")
        make([convert, source, page, folder / "trace.json"])
        text = page.read_text("utf-8")
        nonce = re.search(r'<script nonce="(\w+)">', text).group(1)
        page.write_text(text.replace("</body>", f'<script nonce="{nonce}">{KEYS}</script></body>'), "utf-8")
        dom = opened(browser, page, folder)
        assert not ran(dom), "hostile text ran as script"
        assert Requests.seen == [], Requests.seen
        assert len(re.findall("<script", dom)) == 3, "hostile text became an element"
        assert dom.count("<canvas") == 1, "the page's script did not run to its end"
        assert re.search(r'<svg class="picture"[^>]* hidden=""', dom)
        spoken, theme = json.loads(html.unescape(re.search(r'data-seen="([^"]*)"', dom).group(1)))
        assert ", rank 2, injected: </script><script>" in spoken, spoken
        assert theme in ("dark", "light"), theme
        assert "onerror=" in dom, "the text itself is shown"

        # The negative control: where that text is not escaped it runs and asks for files.
        careless = folder / "careless.html"
        # (Without the text that would leave the page.)
        staying = "\n".join(one for one in TEXTS if "refresh" not in one).format(mark=MARK, url=url)
        careless.write_text("<!doctype html><html><body>" + staying, "utf-8")
        assert ran(opened(browser, careless, folder)), "no hostile text ran"
        assert Requests.seen, "no hostile text asked for a file"
    print(f"{len(TEXTS)} hostile texts in the page: none ran")


if __name__ == "__main__":
    main()
